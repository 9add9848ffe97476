/** How connections to one backend are opened, and which of its connections an exchange may go over. */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { PorticoError } from '../../errors.ts'
import type { Connection } from '../../listen/byte-stream.ts'
import { type Dial, type DialedStream, dial } from '../../listen/dial.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { Address, TargetPlan } from '../../site/plan.ts'
import { type ProxyVersion, writeProxyHeader } from '../../wire/proxy-protocol-writer.ts'

/** Reads come into `buffer`; `callback` returns false to read no more until the socket is resumed. */
export interface OnRead {
  readonly buffer: Buffer
  callback(length: number): boolean
}

/** Who has a connection opened, and is what it belongs to. It is told the one or the other, once. */
export interface OpenerUser extends Connection {
  /** A request may be sent. Nothing is read before `start`. */
  connected(stream: DialedStream): void
  refused(error: PorticoError): void
}

/** What is known of an error. */
export interface Trouble {
  readonly code?: string | undefined
  readonly message: string
}

export interface Opener {
  /** Connections differ: each is only for exchanges with its own key. */
  readonly keyed: boolean
  keyOf(exchange: Exchange): string
  /** A new connection, for the key of `exchange`. `user` hears of it only when this has returned. */
  dial(exchange: Exchange, user: OpenerUser): Dial
  /**
   * The same on a socket: `ready` is called when a request may be sent. It can be half open, and fails with
   * errors that `explain` knows.
   */
  open(exchange: Exchange, onread: OnRead, ready: () => void): Socket
  /** Why it could not be opened. */
  explain(error: Trouble | null): PorticoError
}

export class PlainOpener implements Opener {
  readonly keyed: boolean
  readonly #name: string
  readonly #address: Address
  readonly #proxyProtocol: ProxyVersion | null

  constructor(target: Pick<TargetPlan, 'name' | 'address'>, proxyProtocol: ProxyVersion | null) {
    this.#name = target.name
    this.#address = target.address
    this.#proxyProtocol = proxyProtocol
    this.keyed = proxyProtocol !== null
  }

  keyOf(exchange: Exchange): string {
    return this.#proxyProtocol === null ? '' : headerFor(exchange, this.#proxyProtocol)
  }

  dial(exchange: Exchange, user: OpenerUser): Dial {
    const header = this.keyOf(exchange)
    return dial(this.#address, {
      connected: (stream) => {
        if (header !== '') stream.writeText(header)
        user.connected(stream)
      },
      refused: (code) => user.refused(this.explain({ code, message: code })),
    })
  }

  open(exchange: Exchange, onread: OnRead, ready: () => void): Socket {
    const socket = connect({ ...connectTo(this.#address), onread })
    if (this.#proxyProtocol !== null) socket.write(this.keyOf(exchange), 'latin1')
    socket.once('connect', ready)
    return socket
  }

  explain(error: Trouble | null): PorticoError {
    return error instanceof PorticoError ? error : notReached(this.#name, error)
  }
}

/** What all connections have. */
export function connectTo(address: Address): NetConnectOpts & { readonly noDelay: true } {
  const where =
    address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
  return { ...where, noDelay: true, allowHalfOpen: true }
}

/** The PROXY header for the visitor of an exchange, one latin-1 character for each byte. */
export function headerFor({ peer }: Exchange, version: ProxyVersion): string {
  const { address, port, localAddress, localPort, scheme } = peer
  const tls = scheme === 'https'
  const visitor = { address, port, localAddress, localPort, tls }
  return writeProxyHeader(version, address === '' ? null : visitor).toString('latin1')
}

export function notReached(name: string, error: Trouble | null): PorticoError {
  const why = error?.code ?? error?.message ?? ''
  const code = why === 'ETIMEDOUT' ? 'BACKEND_UNREACHABLE' : 'BACKEND_REFUSED'
  return new PorticoError(code, `${name} ${why}`)
}
