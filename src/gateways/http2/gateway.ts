/** Visitors over HTTP/2: by ALPN over TLS, and by prior knowledge (RFC 9113 §3.3) on plain connections. */
import type { ByteStream, Connection } from '../../listen/byte-stream.ts'
import { clock } from '../../request/clock.ts'
import type { Peer } from '../../request/exchange.ts'
import type { RoutedExchange } from '../../request/flow.ts'
import { type Http2Plan, USUAL_HTTP2 } from '../../site/http2-plan.ts'
import { encodeSettings, Setting } from '../../wire/http2.ts'
import { Connections } from '../connections.ts'
import type { GatewayOptions } from '../gateway.ts'
import { Http2Connection } from './connection.ts'

const TUNNEL_IDLE_MS = 3_600_000

export interface Http2Options extends GatewayOptions {
  /** A tunnel without a byte in either direction is closed after this, ms; an hour where it is not given. */
  readonly tunnelMs?: number
}

export class Http2Gateway extends Connections<Http2Connection> {
  readonly http2: Http2Plan
  readonly tunnelMs: number
  /** Our settings, as a frame. */
  readonly greeting: Buffer
  /** Counts what is written. */
  readonly countSent: (bytes: number) => void
  #reported = 0

  constructor(options: Http2Options) {
    super('http2', options)
    this.http2 = options.http2 ?? USUAL_HTTP2
    this.tunnelMs = options.tunnelMs ?? TUNNEL_IDLE_MS
    this.greeting = encodeSettings([
      [Setting.MAX_CONCURRENT_STREAMS, this.http2.streams],
      [Setting.MAX_HEADER_LIST_SIZE, options.limits.head],
      [Setting.ENABLE_CONNECT_PROTOCOL, 1],
      [Setting.NO_RFC7540_PRIORITIES, 1],
    ])
    this.countSent = (bytes) => this.counters.sent(bytes)
  }

  protected make(socket: ByteStream, peer: Peer | undefined): Http2Connection {
    return new Http2Connection(this, socket, peer)
  }

  override adopt(socket: ByteStream, peer?: Peer): Connection {
    this.counters.http2Opened()
    return super.adopt(socket, peer)
  }

  override forget(connection: Http2Connection): void {
    this.counters.http2Closed()
    super.forget(connection)
  }

  /** A fault of ours is for stderr with its trace; one a second, or visitors could fill a disk. */
  report(error: unknown): void {
    if (this.#reported === clock.second) return
    this.#reported = clock.second
    console.error(`HTTP/2: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
  }

  override eachExchange(visit: (exchange: RoutedExchange) => void): void {
    this.each((connection) => connection.eachExchange(visit))
  }
}
