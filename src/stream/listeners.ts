/** The listeners without HTTP of one server thread: what makes their gateways. */
import type { Gateway } from '../gateways/gateway.ts'
import type { Counters } from '../request/counters.ts'
import type { ListenerPlan, SitePlan } from '../site/plan.ts'
import { StreamCounts } from './counts.ts'
import { StreamGateway } from './gateway.ts'
import type { ConnectionLine } from './log-line.ts'
import { StreamPool } from './pool.ts'

export interface StreamOptions {
  readonly plan: SitePlan
  readonly thread: number
  /** See PoolMemory. */
  readonly pools: Readonly<Record<string, SharedArrayBuffer>>
  /** See StreamCounts. */
  readonly streams: SharedArrayBuffer
  readonly counters: Counters
  /** Null: nothing is logged. */
  readonly log: ((line: ConnectionLine) => void) | null
  readonly complain: (message: string) => void
}

export class StreamListeners {
  readonly #options: StreamOptions
  readonly #pools = new Map<string, StreamPool>()

  constructor(options: StreamOptions) {
    this.#options = options
    for (const { stream } of options.plan.listeners) {
      if (stream === undefined) continue
      for (const name of [stream.pool, ...Object.values(stream.names)]) this.#pool(name)
    }
  }

  /** What takes the connections of `listener`; null: HTTP, or what brings requests as HTTP does. */
  gateway(listener: ListenerPlan): Gateway | null {
    const { scheme, name, stream } = listener
    if (stream === undefined || (scheme !== 'tcp' && scheme !== 'tls')) return null
    const { plan, counters, log, complain } = this.#options
    return new StreamGateway({
      listener: name,
      protocol: scheme,
      plan: stream,
      pools: this.#pools,
      counts: this.#counts(listener),
      counters,
      most: plan.limits.connections,
      helloMs: plan.timeouts.headMs,
      log,
      complain,
    })
  }

  #counts(listener: ListenerPlan): StreamCounts {
    const { plan, streams, thread } = this.#options
    return new StreamCounts(streams, plan.listeners.indexOf(listener), thread, plan.threads)
  }

  #pool(name: string): void {
    const { plan, pools } = this.#options
    const pool = plan.pools[name]
    if (pool === undefined || this.#pools.has(name)) return
    this.#pools.set(name, new StreamPool(pool, pools[name]!))
  }
}
