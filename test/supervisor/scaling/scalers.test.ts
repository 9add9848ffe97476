import { describe, expect, test } from 'vitest'
import { backlog } from '../../../src/supervisor/scaling/backlog.ts'
import { busyness } from '../../../src/supervisor/scaling/busyness.ts'
import { delay } from '../../../src/supervisor/scaling/delay.ts'
import type { Load, Scaler, ScalerPlan } from '../../../src/supervisor/scaling/scaler.ts'
import { spare } from '../../../src/supervisor/scaling/spare.ts'
import { cycle, run, scalerSuite } from './conformance.ts'

const PLAN: ScalerPlan = {
  spare: 1,
  step: 1,
  overload: 3,
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
}

describe.each([
  ['spare', spare],
  ['backlog', backlog],
  ['busyness', busyness],
  ['delay', delay],
] as const)('%s', (_name, create) => {
  scalerSuite(() => create(PLAN))
})

const idle: Load = cycle(4, 0, 100).load

/** Each row: what is seen, and the number of workers that is wanted then, where there are 4. */
function table(scaler: Scaler, rows: readonly (readonly [Partial<Load>, number])[]): void {
  const found = rows.map(([seen]) => scaler.decide({ ...idle, ...seen }, 4))
  expect(found).toEqual(rows.map(([, wanted]) => wanted))
}

describe('spare', () => {
  test('more after `overload` cycles without a free worker, not before', () => {
    table(spare(PLAN), [
      [{ busy: 4 }, 4],
      [{ busy: 4 }, 4],
      [{ busy: 4 }, 4],
      [{ busy: 4 }, 5],
      [{ busy: 4 }, 4],
    ])
  })
  test('a free one takes a cycle of that back', () => {
    table(spare(PLAN), [
      [{ busy: 4 }, 4],
      [{ busy: 4 }, 4],
      [{ busy: 4 }, 4],
      [{ busy: 3 }, 4],
      [{ busy: 4 }, 4],
      [{ busy: 4 }, 5],
    ])
  })
  test('stable with as many free ones as are to be kept, whatever the time', () => {
    table(
      spare(PLAN),
      Array.from({ length: 20 }, () => [{ busy: 3 }, 4] as const),
    )
    table(
      spare({ ...PLAN, spare: 3 }),
      Array.from({ length: 20 }, () => [{ busy: 1 }, 4] as const),
    )
  })
  test('one less each `overload` cycles with more', () => {
    table(spare(PLAN), [
      [{ busy: 1 }, 4],
      [{ busy: 1 }, 4],
      [{ busy: 1 }, 3],
      [{ busy: 1 }, 4],
    ])
  })
  test('at once where nothing is finished, or for those that wait as long as a cycle', () => {
    table(spare(PLAN), [
      [{ busy: 4, waiting: 1 }, 5],
      [{ busy: 4, waiting: 1, served: 9, delayMs: 100 }, 4],
      [{ busy: 4, waiting: 9, served: 9, delayMs: 1_000 }, 5],
    ])
  })
  test('nobody is free while somebody waits; `step` at a time', () => {
    const scaler = spare({ ...PLAN, overload: 0, step: 4 })
    expect(scaler.decide({ ...idle, waiting: 1 }, 4)).toBe(8)
  })
})

describe('backlog', () => {
  test('by the queue alone', () => {
    table(backlog(PLAN), [
      [{ waiting: 3, busy: 4 }, 4],
      [{ waiting: 4, busy: 4 }, 5],
      [{ waiting: 1, busy: 4 }, 4],
      [{ waiting: 0, busy: 4 }, 3],
    ])
  })
})

describe('busyness', () => {
  const rounds = { ...PLAN, overload: 1 }
  const working = (percent: number): Partial<Load> => ({
    served: 10,
    workMs: 4 * 10 * percent,
  })

  test('above `max`: more, each round', () => {
    table(busyness(rounds), [
      [working(50), 4],
      [working(51), 5],
      [working(99), 5],
    ])
  })
  test('over a round of `overload` cycles', () => {
    table(busyness(PLAN), [
      [working(90), 4],
      [working(90), 4],
      [working(90), 5],
      [working(90), 4],
      [working(40), 4],
      [working(10), 4],
    ])
  })
  test('below `min`: one less after `multiplier` rounds; rounds between the bounds do not count', () => {
    const least = { ...rounds, busyness: { ...PLAN.busyness, multiplier: 3 } }
    table(busyness(least), [
      [working(10), 4],
      [working(10), 4],
      [working(30), 4],
      [working(10), 3],
      [working(10), 4],
      [working(10), 4],
      [working(10), 3],
    ])
  })
  test('three rounds between the bounds begin the wait anew', () => {
    const least = { ...rounds, busyness: { ...PLAN.busyness, multiplier: 3 } }
    table(busyness(least), [
      [working(10), 4],
      [working(10), 4],
      [working(30), 4],
      [working(30), 4],
      [working(30), 4],
      [working(10), 4],
      [working(10), 4],
      [working(10), 3],
    ])
  })
  test('a worker that is missed soon makes the next one wait longer', () => {
    const least = { ...rounds, busyness: { ...PLAN.busyness, multiplier: 2, penalty: 3 } }
    table(busyness(least), [
      [working(10), 4],
      [working(10), 3],
      [working(80), 5],
      [working(10), 4],
      [working(10), 4],
      [working(10), 4],
      [working(10), 4],
      [working(10), 3],
    ])
  })
  test('a long queue at any time; what it brought goes sooner', () => {
    const scaler = busyness(PLAN)
    const alert = { ...idle, ...working(40), waiting: 34 }
    expect(scaler.decide(alert, 4)).toBe(5)
    // Three rounds, not ten.
    const counts = Array.from({ length: 12 }, () => scaler.decide({ ...idle, ...working(5) }, 5))
    expect(counts.slice(0, 10)).toContain(4)
  })
  test('requests longer than a round are work', () => {
    expect(busyness(rounds).decide({ ...idle, busy: 4 }, 4)).toBe(5)
  })
})

describe('delay', () => {
  test('too long: as many as the work and the queue need, twice as many at most', () => {
    const busy = { busy: 4, served: 40, workMs: 4_000 }
    table(delay(PLAN), [
      [{ ...busy, delayMs: 50 }, 4],
      [{ ...busy, delayMs: 51 }, 5],
      [{ ...busy, delayMs: 80, waiting: 1 }, 6],
      [{ ...busy, delayMs: 900, waiting: 300 }, 8],
    ])
  })
  test('calm for long, and the others would not be full: one less', () => {
    table(delay(PLAN), [
      [{ served: 10, workMs: 1_000 }, 4],
      [{ served: 10, workMs: 1_000 }, 4],
      [{ served: 10, workMs: 1_000 }, 4],
      [{ served: 10, workMs: 1_000 }, 3],
      [{ served: 10, workMs: 1_000, delayMs: 20 }, 4],
    ])
    table(
      delay(PLAN),
      Array.from({ length: 9 }, () => [{ served: 10, workMs: 2_200 }, 4] as const),
    )
  })
  test('finds the number for a load, and stays near it', () => {
    const counts = run(delay(PLAN), 1, 60, 60, 100)
    // 6 workers' work.
    expect(counts[5]).toBeGreaterThanOrEqual(6)
    expect(counts.slice(30).every((count) => count >= 6 && count <= 12)).toBe(true)
  })
  test('workers that take many at a time', () => {
    const many = { capacity: 100, busy: 4, served: 400, workMs: 200_000, delayMs: 10 }
    expect(delay(PLAN).decide({ ...idle, ...many }, 4)).toBe(4)
  })
})
