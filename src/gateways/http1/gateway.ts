/** Visitors over HTTP/1.1: makes connections of sockets and hands their requests to the flow. */
import type { ByteStream } from '../../listen/byte-stream.ts'
import type { Peer } from '../../request/exchange.ts'
import { Connections } from '../connections.ts'
import type { GatewayOptions } from '../gateway.ts'
import { Http1Connection } from './connection.ts'

const TUNNEL_IDLE_MS = 3_600_000

export interface Http1Options extends GatewayOptions {
  /** A tunnel without a byte in either direction is closed after this, ms; an hour where it is not given. */
  readonly tunnelMs?: number
}

export class Http1Gateway extends Connections<Http1Connection> {
  /** A tunnel without a byte in either direction is closed after this, ms. */
  readonly tunnelMs: number

  constructor(options: Http1Options) {
    super('http1', options)
    this.tunnelMs = options.tunnelMs ?? TUNNEL_IDLE_MS
  }

  protected make(socket: ByteStream, peer: Peer | undefined): Http1Connection {
    return new Http1Connection(this, socket, peer)
  }
}
