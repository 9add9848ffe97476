import { expect, test } from 'vitest'
import {
  ADMIN,
  LATENCY,
  orders,
  SPARE,
  TARGET_CELLS,
  VERDICT,
  verdicts,
  WEIGHT,
} from '../../src/balance/cells.ts'
import { LATENCY_CELLS } from '../../src/balance/latency.ts'
import { Target } from '../../src/balance/target.ts'
import { clock } from '../../src/request/clock.ts'
import { wlc } from '../../src/schedulers/wlc.ts'
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

test('a backend that nobody has looked at is asked', () => {
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

test('its check may say what it weighs, even nothing', () => {
  const { target, cells } = create({ weight: 5 })
  for (const told of [0, 1, 200]) {
    Atomics.store(cells, WEIGHT, told + 1)
    target.weigh()
    expect(target.weight).toBe(told)
  }
  Atomics.store(cells, WEIGHT, 0)
  target.weigh()
  expect(target.weight).toBe(5)
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

test('the cells of the parts do not overlap', () => {
  expect(LATENCY + LATENCY_CELLS).toBeLessThanOrEqual(VERDICT)
  expect(SPARE).toBeLessThanOrEqual(TARGET_CELLS)
})

test('while it starts slowly, the least loaded for its weight is worth a part of that', () => {
  const cells = new Int32Array(new SharedArrayBuffer(2 * TARGET_CELLS * 4))
  const made = [0, 1].map((at) => {
    const own = cells.subarray(at * TARGET_CELLS, (at + 1) * TARGET_CELLS)
    return new Target(plan, transport, own, { inNeed: false })
  })
  const [back, other] = [made[0]!, made[1]!]
  back.startSlowly(10_000)
  back.comesBack()
  const scheduler = wlc(null)
  const before = clock.now
  clock.now = performance.now() + 2_500
  for (let i = 0; i < 100; i++) {
    const { value } = scheduler.order(made, {} as never).next()
    value!.take()
  }
  clock.now = before
  // A quarter of its weight: a fifth of all.
  expect(Math.abs(back.active - 20)).toBeLessThanOrEqual(1)
  expect(back.active + other.active).toBe(100)
})
