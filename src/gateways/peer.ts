/** Who is on the other end, asked of the kernel only when somebody wants to know. */
import type { ByteStream } from '../listen/byte-stream.ts'
import type { Peer } from '../request/exchange.ts'

export class SocketPeer implements Peer {
  readonly #socket: ByteStream
  readonly scheme: 'http' | 'https' = 'http'
  encoded: object | null = null
  #address: string | null = null
  #localAddress: string | null = null

  constructor(socket: ByteStream) {
    this.#socket = socket
    // After the visitor has left the kernel no longer knows; the log still asks.
    this.#address = plain(socket.remoteAddress)
  }

  /** IPv4 visitors of a dual-stack socket are IPv4. Unix sockets have no address: ''. */
  get address(): string {
    return this.#address ?? ''
  }

  get port(): number {
    return this.#socket.remotePort ?? 0
  }

  get localAddress(): string {
    this.#localAddress ??= plain(this.#socket.localAddress)
    return this.#localAddress
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0
  }
}

function plain(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
