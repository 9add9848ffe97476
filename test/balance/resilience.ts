/** The parts of a plan that say what happens when servers fail, with defaults for tests. */
import type {
  HedgePlan,
  PassivePlan,
  PoolBreakerPlan,
  ResiliencePlan,
  RetryPlan,
} from '../../src/site/resilience-plan.ts'

export const on = {
  troubles: ['closed', 'timeout', 'garbage'],
  statuses: [502, 503, 504],
} as const

export function retryPlan(changes: Partial<RetryPlan> = {}): RetryPlan {
  return {
    on,
    tries: 3,
    timeMs: 0,
    eachMs: 0,
    budget: 0.2,
    unsafe: false,
    body: 65_536,
    ...changes,
  }
}

export function passivePlan(changes: Partial<PassivePlan> = {}): PassivePlan {
  return {
    on,
    failures: 3,
    share: 0,
    windowMs: 10_000,
    least: 10,
    restMs: 10_000,
    longestMs: 60_000,
    most: 0.5,
    ...changes,
  }
}

export function breakerPlan(changes: Partial<PoolBreakerPlan> = {}): PoolBreakerPlan {
  const { most: _most, ...plan } = passivePlan()
  return { ...plan, pending: 0, ...changes }
}

export function hedgePlan(changes: Partial<HedgePlan> = {}): HedgePlan {
  return { afterMs: 50, budget: 1, ...changes }
}

export function resilience(changes: Partial<ResiliencePlan> = {}): {
  readonly resilience: ResiliencePlan
} {
  return {
    resilience: {
      retry: null,
      passive: null,
      breaker: null,
      queue: null,
      slowStartMs: 0,
      hedge: null,
      sorry: null,
      ...changes,
    },
  }
}
