/** What gateways have in common: their connections, from the first to the last. */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { onTick } from '../request/clock.ts'
import type { Counters } from '../request/counters.ts'
import type { Peer } from '../request/exchange.ts'
import type { Flow, RoutedExchange } from '../request/flow.ts'
import type { LimitsPlan, TimeoutsPlan } from '../site/plan.ts'
import type { Gateway, GatewayOptions } from './gateway.ts'

/** While draining, a kept connection has this long to send the request it may be sending, ms. */
const DRAIN_IDLE_MS = 5_000

/** A connection as its gateway looks after it. */
export interface Kept extends Connection {
  readonly socket: ByteStream
  /** Its gateway's: where it stands among the others. */
  place: number
  /** What it is carrying now. */
  readonly current: RoutedExchange | null
  /** Called at each tick of the clock. */
  check(now: number): void
  /** The server drains: a connection without a request has `idleMs` to send one. */
  drain(idleMs: number): void
}

export abstract class Connections<One extends Kept> implements Gateway {
  readonly name: string
  readonly flow: Flow
  readonly counters: Counters
  readonly limits: LimitsPlan
  readonly timeouts: TimeoutsPlan
  readonly serverName: string
  readonly dev: boolean
  draining = false
  /** In places: a Set that connections come to and leave keeps the gone ones alive in its old tables. */
  readonly #all: One[] = []
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(name: string, options: GatewayOptions) {
    this.name = name
    this.flow = options.flow
    this.counters = options.counters
    this.limits = options.limits
    this.timeouts = options.timeouts
    this.serverName = options.serverName
    this.dev = options.dev
    this.#stopTicking = onTick((now) => {
      this.each((connection) => connection.check(now))
    })
  }

  /** A connection that speaks the protocol. */
  protected abstract make(socket: ByteStream, peer: Peer | undefined): One

  admit(): boolean {
    return this.#all.length < this.limits.connections
  }

  connect(socket: ByteStream, peer?: Peer): Connection {
    this.counters.opened()
    return this.adopt(socket, peer)
  }

  /** A connection that another gateway has counted. */
  adopt(socket: ByteStream, peer?: Peer): Connection {
    const connection = this.make(socket, peer)
    connection.place = this.#all.length
    this.#all.push(connection)
    return connection
  }

  /** Nothing is left of it. */
  forget(connection: One): void {
    if (!this.#remove(connection)) return
    this.counters.closed()
    this.#look()
  }

  /** It goes on with another gateway. */
  release(connection: One): void {
    this.#remove(connection)
    this.#look()
  }

  #remove(connection: One): boolean {
    const { place } = connection
    if (this.#all[place] !== connection) return false
    const last = this.#all.pop()!
    if (last !== connection) {
      this.#all[place] = last
      last.place = place
    }
    return true
  }

  #look(): void {
    if (this.draining && this.#all.length === 0) this.#onEmpty?.()
  }

  /** Connections that are open. */
  get size(): number {
    return this.#all.length
  }

  /** How long a kept connection may be idle, ms. */
  get idleMs(): number {
    return this.draining ? DRAIN_IDLE_MS : this.timeouts.idleMs
  }

  drain(done: () => void): void {
    this.draining = true
    this.#onEmpty = done
    if (this.#all.length === 0) return done()
    this.each((connection) => connection.drain(DRAIN_IDLE_MS))
  }

  eachExchange(visit: (exchange: RoutedExchange) => void): void {
    this.each(({ current }) => {
      if (current !== null) visit(current)
    })
  }

  close(): void {
    this.#stopTicking()
    this.each(({ socket }) => socket.destroy())
  }

  /** From the last on, so that one that goes meanwhile moves none that is still to come. */
  protected each(visit: (connection: One) => void): void {
    for (let i = this.#all.length - 1; i >= 0; i--) {
      const connection = this.#all[i]
      if (connection !== undefined) visit(connection)
    }
  }
}
