/**
 * HTTP/2 to one backend, from one thread: one connection carries all exchanges, as many at a time as the
 * backend takes; beyond that there is another one. What asks for another protocol (a WebSocket) goes over
 * HTTP/1.1.
 */
import { PorticoError } from '../../errors.ts'
import { onTick } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { PoolPlan, TargetPlan } from '../../site/plan.ts'
import type { ConnectionSettings } from '../backend/connections.ts'
import { type Opener, PlainOpener } from '../backend/open.ts'
import { ownHost } from '../backend/own-host.ts'
import type { Tally } from '../backend/tally.ts'
import { offersUpgrade } from '../backend/upgrade.ts'
import { RequestHeads } from '../http1/request-head.ts'
import type { Attempt, Transport } from '../transport.ts'
import { Http2Backend, type Http2Owner } from './connection.ts'
import { Repeatable } from './repeatable.ts'
import { requestBlock, type Scheme } from './request-block.ts'

/** An exchange that backends have refused to process so often is given to another backend. */
const MOST_TRIES = 3

export type Http2Settings = ConnectionSettings & Pick<PoolPlan, 'preserveHost'>

export class Http2Connections implements Transport, Http2Owner {
  readonly name: string
  readonly opener: Opener
  readonly secure: boolean
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveMs: number
  readonly #heads: RequestHeads
  readonly #scheme: Scheme
  readonly #http1: Transport
  readonly #tally: Tally | null
  /** The newest is last, and asked first. */
  readonly #all: Http2Backend[] = []
  /** How often each was sent, of those that were sent again. */
  readonly #tries = new WeakMap<Exchange, number>()
  readonly #stopTicks: () => void
  #isClosed = false

  /** `http1`: to the same backend. */
  constructor(
    target: Pick<TargetPlan, 'name' | 'address' | 'scheme'>,
    settings: Http2Settings,
    http1: Transport,
  ) {
    this.name = target.name
    this.secure = target.scheme === 'h2'
    this.#scheme = this.secure ? 'https' : 'http'
    this.opener = settings.opener ?? new PlainOpener(target, settings.proxyProtocol ?? null)
    this.connectTimeoutMs = settings.connectTimeoutMs
    this.responseTimeoutMs = settings.responseTimeoutMs
    this.bodyTimeoutMs = settings.bodyTimeoutMs ?? settings.responseTimeoutMs
    this.keepAliveMs = settings.keepAlive === 0 ? 1 : settings.keepAliveMs
    this.#heads = new RequestHeads(
      ownHost(target.address, this.secure ? 443 : 80),
      settings.preserveHost,
    )
    this.#http1 = http1
    this.#tally = settings.tally ?? null
    this.#stopTicks = onTick((now) => {
      for (const connection of [...this.#all]) connection.check(now)
    })
  }

  send(exchange: Exchange, attempt: Attempt): void {
    if (offersUpgrade(exchange)) return this.#http1.send(exchange, attempt)
    const { chunked, contentLength } = exchange.fields
    if (chunked || contentLength > 0) this.#send(new Repeatable(exchange), attempt)
    else this.#send(exchange, attempt)
  }

  #send(exchange: Exchange, attempt: Attempt): void {
    const key = this.opener.keyed ? this.opener.keyOf(exchange) : ''
    const known = this.#all.findLast((one) => one.hasRoom && one.key === key)
    if (known !== undefined) {
      this.#tally?.reused()
      return known.send(exchange, attempt)
    }
    const made = new Http2Backend(this, exchange)
    this.#all.push(made)
    made.send(exchange, attempt)
  }

  blockOf(exchange: Exchange): Buffer {
    return requestBlock(this.#heads.text(exchange), this.#scheme)
  }

  again(exchange: Exchange, attempt: Attempt): void {
    const tries = (this.#tries.get(exchange) ?? 1) + 1
    if (tries > MOST_TRIES) {
      const why = `${this.name} does not process requests`
      return this.refuse(exchange, attempt, new PorticoError('NO_BACKEND', why))
    }
    this.#tries.set(exchange, tries)
    this.#send(exchange, attempt)
  }

  refuse(exchange: Exchange, attempt: Attempt, error: PorticoError): void {
    if (!(exchange instanceof Repeatable && exchange.begun)) return attempt.refused(error)
    // Another backend could not have the body.
    attempt.done(error)
    exchange.fail(error)
  }

  connected(): void {
    this.#tally?.opened()
  }

  notConnected(): void {
    this.#tally?.failed()
  }

  closed(connection: Http2Backend): void {
    const at = this.#all.indexOf(connection)
    if (at >= 0) this.#all.splice(at, 1)
    if (this.#isClosed && this.#all.length === 0) this.#stopTicks()
  }

  close(): void {
    this.#isClosed = true
    this.#http1.close()
    for (const connection of [...this.#all]) connection.leave()
    if (this.#all.length === 0) this.#stopTicks()
  }
}
