/** A pool: the backends that can answer for one another. One in each server thread. */
import type { Exchange } from '../request/exchange.ts'
import { roundRobin } from '../schedulers/round-robin.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import type { PoolPlan, TargetPlan } from '../site/plan.ts'
import { http1 } from '../transports/http1.ts'
import type { Transport } from '../transports/transport.ts'
import { Members } from './members.ts'
import { Target } from './target.ts'
import { Walk } from './walk.ts'

export interface Pool {
  readonly name: string
  /** Has one of the backends answer. */
  serve(exchange: Exchange): void
  /** Keeps no connection any more; exchanges in hand go on. */
  close(): void
}

export interface PoolOptions {
  /** Instead of the one the plan names. */
  readonly scheduler?: Scheduler
  /** How long a tunnel may be silent, ms. */
  readonly tunnelIdleMs?: number
}

const schedulers: Readonly<Record<PoolPlan['schedule'], () => Scheduler>> = {
  'round-robin': roundRobin,
}

/** How a server of the pool is spoken to. */
function makeTransport(target: TargetPlan, pool: PoolPlan & PoolOptions): Transport {
  switch (target.scheme) {
    case 'http':
      return http1(target, pool)
    case 'uwsgi':
    case 'puwsgi':
    case 'fastcgi':
    case 'scgi':
      throw new Error(`pool ${pool.name}: no transport for ${target.scheme}`)
  }
}

export function createPool(plan: PoolPlan, options: PoolOptions = {}): Pool {
  const settings =
    options.tunnelIdleMs === undefined ? plan : { ...plan, tunnelIdleMs: options.tunnelIdleMs }
  const targets = plan.servers.map((target) => new Target(target, makeTransport(target, settings)))
  const members = new Members(targets)
  const scheduler = options.scheduler ?? schedulers[plan.schedule]()
  return {
    name: plan.name,
    serve: (exchange) => new Walk(exchange, members, scheduler).next(null),
    close: () => {
      for (const { transport } of targets) transport.close()
    },
  }
}
