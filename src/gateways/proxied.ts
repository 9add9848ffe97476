/** Takes the PROXY protocol header off connections, then lets another gateway go on with them. */
import { PorticoError } from '../errors.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { clock, onTick } from '../request/clock.ts'
import type { Peer } from '../request/exchange.ts'
import type { RoutedExchange } from '../request/flow.ts'
import { type Proxied, readProxyHeader } from '../wire/proxy-protocol.ts'
import type { Gateway } from './gateway.ts'

export interface ProxiedOptions {
  /** Longest a header may take, ms. */
  readonly headMs: number
  /** Connections that may wait for their header. */
  readonly most: number
  /** Told of a connection without a header, once a second at most. */
  readonly complain: (error: PorticoError, address: string) => void
}

/** `inner` gets no other connections than those of this gateway. */
export class ProxiedGateway implements Gateway {
  readonly name: string
  readonly #inner: Gateway
  readonly #options: ProxiedOptions
  /** Connections without their header yet. */
  readonly #waiting = new Set<ProxiedConnection>()
  readonly #stopTicking: () => void
  #complained = 0
  #innerEmpty = false
  #onEmpty: (() => void) | null = null

  constructor(inner: Gateway, options: ProxiedOptions) {
    this.name = `${inner.name} behind PROXY`
    this.#inner = inner
    this.#options = options
    this.#stopTicking = onTick((now) => {
      for (const connection of this.#waiting) connection.check(now)
    })
  }

  admit(): boolean {
    return this.#waiting.size < this.#options.most && this.#inner.admit()
  }

  connect(socket: ByteStream): Connection {
    const connection = new ProxiedConnection(socket, this, clock.now + this.#options.headMs)
    this.#waiting.add(connection)
    return connection
  }

  /** The header has come: `visitor` is null where the balancer speaks for itself. */
  handOver(connection: ProxiedConnection, visitor: Proxied | null): Connection {
    this.#innerEmpty = false
    const { socket } = connection
    const inner =
      visitor === null
        ? this.#inner.connect(socket)
        : this.#inner.connect(socket, new ProxiedPeer(visitor))
    this.#waiting.delete(connection)
    return inner
  }

  /** It is over before its header came. */
  forget(connection: ProxiedConnection): void {
    if (this.#waiting.delete(connection)) this.#look()
  }

  /** What does not speak the protocol gets no answer: it may speak anything. */
  refuse(connection: ProxiedConnection, error: PorticoError): void {
    // Whoever connects could fill a disk with it.
    if (this.#complained !== clock.second) {
      this.#complained = clock.second
      this.#options.complain(error, connection.socket.remoteAddress ?? '')
    }
    connection.socket.destroy()
  }

  drain(done: () => void): void {
    this.#onEmpty = done
    this.#inner.drain(() => {
      this.#innerEmpty = true
      this.#look()
    })
  }

  eachExchange(visit: (exchange: RoutedExchange) => void): void {
    this.#inner.eachExchange(visit)
  }

  close(): void {
    this.#stopTicking()
    for (const { socket } of this.#waiting) socket.destroy()
    this.#inner.close()
  }

  #look(): void {
    if (this.#innerEmpty && this.#waiting.size === 0) this.#onEmpty?.()
  }
}

class ProxiedConnection implements Connection {
  readonly socket: ByteStream
  readonly #gateway: ProxiedGateway
  /** On `clock.now`. */
  readonly #deadline: number
  /** What came of the header so far. */
  #held: Buffer | null = null
  #inner: Connection | null = null

  constructor(socket: ByteStream, gateway: ProxiedGateway, deadline: number) {
    this.socket = socket
    this.#gateway = gateway
    this.#deadline = deadline
  }

  read(bytes: Buffer, length: number): boolean {
    if (this.#inner !== null) return this.#inner.read(bytes, length)
    const view = bytes.subarray(0, length)
    const all = this.#held === null ? view : Buffer.concat([this.#held, view])
    let header: ReturnType<typeof readProxyHeader>
    try {
      header = readProxyHeader(all)
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error
      this.#gateway.refuse(this, error)
      return false
    }
    if (header === null) {
      this.#held = Buffer.from(all)
      return true
    }
    this.#held = null
    this.#inner = this.#gateway.handOver(this, header.visitor)
    const rest = all.subarray(header.length)
    return rest.length === 0 || this.#inner.read(rest, rest.length)
  }

  ended(): void {
    if (this.#inner === null) this.socket.destroy()
    else this.#inner.ended()
  }

  closed(): void {
    this.#gateway.forget(this)
    this.#inner?.closed()
  }

  drained(): void {
    this.#inner?.drained()
  }

  /** Called at each tick of the clock while it waits for its header. */
  check(now: number): void {
    if (now > this.#deadline)
      this.#gateway.refuse(this, new PorticoError('SLOW_REQUEST', 'PROXY header'))
  }
}

/** The visitor whom the balancer named. */
class ProxiedPeer implements Peer {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
  readonly scheme: 'http' | 'https'

  constructor({ address, port, localAddress, localPort, tls }: Proxied) {
    this.address = address
    this.port = port
    this.localAddress = localAddress
    this.localPort = localPort
    this.scheme = tls ? 'https' : 'http'
  }
}
