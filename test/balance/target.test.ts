import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ADMIN,
  LATENCY,
  orders,
  readShare,
  SPARE,
  TARGET_CELLS,
  VERDICT,
  verdicts,
  writeShare,
} from '../../src/balance/cells.ts'
import { LATENCY_CELLS } from '../../src/balance/latency.ts'
import { Target } from '../../src/balance/target.ts'
import type { TargetPlan } from '../../src/site/plan.ts'

const plan: TargetPlan = {
  name: '127.0.0.1:80',
  scheme: 'http',
  address: { kind: 'tcp', host: '127.0.0.1', port: 80 },
  weight: 1,
  backup: false,
  down: false,
  maxConnections: 0,
}
const transport = { name: 'none', send: () => {}, close: () => {} }

function create(over: Partial<TargetPlan> = {}): { target: Target; cells: Int32Array } {
  const cells = new Int32Array(new SharedArrayBuffer(TARGET_CELLS * 4))
  return { target: new Target({ ...plan, ...over }, transport, cells, { inNeed: false }), cells }
}

test('a backend that nobody has looked at takes its whole share', () => {
  const { target } = create()
  expect([target.ready, target.readyForOwn, target.share]).toEqual([true, true, 1])
})

test.each([
  ['none', 'ready', true, true],
  ['up', 'ready', true, true],
  ['down', 'ready', false, false],
  ['none', 'drain', false, true],
  ['up', 'drain', false, true],
  ['down', 'drain', false, false],
  ['none', 'maint', false, false],
  ['up', 'maint', false, false],
  ['down', 'maint', false, false],
] as const)('verdict %s, order %s: ready %s, for its own %s', (verdict, order, ready, own) => {
  const { target, cells } = create()
  Atomics.store(cells, VERDICT, verdicts[verdict])
  Atomics.store(cells, ADMIN, orders[order])
  expect([target.ready, target.readyForOwn]).toEqual([ready, own])
})

test('a backend without any share keeps its own visitors only', () => {
  const { target, cells } = create()
  writeShare(cells, 0)
  expect([target.ready, target.readyForOwn, target.share]).toEqual([false, true, 0])
  writeShare(cells, 0.5)
  expect([target.ready, target.readyForOwn, target.share]).toEqual([true, true, 0.5])
})

test('one that is out of service in the site file stays so, whatever the checks say', () => {
  const { target, cells } = create({ down: true })
  Atomics.store(cells, VERDICT, verdicts.up)
  expect([target.ready, target.readyForOwn]).toEqual([false, false])
})

test('a full one takes nobody', () => {
  const { target } = create({ maxConnections: 1 })
  expect(target.take()).toBe(true)
  expect([target.ready, target.readyForOwn, target.take()]).toEqual([false, false, false])
  target.release()
  expect(target.ready).toBe(true)
})

test('shares are kept to a thousandth, and what is more than nothing stays so', () => {
  fc.assert(
    fc.property(fc.double({ min: -1, max: 2, noNaN: true }), (share) => {
      const cells = new Int32Array(TARGET_CELLS)
      writeShare(cells, share)
      const kept = readShare(cells)
      expect(Math.abs(kept - Math.min(1, Math.max(0, share)))).toBeLessThanOrEqual(0.001)
      expect(kept > 0).toBe(share > 0)
    }),
  )
})

test('the cells of the parts do not overlap', () => {
  expect(LATENCY + LATENCY_CELLS).toBeLessThanOrEqual(VERDICT)
  expect(SPARE).toBeLessThanOrEqual(TARGET_CELLS)
})
