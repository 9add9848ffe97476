/** Web servers in front of us: makes connections of sockets and hands their requests to the flow. */
import type { ByteStream } from '../../listen/byte-stream.ts'
import type { Peer } from '../../request/exchange.ts'
import { Connections } from '../connections.ts'
import type { GatewayOptions } from '../gateway.ts'
import type { FrontConnection } from './connection.ts'

/** How a protocol makes a connection of a socket. */
export type Connect = (
  gateway: FrontGateway,
  socket: ByteStream,
  peer: Peer | undefined,
) => FrontConnection

export class FrontGateway extends Connections<FrontConnection> {
  readonly #connect: Connect

  constructor(name: string, options: GatewayOptions, connect: Connect) {
    super(name, options)
    this.#connect = connect
  }

  protected make(socket: ByteStream, peer: Peer | undefined): FrontConnection {
    return this.#connect(this, socket, peer)
  }
}
