/** The connections of one thread to one backend, kept alive where its protocol allows. */
import { onTick } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { PoolPlan, TargetPlan } from '../../site/plan.ts'
import type { Attempt, Transport } from '../transport.ts'
import type { AnswerReceiver } from './answer.ts'
import { BackendConnection, type ConnectionOwner } from './connection.ts'
import type { Dialect } from './dialect.ts'
import { type Opener, PlainOpener } from './open.ts'
import type { Tally } from './tally.ts'

/** Who counts connections, where a backend has room for few. */
export interface ConnectionCounter {
  opened(): void
  closed(): void
  /** Whether a connection may stay open without an exchange; `open`: how many there are in this thread. */
  mayKeep(open: number): boolean
}

/** A tunnel on which nothing moves is closed after this, ms. Chats are quiet for long. */
const TUNNEL_IDLE_MS = 3_600_000

export type ConnectionSettings = Pick<
  PoolPlan,
  'connectTimeoutMs' | 'responseTimeoutMs' | 'keepAlive' | 'keepAliveMs' | 'proxyProtocol'
> & {
  /** How connections are opened; plainly by default. */
  readonly opener?: Opener
  readonly tunnelIdleMs?: number
  /** Longest between two reads of an answer's body, ms; `responseTimeoutMs` by default. */
  readonly bodyTimeoutMs?: number
  readonly counter?: ConnectionCounter
  /** Counts them for people. */
  readonly tally?: Tally | null
  /**
   * It is reached by a unix socket and reads all that is there before it looks at it. So what it has not
   * read when it dies, it has not begun, and somebody else may have it. Node's servers read so.
   */
  readonly readsWhole?: boolean
}

/** The transport that speaks one protocol to `target`. */
export class Connections implements Transport, ConnectionOwner {
  readonly name: string
  readonly opener: Opener
  readonly speak: (receiver: AnswerReceiver) => Dialect
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveMs: number
  readonly tunnelIdleMs: number
  readonly readsWhole: boolean
  readonly #mostIdle: number
  readonly #counter: ConnectionCounter | null
  readonly #tally: Tally | null
  /** The last one used is taken first, so that the others can grow old and close. */
  readonly #idle: BackendConnection[] = []
  readonly #all: Set<BackendConnection> = new Set()
  readonly #stopTicks: () => void
  #isClosed = false

  /** `speak` makes the dialect of each new connection. */
  constructor(
    target: Pick<TargetPlan, 'name' | 'address'>,
    settings: ConnectionSettings,
    speak: (receiver: AnswerReceiver) => Dialect,
  ) {
    this.name = target.name
    this.opener = settings.opener ?? new PlainOpener(target, settings.proxyProtocol ?? null)
    this.speak = speak
    this.connectTimeoutMs = settings.connectTimeoutMs
    this.responseTimeoutMs = settings.responseTimeoutMs
    this.bodyTimeoutMs = settings.bodyTimeoutMs ?? settings.responseTimeoutMs
    this.keepAliveMs = settings.keepAliveMs
    this.tunnelIdleMs = settings.tunnelIdleMs ?? TUNNEL_IDLE_MS
    this.readsWhole = settings.readsWhole ?? false
    this.#mostIdle = settings.keepAlive
    this.#counter = settings.counter ?? null
    this.#tally = settings.tally ?? null
    // One sweep a tick over all connections, instead of a timer for each request.
    this.#stopTicks = onTick((nowMs) => {
      for (const connection of this.#all) if (nowMs > connection.deadline) connection.expire()
    })
  }

  send(exchange: Exchange, attempt: Attempt): void {
    const connection = this.opener.keyed
      ? this.#idleFor(this.opener.keyOf(exchange))
      : this.#idle.pop()
    if (connection === undefined) return this.sendFresh(exchange, attempt)
    this.#tally?.reused()
    connection.send(exchange, attempt)
  }

  sendFresh(exchange: Exchange, attempt: Attempt): void {
    this.#counter?.opened()
    this.#all.add(new BackendConnection(this, exchange, attempt))
  }

  connected(): void {
    this.#tally?.opened()
  }

  notConnected(): void {
    this.#tally?.failed()
  }

  close(): void {
    this.#isClosed = true
    for (const connection of [...this.#idle]) connection.destroy()
    this.#forgetWhenOver()
  }

  /** Connections that wait for an exchange. */
  get idle(): number {
    return this.#idle.length
  }

  /** Closes the one that has waited longest. */
  dropIdle(): void {
    this.#idle[0]?.destroy()
  }

  keep(connection: BackendConnection): boolean {
    if (this.#isClosed || this.#mostIdle === 0) return false
    if (this.#idle.length >= this.#mostIdle) {
      // Those that differ would keep the places of others for ever.
      if (!this.opener.keyed) return false
      this.dropIdle()
    }
    if (this.#counter !== null && !this.#counter.mayKeep(this.#all.size)) return false
    this.#idle.push(connection)
    return true
  }

  drop(connection: BackendConnection): void {
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  /** The last one used that is for this key. */
  #idleFor(key: string): BackendConnection | undefined {
    const at = this.#idle.findLastIndex((connection) => connection.key === key)
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]
  }

  closed(connection: BackendConnection): void {
    if (this.#all.delete(connection)) this.#counter?.closed()
    this.#forgetWhenOver()
  }

  #forgetWhenOver(): void {
    if (this.#isClosed && this.#all.size === 0) this.#stopTicks()
  }
}
