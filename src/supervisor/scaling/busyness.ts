/**
 * uWSGI's `busyness`: the share of their time that workers have worked, over rounds of `overload` cycles.
 * Above `max` per cent: `step` more. Below `min` for `multiplier` rounds: one less. A worker that is missed
 * within that time makes the next one wait longer (`penalty`). A long queue adds workers in any cycle,
 * which may go sooner than others.
 */
import type { Load, Scaler, ScalerPlan } from './scaler.ts'

/** Rounds in a row between the bounds after which idle ones before them count no more. */
const TOLERANCE = 3

export function busyness(plan: Pick<ScalerPlan, 'step' | 'overload' | 'busyness'>): Scaler {
  const { min, max, penalty, backlogAlert, backlogStep, backlogMultiplier } = plan.busyness
  let { multiplier } = plan.busyness
  let cycles = 0
  let share = 0
  /** Rounds until a worker may end. */
  let rest = multiplier
  /** Rounds since the last one did. */
  let sinceEnd = Number.POSITIVE_INFINITY
  let endedLast = false
  let tolerated = 0
  let emergency = 0

  const restart = (): void => {
    rest = emergency > 0 ? backlogMultiplier : multiplier
  }
  const soften = (): void => {
    multiplier = Math.max(plan.busyness.multiplier, multiplier - 1)
  }

  const few = (active: number): number => {
    tolerated = 0
    endedLast = false
    if (sinceEnd <= multiplier) multiplier += penalty
    else soften()
    restart()
    return active + plan.step
  }
  const many = (active: number): number => {
    tolerated = 0
    if (rest > 0) return active
    if (endedLast) soften()
    emergency = Math.max(0, emergency - 1)
    endedLast = true
    sinceEnd = 0
    restart()
    return active - 1
  }
  const enough = (active: number): number => {
    emergency = Math.max(0, emergency - 1)
    if (++tolerated >= TOLERANCE) restart()
    // This round was not idle: it does not bring the end of a worker nearer.
    else rest++
    return active
  }

  return {
    decide(load: Load, active: number): number {
      share += shareOf(load)
      cycles++
      const isRound = cycles >= plan.overload
      const percent = (share / cycles) * 100
      if (isRound) {
        cycles = 0
        share = 0
        rest--
        sinceEnd++
        if (percent > max) return few(active)
      }
      if (load.waiting > backlogAlert) {
        multiplier = plan.busyness.multiplier
        endedLast = false
        emergency += backlogStep
        restart()
        return active + backlogStep
      }
      if (!isRound) return active
      return percent < min ? many(active) : enough(active)
    },
  }
}

/** From 0 to 1. Requests longer than a cycle are counted when they end: until then, who is busy was so. */
function shareOf({ workers, busy, served, workMs, cycleMs, capacity }: Load): number {
  if (workers === 0) return 0
  const worked = workMs / (cycleMs * workers * capacity)
  return Math.min(1, served === 0 ? Math.max(worked, busy / workers) : worked)
}
