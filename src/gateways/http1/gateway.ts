/** Visitors over HTTP/1.1: makes connections of sockets and hands their requests to the flow. */
import type { PorticoError } from '../../errors.ts'
import type { ByteStream, Connection } from '../../listen/byte-stream.ts'
import { onTick } from '../../request/clock.ts'
import type { Counters } from '../../request/counters.ts'
import type { Peer } from '../../request/exchange.ts'
import type { Flow } from '../../request/flow.ts'
import type { LimitsPlan, TimeoutsPlan } from '../../site/plan.ts'
import type { Gateway, GatewayOptions } from '../gateway.ts'
import { Http1Connection } from './connection.ts'
import type { Http1Exchange } from './exchange.ts'

const TUNNEL_IDLE_MS = 3_600_000
/** While draining, a kept-alive connection has this long to send the request it may be sending. */
const DRAIN_IDLE_MS = 5_000

export interface Http1Options extends GatewayOptions {
  /** A tunnel without a byte in either direction is closed after this, ms; an hour where it is not given. */
  readonly tunnelMs?: number
}

export class Http1Gateway implements Gateway {
  readonly name = 'http1'
  readonly flow: Flow
  readonly counters: Counters
  readonly limits: LimitsPlan
  readonly timeouts: TimeoutsPlan & { readonly tunnelMs: number }
  readonly serverName: string
  readonly dev: boolean
  draining = false
  readonly #connections = new Set<Http1Connection>()
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(options: Http1Options) {
    this.flow = options.flow
    this.counters = options.counters
    this.limits = options.limits
    this.timeouts = { ...options.timeouts, tunnelMs: options.tunnelMs ?? TUNNEL_IDLE_MS }
    this.serverName = options.serverName
    this.dev = options.dev
    this.#stopTicking = onTick((now) => {
      for (const connection of this.#connections) connection.check(now)
    })
  }

  /** Whether there is room for one more. */
  admit(): boolean {
    return this.#connections.size < this.limits.connections
  }

  connect(socket: ByteStream, peer?: Peer): Connection {
    const connection = new Http1Connection(this, socket, peer)
    this.#connections.add(connection)
    this.counters.opened()
    return connection
  }

  forget(connection: Http1Connection): void {
    if (!this.#connections.delete(connection)) return
    this.counters.closed()
    if (this.draining && this.#connections.size === 0) this.#onEmpty?.()
  }

  begin(exchange: Http1Exchange): void {
    this.flow.begin(exchange)
  }

  finished(exchange: Http1Exchange): void {
    this.flow.finished(exchange)
  }

  refused(error: PorticoError, line: string, peer: Peer, sent: number): void {
    this.flow.refused(error, line, peer, sent)
  }

  /** How long a kept-alive connection may be idle, ms. */
  get idleMs(): number {
    return this.draining ? DRAIN_IDLE_MS : this.timeouts.idleMs
  }

  /** Lets every connection finish; `done` is called when none is left. */
  drain(done: () => void): void {
    this.draining = true
    this.#onEmpty = done
    if (this.#connections.size === 0) return done()
    for (const connection of this.#connections) connection.drain(DRAIN_IDLE_MS)
  }

  /** Cuts what is left. */
  close(): void {
    this.#stopTicking()
    for (const connection of this.#connections) connection.socket.destroy()
  }
}
