/** The listeners without HTTP of one server thread: what makes their gateways. */
import type { Gateway } from '../gateways/gateway.ts'
import { decodeAddress } from '../listen/address.ts'
import { MailGateway } from '../mail/gateway.ts'
import type { Counters } from '../request/counters.ts'
import type { ListenerPlan, SitePlan } from '../site/plan.ts'
import type { MailPlan, MailScheme } from '../site/stream-plan.ts'
import { checked, getsockname } from '../system/libc.ts'
import { tallyOf } from '../transports/backend/tally.ts'
import { StreamCounts } from './counts.ts'
import { StreamGateway } from './gateway.ts'
import type { ConnectionLine } from './log-line.ts'
import { StreamPool } from './pool.ts'
import { type Receiving, UdpGateway } from './udp-gateway.ts'

export interface StreamOptions {
  readonly plan: SitePlan
  readonly thread: number
  /** See PoolMemory. */
  readonly pools: Readonly<Record<string, SharedArrayBuffer>>
  /** See Tally. */
  readonly tallies: SharedArrayBuffer
  /** See allocatePersistence. */
  readonly belongings: Readonly<Record<string, SharedArrayBuffer>>
  /** See StreamCounts. */
  readonly streams: SharedArrayBuffer
  readonly counters: Counters
  /** Null: nothing is logged. */
  readonly log: ((line: ConnectionLine) => void) | null
  readonly complain: (message: string) => void
}

function familyOf(fd: number): Receiving['family'] {
  const name = new Uint8Array(28)
  checked('getsockname', getsockname(fd, name, new Uint8Array(Int32Array.of(28).buffer)))
  const address = decodeAddress(name)
  return address.kind === 'tcp' && address.host.includes(':') ? 'udp6' : 'udp4'
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
    const { plan, counters, log, complain } = this.#options
    if (listener.mail !== undefined) return this.#mail(listener, listener.mail)
    if (stream === undefined) return null
    if (scheme === 'udp') {
      return new UdpGateway({
        listener: name,
        plan: stream,
        pool: this.#pools.get(stream.pool)!,
        counts: this.#counts(listener),
        counters,
        most: plan.limits.connections,
        log,
        complain,
      })
    }
    if (scheme !== 'tcp' && scheme !== 'tls') return null
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

  #mail(listener: ListenerPlan, mail: MailPlan): MailGateway {
    const { plan, counters, log, complain } = this.#options
    return new MailGateway({
      listener: listener.name,
      protocol: listener.scheme as MailScheme,
      plan: mail,
      counts: this.#counts(listener),
      counters,
      most: plan.limits.connections,
      log,
      complain,
    })
  }

  /** Receives what comes to an inherited socket of UDP. */
  receive(
    gateway: Gateway,
    fd: number,
    { ready, failed }: Pick<Receiving, 'ready' | 'failed'>,
  ): void {
    if (!(gateway instanceof UdpGateway)) throw new Error('not a gateway for datagrams')
    gateway.receive({ fd, family: familyOf(fd), ready, failed })
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close()
  }

  #counts(listener: ListenerPlan): StreamCounts {
    const { plan, streams, thread } = this.#options
    return new StreamCounts(streams, plan.listeners.indexOf(listener), thread, plan.threads)
  }

  #pool(name: string): void {
    const { plan, pools, belongings, tallies, thread, complain } = this.#options
    const pool = plan.pools[name]
    if (pool === undefined || this.#pools.has(name)) return
    const options = {
      memory: pools[name]!,
      belongings: belongings[name],
      tallyOf: (server: number) => tallyOf(tallies, plan, thread, name, server),
      complain,
    }
    this.#pools.set(name, new StreamPool(pool, options))
  }
}
