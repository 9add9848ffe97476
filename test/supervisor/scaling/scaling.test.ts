/** The number of workers between its bounds: from the server's reports to what is wanted. */
import { expect, test } from 'vitest'
import type { AppLoad } from '../../../src/server/protocol.ts'
import type { ScalePlan } from '../../../src/site/plan.ts'
import { Scaling } from '../../../src/supervisor/scaling/scaling.ts'

const PLAN: ScalePlan = {
  by: 'spare',
  min: 1,
  spare: 1,
  step: 2,
  overload: 0,
  delayMs: 50,
  busyness: {
    min: 25,
    max: 50,
    multiplier: 10,
    penalty: 2,
    backlogAlert: 33,
    backlogStep: 1,
    backlogMultiplier: 3,
  },
  everyMs: 1_000,
  idleMs: 10_000,
  memory: 0,
  warm: true,
}

class Bench {
  now = 0
  memory = 0
  changes = 0
  readonly scaling: Scaling

  constructor(scale: Partial<ScalePlan> | undefined, workers = 8) {
    this.scaling = new Scaling(
      { workers, ...(scale === undefined ? {} : { scale: { ...PLAN, ...scale } }) },
      () => this.memory,
      () => {
        this.changes++
      },
      () => this.now,
    )
  }

  /** `seconds` of the same, told four times a second. */
  see(load: Partial<AppLoad>, seconds = 1): number {
    const { wanted: workers } = this.scaling
    for (let i = 0; i < seconds * 4; i++) {
      this.now += 250
      this.scaling.load({
        workers,
        busy: 0,
        waiting: 0,
        served: 0,
        workMs: 0,
        delayMs: 0,
        capacity: 1,
        sinceMs: 250,
        ...load,
      })
    }
    return this.scaling.wanted
  }
}

test('a plain number never changes', () => {
  const bench = new Bench(undefined, 3)
  expect(bench.see({ busy: 3, waiting: 100 }, 10)).toBe(3)
  bench.scaling.wake()
  expect([bench.scaling.wanted, bench.changes, bench.scaling.mayRest]).toEqual([3, 0, false])
})

test('begins as its predecessor was', () => {
  for (const [scale, before, wanted] of [
    [{ min: 2 }, 5, 5],
    [{ min: 2 }, 99, 8],
    [{ min: 2 }, 0, 2],
    [{ min: 0 }, 0, 0],
    [undefined, 2, 8],
  ] as const) {
    const { scaling } = new Bench(scale)
    scaling.follow(before)
    expect(scaling.wanted).toBe(wanted)
  }
})

test('decides once a cycle, and keeps to the bounds', () => {
  const bench = new Bench({ min: 2 })
  expect(bench.scaling.wanted).toBe(2)
  expect(bench.see({ busy: 2 }, 0.75)).toBe(2)
  expect(bench.see({ busy: 2 }, 0.25)).toBe(4)
  expect(bench.see({ busy: 8, waiting: 50 }, 30)).toBe(8)
  expect(bench.see({}, 60)).toBe(2)
})

test('down to nothing when nobody came for long; the first request wakes it', () => {
  const bench = new Bench({ min: 0 })
  expect(bench.scaling.wanted).toBe(0)
  bench.scaling.wake()
  expect([bench.scaling.wanted, bench.changes]).toEqual([1, 1])
  expect(bench.see({ served: 1 }, 1)).toBe(1)
  expect(bench.see({}, 9.5)).toBe(1)
  expect(bench.see({}, 1)).toBe(0)
  expect(bench.scaling.mayRest).toBe(false)
  // Should the wake have been lost, the queue is one as well.
  expect(bench.see({ waiting: 1 }, 0.25)).toBe(1)
})

test('with `warm: false` the parent may go as well', () => {
  const bench = new Bench({ min: 0, warm: false })
  expect(bench.scaling.mayRest).toBe(true)
  bench.scaling.wake()
  expect(bench.scaling.mayRest).toBe(false)
})

test('no worker more than the memory has room for; above the ceiling one goes at a time', () => {
  const bench = new Bench({ memory: 1_000 })
  bench.see({ busy: 1 }, 1)
  expect(bench.scaling.wanted).toBe(3)
  bench.memory = 900
  expect(bench.see({ busy: 3, workers: 3 }, 5)).toBe(3)
  bench.memory = 1_000
  expect(bench.see({ busy: 3, workers: 3 }, 1)).toBe(2)
  bench.memory = 300
  expect(bench.see({ busy: 2, workers: 2 }, 1)).toBe(4)
})
