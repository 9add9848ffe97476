/** Web servers in front of us: makes connections of sockets and hands their requests to the flow. */
import type { ByteStream, Connection } from '../../listen/byte-stream.ts'
import { onTick } from '../../request/clock.ts'
import type { Counters } from '../../request/counters.ts'
import type { Peer } from '../../request/exchange.ts'
import type { Flow } from '../../request/flow.ts'
import type { LimitsPlan, TimeoutsPlan } from '../../site/plan.ts'
import type { Gateway, GatewayOptions } from '../gateway.ts'
import type { FrontConnection } from './connection.ts'

/** While draining, a kept connection has this long to send the request it may be sending. */
const DRAIN_IDLE_MS = 5_000

/** How a protocol makes a connection of a socket. */
export type Connect = (
  gateway: FrontGateway,
  socket: ByteStream,
  peer: Peer | undefined,
) => FrontConnection

export class FrontGateway implements Gateway {
  readonly name: string
  readonly flow: Flow
  readonly counters: Counters
  readonly limits: LimitsPlan
  readonly timeouts: TimeoutsPlan
  readonly dev: boolean
  draining = false
  readonly #connect: Connect
  readonly #connections = new Set<FrontConnection>()
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(name: string, options: GatewayOptions, connect: Connect) {
    this.name = name
    this.flow = options.flow
    this.counters = options.counters
    this.limits = options.limits
    this.timeouts = options.timeouts
    this.dev = options.dev
    this.#connect = connect
    this.#stopTicking = onTick((now) => {
      for (const connection of this.#connections) connection.check(now)
    })
  }

  admit(): boolean {
    return this.#connections.size < this.limits.connections
  }

  connect(socket: ByteStream, peer?: Peer): Connection {
    const connection = this.#connect(this, socket, peer)
    this.#connections.add(connection)
    this.counters.opened()
    return connection
  }

  forget(connection: FrontConnection): void {
    if (!this.#connections.delete(connection)) return
    this.counters.closed()
    if (this.draining && this.#connections.size === 0) this.#onEmpty?.()
  }

  /** How long a kept connection may be idle, ms. */
  get idleMs(): number {
    return this.draining ? DRAIN_IDLE_MS : this.timeouts.idleMs
  }

  drain(done: () => void): void {
    this.draining = true
    this.#onEmpty = done
    if (this.#connections.size === 0) return done()
    for (const connection of this.#connections) connection.drain(DRAIN_IDLE_MS)
  }

  close(): void {
    this.#stopTicking()
    for (const connection of this.#connections) connection.socket.destroy()
  }
}
