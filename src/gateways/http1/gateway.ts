/**
 * Visitors over HTTP/1.1: makes connections of sockets and hands their requests to the flow. Those that
 * begin as HTTP/2 does are handed on.
 */
import type { ByteStream } from '../../listen/byte-stream.ts'
import type { Peer } from '../../request/exchange.ts'
import type { RoutedExchange } from '../../request/flow.ts'
import { Connections } from '../connections.ts'
import type { GatewayOptions } from '../gateway.ts'
import type { Http2Gateway } from '../http2/gateway.ts'
import { Http1Connection } from './connection.ts'

const TUNNEL_IDLE_MS = 3_600_000

export interface Http1Options extends GatewayOptions {
  /** A tunnel without a byte in either direction is closed after this, ms; an hour where it is not given. */
  readonly tunnelMs?: number
  /** For connections that begin as HTTP/2; loaded when the first one comes. Absent: there are none. */
  readonly loadHttp2?: () => Promise<Http2Gateway>
}

export class Http1Gateway extends Connections<Http1Connection> {
  /** A tunnel without a byte in either direction is closed after this, ms. */
  readonly tunnelMs: number
  readonly speaksHttp2: boolean
  readonly #loadHttp2: (() => Promise<Http2Gateway>) | null
  #loading: Promise<Http2Gateway> | null = null
  #http2: Http2Gateway | null = null
  #onDrained: (() => void) | null = null
  #closed = false

  constructor(options: Http1Options) {
    super('http1', options)
    this.tunnelMs = options.tunnelMs ?? TUNNEL_IDLE_MS
    this.#loadHttp2 = options.loadHttp2 ?? null
    this.speaksHttp2 = this.#loadHttp2 !== null
  }

  protected make(socket: ByteStream, peer: Peer | undefined): Http1Connection {
    return new Http1Connection(this, socket, peer)
  }

  /** The connection has turned out to be HTTP/2. */
  switchToHttp2(connection: Http1Connection, peer: Peer | undefined): void {
    this.#loading ??= this.#loadHttp2!().then((http2) => this.#loaded(http2))
    this.#loading.then(
      (http2) => {
        if (connection.socket.destroyed) return
        const successor = http2.adopt(connection.socket, peer)
        this.release(connection)
        connection.succeed(successor)
      },
      () => connection.socket.destroy(),
    )
  }

  #loaded(http2: Http2Gateway): Http2Gateway {
    this.#http2 = http2
    if (this.draining) http2.drain(() => this.#look())
    if (this.#closed) http2.close()
    return http2
  }

  override admit(): boolean {
    return this.size + (this.#http2?.size ?? 0) < this.limits.connections
  }

  override drain(done: () => void): void {
    this.#onDrained = done
    super.drain(() => this.#look())
    this.#http2?.drain(() => this.#look())
  }

  /** A connection that goes on as HTTP/2 is still one. */
  #look(): void {
    if (this.size > 0 || (this.#http2?.size ?? 0) > 0) return
    const done = this.#onDrained
    this.#onDrained = null
    done?.()
  }

  override eachExchange(visit: (exchange: RoutedExchange) => void): void {
    super.eachExchange(visit)
    this.#http2?.eachExchange(visit)
  }

  override close(): void {
    this.#closed = true
    super.close()
    this.#http2?.close()
  }
}
