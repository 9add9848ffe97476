/** Which servers of a pool may be left out because they fail: some have to be left. */
import type { PassivePlan } from '../site/resilience-plan.ts'
import type { Consent } from './breaker.ts'
import type { Target } from './target.ts'

/** Guards all targets of a pool. `lock`: one shared cell, so that two threads do not leave out one each. */
export function guardTargets<Carrier>(
  targets: readonly Target<Carrier>[],
  plan: PassivePlan,
  lock: Int32Array,
): void {
  for (const target of targets) target.guard(plan, consentFor(target, targets, plan, lock))
}

function consentFor<Carrier>(
  target: Target<Carrier>,
  targets: readonly Target<Carrier>[],
  plan: PassivePlan,
  lock: Int32Array,
): Consent {
  const others = targets.filter((each) => each !== target)
  const most = Math.max(1, Math.floor(targets.length * plan.most))
  const done = (): void => {
    Atomics.store(lock, 0, 0)
  }
  return {
    ask() {
      // Another thread is at it: the next failure asks again.
      if (Atomics.compareExchange(lock, 0, 0, 1) !== 0) return false
      const out = others.filter(({ breaker }) => breaker?.tripped === true)
      const isLast = !others.some((other) => other.able && !out.includes(other))
      const may = out.length < most && !isLast
      if (!may) done()
      return may
    },
    done,
  }
}
