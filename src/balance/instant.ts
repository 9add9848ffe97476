/** Moments that all threads understand: their own clocks count from different beginnings. */
import { clock } from '../request/clock.ts'

/** A moment of `performance.now()` in 32 bits of milliseconds, never 0, which stands for none. */
export function instant(nowMs: number): number {
  return Math.floor(performance.timeOrigin + nowMs) | 0 || 1
}

/** The moment of the last tick of the clock. */
export function recently(): number {
  return instant(clock.now)
}

/** From one moment to another, ms; below 0 when that was before. Right for those less than 24 days apart. */
export function elapsed(from: number, to: number): number {
  return (to - from) | 0
}
