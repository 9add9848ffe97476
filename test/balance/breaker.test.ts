/** When somebody who fails is left out, and when others are asked in its place. */
import { describe, expect, it } from 'vitest'
import { BREAKER_CELLS, Breaker } from '../../src/balance/breaker.ts'
import { TARGET_CELLS } from '../../src/balance/cells.ts'
import { guardTargets } from '../../src/balance/outliers.ts'
import { Target } from '../../src/balance/target.ts'
import { clock } from '../../src/request/clock.ts'
import type { BreakerPlan } from '../../src/site/resilience-plan.ts'
import { stoppedClock } from '../stopped-clock.ts'
import { target as targetPlan } from '../transports/front.ts'
import { breakerPlan, passivePlan } from './resilience.ts'

const pass = stoppedClock(1_000_000)

function create(changes: Partial<BreakerPlan> = {}): Breaker {
  const cells = new Int32Array(new SharedArrayBuffer(BREAKER_CELLS * 4))
  return new Breaker(
    cells,
    breakerPlan({ failures: 3, restMs: 1_000, longestMs: 4_000, ...changes }),
  )
}

describe('a breaker', () => {
  it('opens after failures in a row', () => {
    const breaker = create()
    const opened = [0, 1, 2].map(() => breaker.bad(null))
    expect([opened, breaker.open, breaker.admit()]).toEqual([[false, false, true], true, 'no'])
  })

  it('forgets them at a success', () => {
    const breaker = create()
    for (let i = 0; i < 10; i++) {
      breaker.bad(null)
      breaker.bad(null)
      breaker.good()
    }
    expect(breaker.open).toBe(false)
  })

  it('opens at a share of failures, when there are enough requests', () => {
    const breaker = create({ failures: 0, share: 0.3, least: 10, windowMs: 1_000_000_000 })
    for (let i = 0; i < 4; i++) expect(breaker.bad(null)).toBe(false)
    for (let i = 0; i < 12; i++) breaker.good()
    expect(breaker.bad(null)).toBe(false)
    expect(breaker.bad(null)).toBe(true)
  })

  it('counts a share in windows', () => {
    const breaker = create({ failures: 0, share: 0.5, least: 4, windowMs: 1_000 })
    for (let i = 0; i < 3; i++) breaker.bad(null)
    pass(2_000)
    expect(breaker.bad(null)).toBe(false)
  })

  it('tells a share of very many', () => {
    const breaker = create({ failures: 0, share: 0.5, least: 4, windowMs: 1_000_000_000 })
    for (let i = 0; i < 20_000; i++) breaker.good()
    let failures = 0
    while (!breaker.bad(null)) failures++
    expect(failures).toBeGreaterThan(2_000)
    expect(failures).toBeLessThan(4_096)
  })

  it('admits one after its rest, and closes when that goes well', () => {
    const breaker = create()
    for (let i = 0; i < 3; i++) breaker.bad(null)
    pass(999)
    expect(breaker.admit()).toBe('no')
    pass(2)
    expect([breaker.open, breaker.admit(), breaker.admit(), breaker.open]).toEqual([
      false,
      'trial',
      'no',
      true,
    ])
    const trial = breaker.beginTrial()
    // Those that were on their way before say nothing.
    breaker.good()
    expect(breaker.tripped).toBe(true)
    expect(breaker.pass(trial)).toBe(true)
    expect([breaker.tripped, breaker.admit()]).toEqual([false, 'yes'])
  })

  it('rests twice as long each time, up to a bound', () => {
    const breaker = create()
    for (let i = 0; i < 3; i++) breaker.bad(null)
    const rests: number[] = []
    for (let i = 0; i < 5; i++) {
      rests.push(breaker.leftMs(performance.now()))
      pass(breaker.leftMs(performance.now()) + 1)
      expect(breaker.admit()).toBe('trial')
      expect(breaker.bad(breaker.beginTrial())).toBe(true)
    }
    expect(rests).toEqual([1_000, 2_000, 4_000, 4_000, 4_000])
  })

  it('forgets one long rest for each rest’s length without trouble', () => {
    const breaker = create()
    const trip = (): number => {
      for (let i = 0; i < 3; i++) breaker.bad(null)
      const rest = breaker.leftMs(performance.now())
      pass(rest + 1)
      breaker.admit()
      breaker.pass(breaker.beginTrial())
      return rest
    }
    expect([trip(), trip()]).toEqual([1_000, 2_000])
    pass(1_000)
    expect(trip()).toBe(2_000)
    pass(60_000)
    expect(trip()).toBe(1_000)
  })

  it('has another trial when nothing is heard of the one before', () => {
    const breaker = create()
    for (let i = 0; i < 3; i++) breaker.bad(null)
    pass(1_001)
    expect(breaker.admit()).toBe('trial')
    pass(1_001)
    expect(breaker.admit()).toBe('trial')
  })

  function halfOpen(changes: Partial<BreakerPlan> = {}): Breaker {
    const breaker = create(changes)
    for (let i = 0; i < 3; i++) breaker.bad(null)
    pass(1_001)
    breaker.admit()
    return breaker
  }

  it('has another trial at once when one shows nothing', () => {
    const breaker = halfOpen()
    breaker.giveBack(breaker.beginTrial())
    // The coarse clock is behind.
    clock.now = performance.now() - 249
    expect([breaker.open, breaker.tripped, breaker.admit(), breaker.admit()]).toEqual([
      false,
      true,
      'trial',
      'no',
    ])
  })

  it('gives back no trial but its own', () => {
    const breaker = halfOpen()
    const first = breaker.beginTrial()
    pass(1_001)
    breaker.admit()
    breaker.giveBack(first)
    expect(breaker.admit()).toBe('no')
  })

  it('hears the first of what a trial shows', () => {
    const breaker = halfOpen()
    const trial = breaker.beginTrial()
    expect([breaker.pass(trial), breaker.bad(trial), breaker.pass(trial)]).toEqual([
      true,
      false,
      false,
    ])
    breaker.giveBack(trial)
    expect([breaker.tripped, breaker.admit()]).toEqual([false, 'yes'])
  })

  it('rests once for trials that hung one after the other', () => {
    const breaker = halfOpen({ longestMs: 60_000 })
    const hung = [breaker.beginTrial()]
    for (let i = 0; i < 4; i++) {
      pass(1_001)
      breaker.admit()
      hung.push(breaker.beginTrial())
    }
    expect(hung.map((trial) => breaker.bad(trial))).toEqual([true, false, false, false, false])
    expect(breaker.leftMs(performance.now())).toBe(2_000)
  })
})

describe('of the servers of a pool', () => {
  function pool(count: number, most: number): Target<null>[] {
    const cells = new Int32Array(new SharedArrayBuffer(count * TARGET_CELLS * 4))
    const common = { inNeed: false }
    const targets = Array.from(
      { length: count },
      (_, i) => new Target(targetPlan(i + 1), null, cells.subarray(i * TARGET_CELLS), common),
    )
    guardTargets(targets, passivePlan({ failures: 1, most }), new Int32Array(1))
    return targets
  }

  const leftOut = (targets: readonly Target<null>[]): boolean[] =>
    targets.map(({ breaker }) => breaker!.bad(null))

  it.each([
    [1, 1, 0],
    [2, 0, 1],
    [2, 1, 1],
    [4, 0.5, 2],
    [4, 0.8, 3],
    [4, 1, 3],
    [10, 0, 1],
  ])('of %i with at most %f, %i are left out', (count, most, expected) => {
    const targets = pool(count, most)
    expect(leftOut(targets).filter(Boolean).length).toBe(expected)
    expect(targets.filter(({ ready }) => !ready).length).toBe(expected)
    // They stay so.
    expect(leftOut(targets).filter(Boolean).length).toBe(0)
  })

  it('the last one that is left is asked, however it fails', () => {
    const targets = pool(3, 1)
    for (const { breaker } of targets) breaker!.bad(null)
    expect(targets.map(({ ready }) => ready)).toEqual([false, false, true])
  })
})
