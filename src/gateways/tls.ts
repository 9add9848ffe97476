/**
 * TLS before another gateway. What comes first is read here, before anything is spent on it: the name that
 * is wanted decides the certificate, what is offered by ALPN decides who goes on. Phases of a connection:
 *
 *     HELLO ──complete──▶ WAITING ──its turn──▶ HANDSHAKE ──done──▶ the inner gateway's
 *     HELLO ──no TLS, no such name──▶ LINGER ──deadline──▶ closed
 *
 * Handshakes begin a few in each turn of the loop, since each costs as much as ten requests, and whoever
 * is connected already should not wait behind a crowd that comes.
 */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { secure } from '../listen/secure.ts'
import type { SecureStream } from '../listen/secure-stream.ts'
import { clock, onTick } from '../request/clock.ts'
import type { Peer } from '../request/exchange.ts'
import type { RoutedExchange } from '../request/flow.ts'
import { type Asked, TlsFacts } from '../request/tls-facts.ts'
import type { TlsPlan } from '../site/tls-plan.ts'
import type { Choice, TlsContexts } from '../tls/contexts.ts'
import { type ClientHello, readClientHello } from '../wire/client-hello.ts'
import type { Gateway } from './gateway.ts'
import { SocketPeer } from './peer.ts'

/** RFC 8446 §5.1: the type of the records that a connection begins with. */
const HANDSHAKE = 0x16
/** RFC 8737 §3: what a CA speaks that comes to see a challenge. */
const ACME = 'acme-tls/1'
/** Begun in one turn of the loop. */
const AT_ONCE = 4
/**
 * While others wait for their turn, a handshake has no longer than this, ms: else whoever begins many and ends
 * none would keep everybody out.
 */
const PRESSED_MS = 2_000
/** A connection that was answered in clear text is read for so long, so that no reset eats the answer, ms. */
const LINGER_MS = 2_000

/** Alerts (RFC 8446 §6), sent before there is anything to encrypt them with. */
const Alert = { DECODE: 50, INTERNAL: 80, UNRECOGNIZED_NAME: 112 } as const

export interface TlsGatewayOptions {
  readonly plan: TlsPlan
  readonly contexts: TlsContexts
  /** Who takes connections by what ALPN chose, the dearest first; empty: ALPN is not heard. */
  readonly protocols: ReadonlyMap<string, Gateway>
  /** Who takes the others. */
  readonly otherwise: Gateway
  /** What a CA is shown that comes to see a challenge for a name; null: nobody has asked for one. */
  readonly challenge: (serverName: string) => Promise<Choice | null>
  /** Has a certificate obtained for a name that has none, if it may be; null: that is not done here. */
  readonly demand: ((serverName: string) => Promise<void>) | null
  /** What is said to plain HTTP. */
  readonly plainAnswer: Uint8Array
  readonly counts: TlsCounts
  /** Connections that may be without their handshake. */
  readonly most: number
  /** Told of what is our own fault, once a second at most. */
  readonly complain: (message: string) => void
}

/** What a connection goes on with after its handshake. */
type Next = (stream: SecureStream, peer: Peer) => Connection

/** What is counted of handshakes. */
export interface TlsCounts {
  secured(resumed: boolean): void
  notSecured(): void
}

export class TlsGateway implements Gateway {
  readonly name: string
  readonly #options: TlsGatewayOptions
  readonly #alpn: Uint8Array | null
  readonly #asked: Asked | null
  /** Connections whose handshake is not over. */
  readonly #early = new Set<TlsConnection>()
  /** Complete ClientHellos whose turn has not come. */
  readonly #queue = new Set<TlsConnection>()
  /** Handshakes that have begun. */
  #under = 0
  /** Begun in this turn of the loop. */
  #turn = 0
  #scheduled = false
  #complained = 0
  /** Inner gateways that may have connections while we drain. */
  readonly #inner: readonly Gateway[]
  readonly #busy = new Set<Gateway>()
  #onEmpty: (() => void) | null = null
  readonly #stopTicking: () => void

  constructor(options: TlsGatewayOptions) {
    const { otherwise, protocols, plan } = options
    this.#options = options
    this.#inner = [...new Set([otherwise, ...protocols.values()])]
    this.name = `${this.#inner.map(({ name }) => name).join(' or ')} over TLS`
    this.#alpn = protocols.size === 0 ? null : alpnList([...protocols.keys()])
    this.#asked =
      plan.clients === null
        ? null
        : { required: plan.clients.mode === 'require', depth: plan.clients.depth }
    this.#stopTicking = onTick((now) => {
      const pressed = this.#queue.size > 0
      for (const connection of this.#early) connection.check(now, pressed)
    })
  }

  admit(): boolean {
    return this.#early.size < this.#options.most && this.#inner.every((inner) => inner.admit())
  }

  connect(socket: ByteStream, peer?: Peer): Connection {
    return this.upgrade(socket, peer, null)
  }

  /** STARTTLS: the same for a connection that has spoken already, and that goes on with what `next` returns. */
  upgrade(socket: ByteStream, peer: Peer | undefined, next: Next | null): Connection {
    const deadline = clock.now + this.#options.plan.handshakeMs
    const connection = new TlsConnection(this, socket, peer, deadline, next)
    this.#early.add(connection)
    return connection
  }

  /** Its ClientHello is complete. */
  enqueue(connection: TlsConnection): void {
    this.#queue.add(connection)
    this.#pump()
  }

  #pump(): void {
    const { handshakes } = this.#options.plan
    for (const connection of this.#queue) {
      if (this.#under >= handshakes || this.#turn >= AT_ONCE) break
      this.#queue.delete(connection)
      this.#turn++
      this.#begin(connection)
    }
    if (this.#turn === 0 || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#turn = 0
      this.#pump()
    })
  }

  #begin(connection: TlsConnection): void {
    const { serverName, protocols } = connection.hello!
    if (protocols.length === 1 && protocols[0] === ACME) return this.#beginChallenge(connection)
    const { demand, contexts } = this.#options
    if (demand === null || serverName === '' || contexts.knows(serverName)) {
      return this.#choose(connection)
    }
    demand(serverName)
      .then(() => {
        if (this.#early.has(connection)) this.#choose(connection)
      })
      .catch((error: unknown) => this.#failed(connection, 'TLS', error))
  }

  #choose(connection: TlsConnection): void {
    const { serverName } = connection.hello!
    let choice: Choice | null
    try {
      choice = this.#options.contexts.choose(serverName)
    } catch (error) {
      return this.#failed(connection, 'TLS', error)
    }
    if (choice === null) return this.refuse(connection, Alert.UNRECOGNIZED_NAME)
    this.#secure(connection, choice, this.#alpn)
  }

  #beginChallenge(connection: TlsConnection): void {
    const { serverName } = connection.hello!
    this.#options
      .challenge(serverName)
      .then((choice) => {
        if (!this.#early.has(connection)) return
        if (choice === null) return this.refuse(connection, Alert.UNRECOGNIZED_NAME)
        connection.isChallenge = true
        this.#secure(connection, choice, alpnList([ACME]))
      })
      .catch((error: unknown) => this.#failed(connection, 'challenge', error))
  }

  #failed(connection: TlsConnection, what: string, error: unknown): void {
    this.#complain(
      `no ${what} for ${JSON.stringify(connection.hello!.serverName)}: ${reason(error)}`,
    )
    this.refuse(connection, Alert.INTERNAL)
  }

  #secure(
    connection: TlsConnection,
    { context, ocsp }: Choice,
    protocols: Uint8Array | null,
  ): void {
    const options = {
      context,
      protocols,
      asksCertificate: this.#asked !== null && !connection.isChallenge,
      ocsp,
    }
    connection.underWay = true
    this.#under++
    secure(connection.socket, options, {
      begun: (stream) => connection.begin(stream),
      done: (stream) => this.#done(connection, stream),
      failed: () => this.#options.counts.notSecured(),
    })
  }

  /** The handshake is over: whoever speaks the visitor's protocol goes on. */
  #done(connection: TlsConnection, stream: SecureStream): Connection {
    this.#leave(connection)
    this.#options.counts.secured(stream.resumed)
    if (connection.isChallenge) {
      // RFC 8737 §3: the handshake is all that the CA wants.
      process.nextTick(() => stream.destroySoon())
      return connection.goOn(new Silence())
    }
    const { next } = connection
    if (next !== null) {
      return connection.goOn(next(stream, this.#peer(connection, stream)))
    }
    const gateway = this.#options.protocols.get(stream.alpn) ?? this.#options.otherwise
    if (this.#onEmpty !== null) this.#busy.add(gateway)
    return connection.goOn(gateway.connect(stream, this.#peer(connection, stream)))
  }

  #peer(connection: TlsConnection, stream: SecureStream): Peer {
    return new TlsPeer(connection.socket, connection.peer, this.#facts(connection, stream))
  }

  #facts(connection: TlsConnection, stream: SecureStream): TlsFacts {
    return new TlsFacts(
      {
        protocol: stream.protocol,
        cipher: stream.cipher,
        serverName: connection.hello!.serverName,
        resumed: stream.resumed,
        certificate: this.#asked === null ? null : stream.peerCertificate,
      },
      this.#asked,
    )
  }

  /** What came is no TLS. */
  foreign(connection: TlsConnection, first: number): void {
    this.#options.counts.notSecured()
    // A method of HTTP is what begins with a capital letter.
    if (first < 0x41 || first > 0x5a) return connection.socket.destroy()
    connection.linger(this.#options.plainAnswer, clock.now + LINGER_MS)
  }

  /** What came is no ClientHello that makes sense. */
  garbled(connection: TlsConnection): void {
    this.refuse(connection, Alert.DECODE)
  }

  refuse(connection: TlsConnection, alert: number): void {
    this.#options.counts.notSecured()
    // RFC 8446 §5.1 and §6: a record of one fatal alert, in clear text.
    const record = Uint8Array.of(0x15, 3, 3, 0, 2, 2, alert)
    connection.linger(record, clock.now + LINGER_MS)
  }

  /** The handshake took too long. */
  late(connection: TlsConnection): void {
    this.#options.counts.notSecured()
    connection.destroy()
  }

  /** It is over. */
  forget(connection: TlsConnection): void {
    this.#leave(connection)
    this.#look()
  }

  #leave(connection: TlsConnection): void {
    this.#early.delete(connection)
    this.#queue.delete(connection)
    if (!connection.underWay) return
    connection.underWay = false
    this.#under--
    if (this.#queue.size > 0) this.#pump()
  }

  drain(done: () => void): void {
    this.#onEmpty = done
    for (const inner of this.#inner) this.#busy.add(inner)
    for (const inner of this.#inner) {
      inner.drain(() => {
        this.#busy.delete(inner)
        this.#look()
      })
    }
  }

  eachExchange(visit: (exchange: RoutedExchange) => void): void {
    for (const inner of this.#inner) inner.eachExchange(visit)
  }

  close(): void {
    this.#stopTicking()
    for (const connection of this.#early) connection.destroy()
    for (const inner of this.#inner) inner.close()
  }

  #look(): void {
    if (this.#busy.size === 0 && this.#early.size === 0) this.#onEmpty?.()
  }

  #complain(message: string): void {
    // Whoever connects could fill a disk with it.
    if (this.#complained === clock.second) return
    this.#complained = clock.second
    this.#options.complain(message)
  }
}

/** A connection until TLS is through with it. */
export class TlsConnection implements Connection {
  readonly socket: ByteStream
  /** Who the visitor is, where that is not the socket's own. */
  readonly peer: Peer | undefined
  hello: ClientHello | null = null
  /** A handshake has begun, and is not over. */
  underWay = false
  isChallenge = false
  /** Who goes on where that is not for ALPN to say. */
  readonly next: Next | null
  readonly #gateway: TlsGateway
  /** On `clock.now`. */
  #deadline: number
  /** When the handshake began. */
  #began = 0
  /** What came so far. */
  #held: Buffer | null = null
  #lingers = false
  #secured: ByteStream | null = null
  #inner: Connection | null = null

  constructor(
    gateway: TlsGateway,
    socket: ByteStream,
    peer: Peer | undefined,
    deadline: number,
    next: Next | null,
  ) {
    this.next = next
    this.#gateway = gateway
    this.socket = socket
    this.peer = peer
    this.#deadline = deadline
  }

  read(bytes: Buffer, length: number): boolean {
    if (this.#lingers) return true
    const view = bytes.subarray(0, length)
    const all = this.#held === null ? view : Buffer.concat([this.#held, view])
    try {
      this.hello = readClientHello(all)
    } catch {
      this.#held = null
      if (all[0] === HANDSHAKE) this.#gateway.garbled(this)
      else this.#gateway.foreign(this, all[0]!)
      return true
    }
    this.#held = Buffer.from(all)
    if (this.hello === null) return true
    // Nothing more is read before its turn has come.
    this.#gateway.enqueue(this)
    return false
  }

  /** The handshake begins with what was read; from now on it is this stream that lives. */
  begin(stream: SecureStream): Uint8Array {
    const bytes = this.#held!
    this.#held = null
    this.#secured = stream
    this.#began = clock.now
    return bytes
  }

  goOn(inner: Connection): Connection {
    this.#inner = inner
    return inner
  }

  /** Says something in clear text, then waits for the other side to close. */
  linger(answer: Uint8Array, deadline: number): void {
    this.#lingers = true
    this.#deadline = deadline
    this.socket.write(answer)
    this.socket.end()
    this.socket.resume()
  }

  /** Called at each tick of the clock until the handshake is over; `pressed`: others wait for theirs. */
  check(now: number, pressed: boolean): void {
    const mayLast = pressed && this.underWay ? this.#began + PRESSED_MS : Number.POSITIVE_INFINITY
    if (now < this.#deadline && now < mayLast) return
    if (this.#lingers) this.destroy()
    else this.#gateway.late(this)
  }

  destroy(): void {
    const stream = this.#secured ?? this.socket
    stream.destroy()
  }

  ended(): void {
    if (!this.#lingers) this.socket.destroy()
  }

  closed(): void {
    this.#gateway.forget(this)
    this.#inner?.closed()
  }

  /** Before the handshake nothing waits for this; after it, the inner connection is told itself. */
  drained(): void {}
}

/** Hears nothing more. */
class Silence implements Connection {
  read(): boolean {
    return true
  }

  ended(): void {}
  closed(): void {}
  drained(): void {}
}

/** The visitor behind TLS: whoever is connected, or whom the balancer before us named. */
class TlsPeer implements Peer {
  readonly #told: Peer
  readonly scheme = 'https'
  readonly tls: TlsFacts

  constructor(socket: ByteStream, told: Peer | undefined, tls: TlsFacts) {
    this.#told = told ?? new SocketPeer(socket)
    this.tls = tls
  }

  get address(): string {
    return this.#told.address
  }

  get port(): number {
    return this.#told.port
  }

  get localAddress(): string {
    return this.#told.localAddress
  }

  get localPort(): number {
    return this.#told.localPort
  }
}

/** RFC 7301 §3.1: names with their lengths before them. */
function alpnList(names: readonly string[]): Uint8Array {
  return Buffer.concat(
    names.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`)),
  )
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
