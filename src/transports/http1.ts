/** HTTP/1.1 to one backend (RFC 9110, RFC 9112), over connections that are kept alive in each thread. */
import { onTick } from '../request/clock.ts'
import type { Exchange } from '../request/exchange.ts'
import type { Address, PoolPlan, TargetPlan } from '../site/plan.ts'
import { BackendConnection, type ConnectionOwner } from './http1/connection.ts'
import { RequestHeads } from './http1/request-head.ts'
import type { Attempt, Transport } from './transport.ts'

/** A tunnel on which nothing moves is closed after this, ms. Chats are quiet for long. */
const TUNNEL_IDLE_MS = 3_600_000

export type Http1Settings = Pick<
  PoolPlan,
  'connectTimeoutMs' | 'responseTimeoutMs' | 'keepAlive' | 'keepAliveMs' | 'preserveHost'
> & { readonly tunnelIdleMs?: number }

/** The transport to `target`. */
export function http1(target: TargetPlan, settings: Http1Settings): Transport {
  return new Http1(target, settings)
}

class Http1 implements Transport, ConnectionOwner {
  readonly name: string
  readonly address: Address
  readonly heads: RequestHeads
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly keepAliveMs: number
  readonly tunnelIdleMs: number
  readonly #mostIdle: number
  /** The last one used is taken first, so that the others can grow old and close. */
  readonly #idle: BackendConnection[] = []
  readonly #all: Set<BackendConnection> = new Set()
  readonly #stopTicks: () => void
  #isClosed = false

  constructor(target: TargetPlan, settings: Http1Settings) {
    this.name = target.name
    this.address = target.address
    this.heads = new RequestHeads(ownHost(target.address), settings.preserveHost)
    this.connectTimeoutMs = settings.connectTimeoutMs
    this.responseTimeoutMs = settings.responseTimeoutMs
    this.keepAliveMs = settings.keepAliveMs
    this.tunnelIdleMs = settings.tunnelIdleMs ?? TUNNEL_IDLE_MS
    this.#mostIdle = settings.keepAlive
    // One sweep a tick over all connections, instead of a timer for each request.
    this.#stopTicks = onTick((nowMs) => {
      for (const connection of this.#all) if (nowMs > connection.deadline) connection.expire()
    })
  }

  send(exchange: Exchange, attempt: Attempt): void {
    const connection = this.#idle.pop()
    if (connection === undefined) this.sendFresh(exchange, attempt)
    else connection.send(exchange, attempt)
  }

  sendFresh(exchange: Exchange, attempt: Attempt): void {
    this.#all.add(new BackendConnection(this, exchange, attempt))
  }

  close(): void {
    this.#isClosed = true
    for (const connection of [...this.#idle]) connection.destroy()
    this.#forgetWhenOver()
  }

  keep(connection: BackendConnection): boolean {
    if (this.#isClosed || this.#idle.length >= this.#mostIdle) return false
    this.#idle.push(connection)
    return true
  }

  drop(connection: BackendConnection): void {
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  closed(connection: BackendConnection): void {
    this.#all.delete(connection)
    this.#forgetWhenOver()
  }

  #forgetWhenOver(): void {
    if (this.#isClosed && this.#all.size === 0) this.#stopTicks()
  }
}

/** Host of a backend that is asked by its own name (RFC 9110 §7.2). */
function ownHost(address: Address): string {
  if (address.kind === 'unix') return 'localhost'
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return address.port === 80 ? host : `${host}:${address.port}`
}
