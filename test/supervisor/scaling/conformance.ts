/** What every algorithm for the number of workers keeps to, as a small model of an application meets it. */
import { expect, test } from 'vitest'
import type { Load, Scaler } from '../../../src/supervisor/scaling/scaler.ts'

const MOST = 32
const CYCLE_MS = 1_000

/** The load of one cycle in which `requests` come that take `eachMs`; `waiting` had to wait before. */
export function cycle(
  workers: number,
  requests: number,
  eachMs: number,
  waiting = 0,
): { load: Load; waiting: number } {
  const most = Math.floor((workers * CYCLE_MS) / eachMs)
  const served = Math.min(most, requests + waiting)
  const left = requests + waiting - served
  const workMs = served * eachMs
  return {
    waiting: left,
    load: {
      workers,
      busy: Math.min(workers, Math.ceil(workMs / CYCLE_MS) + (left > 0 ? workers : 0)),
      waiting: left,
      served,
      workMs,
      delayMs: left === 0 ? 0 : (left * eachMs) / workers,
      cycleMs: CYCLE_MS,
      capacity: 1,
    },
  }
}

/** The numbers of workers of each cycle, from `start`. */
export function run(
  scaler: Scaler,
  start: number,
  cycles: number,
  requests: number,
  eachMs: number,
): number[] {
  let active = start
  let waiting = 0
  return Array.from({ length: cycles }, () => {
    const seen = cycle(active, requests, eachMs, waiting)
    waiting = seen.waiting
    active = Math.min(MOST, Math.max(1, scaler.decide(seen.load, active)))
    return active
  })
}

export function scalerSuite(create: () => Scaler): void {
  test('grows under more work than its workers can do, until they can', () => {
    // 8 workers' work.
    const counts = run(create(), 2, 60, 80, 100)
    expect(counts.at(-1)).toBeGreaterThanOrEqual(8)
    expect(counts.at(-1)).toBeLessThan(MOST)
  })

  test('shrinks when nobody comes, one at a time, down to nothing left to end', () => {
    const counts = [12, ...run(create(), 12, 600, 0, 100)]
    expect(counts.at(-1)).toBe(1)
    for (let i = 1; i < counts.length; i++) {
      expect(counts[i - 1]! - counts[i]!).toBeGreaterThanOrEqual(0)
      expect(counts[i - 1]! - counts[i]!).toBeLessThanOrEqual(1)
    }
  })

  test('keeps up under a load that stays the same', () => {
    const counts = run(create(), 10, 120, 60, 100).slice(60)
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(5)
  })

  test('copes with an application of which nothing is known, and one without workers', () => {
    const scaler = create()
    const nothing = { workMs: 0, served: 0, delayMs: 0, cycleMs: CYCLE_MS, capacity: 1 }
    for (const [workers, busy, waiting] of [
      [0, 0, 0],
      [0, 0, 50],
      [1, 1, 0],
      [4, 4, 1_000],
    ] as const) {
      const decided = scaler.decide({ ...nothing, workers, busy, waiting }, Math.max(1, workers))
      expect(Number.isSafeInteger(decided)).toBe(true)
    }
  })
}
