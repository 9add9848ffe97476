import { expect, test } from 'vitest'
import { loadOf, spent } from '../../src/server/load-meter.ts'
import type { RecyclePlan } from '../../src/site/plan.ts'
import { memoryOf, readStatus } from '../../src/supervisor/process-memory.ts'
import { judge } from '../../src/supervisor/recycling.ts'

const PLAN: RecyclePlan = {
  requests: 0,
  ageMs: 0,
  memory: 0,
  addressSpace: 0,
  idleMs: 0,
  jitter: 0.1,
}
const memory = () => ({ resident: 100_000, addressSpace: 900_000 })

test.each([
  ['nothing is set', {}, 1e12, 0, null],
  ['young', { ageMs: 1_000 }, 999, 0, null],
  ['old', { ageMs: 60_000 }, 60_000, 0, { reason: 'age', how: '1m' }],
  ['old, but for its luck', { ageMs: 60_000 }, 65_000, 1, null],
  ['old, whatever its luck', { ageMs: 60_000 }, 66_000, 1, { reason: 'age', how: '66s' }],
  ['small', { memory: 100_001 }, 0, 0, null],
  ['large', { memory: 100_000 }, 0, 0, { reason: 'memory', how: '100000B' }],
  ['wide', { addressSpace: 900_000 }, 0, 0, { reason: 'address-space', how: '900000B' }],
] as const)('%s', (_, some, ageMs, luck, due) => {
  expect(judge({ ...PLAN, ...some }, { pid: 1, ageMs, luck }, memory)).toEqual(due)
})

test('memory is what the kernel says', () => {
  expect(readStatus('Name:\tx\nVmSize:\t  8192 kB\nVmRSS:\t    12 kB\n')).toEqual({
    resident: 12_288,
    addressSpace: 8_388_608,
  })
  expect(readStatus('')).toEqual({ resident: 0, addressSpace: 0 })
  expect(memoryOf(process.pid).resident).toBeGreaterThan(10_000_000)
  expect(memoryOf(2 ** 30)).toEqual({ resident: 0, addressSpace: 0 })
})

test('requests: each worker has a limit of its own, from N to N and the jitter', () => {
  const plan = { ...PLAN, requests: 1_000 }
  const limits = Array.from({ length: 50 }, (_, i) => {
    let own = 900
    while (spent(plan, { own }, 4_000 + i, 0) === null) own++
    return own
  })
  expect(Math.min(...limits)).toBeGreaterThanOrEqual(1_000)
  expect(Math.max(...limits)).toBeLessThanOrEqual(1_100)
  expect(new Set(limits).size).toBeGreaterThan(25)
})

test('idle: one that has never served is as good as new', () => {
  const plan = { ...PLAN, idleMs: 1_000, jitter: 0 }
  expect(spent(plan, { own: 0 }, 1, 5_000)).toBe(null)
  expect(spent(plan, { own: 1 }, 1, 999)).toBe(null)
  expect(spent(plan, { own: 1 }, 1, 1_000)).toEqual({ reason: 'idle', how: '1s' })
})

test('load: waiting times of those that have left the queue, or what those in it have before them', () => {
  const histogram = (sumMs: number, count: number) => ({ sumMs, counts: [count] })
  const at = (served: number, waiting: number, waited: readonly [number, number]) => ({
    requests: 0,
    errors: 0,
    waiting,
    busy: 0,
    workers: 2,
    served: histogram(served * 10, served),
    waited: histogram(...waited),
  })
  const slots = [1, 0, 3].map((inHand, slot) => ({
    slot,
    requests: 0,
    own: 0,
    errors: 0,
    runMs: 0,
    sent: 0,
    inHand,
  }))
  const load = loadOf(at(100, 0, [0, 0]), at(150, 0, [60, 2]), slots, 1, 250)
  expect(load).toEqual({
    workers: 2,
    busy: 2,
    waiting: 0,
    served: 50,
    workMs: 500,
    delayMs: 30,
    capacity: 1,
    sinceMs: 250,
  })
  expect(loadOf(at(0, 0, [0, 0]), at(10, 40, [0, 0]), slots, 1, 250).delayMs).toBe(200)
  expect(loadOf(at(0, 0, [0, 0]), at(0, 4, [0, 0]), slots, 1, 250).delayMs).toBe(500)
})
