/**
 * One visitor's connection, through its life: who it is for, connecting to a server, then bytes both ways
 * until both sides have said all, or one breaks. A side's end closes only that direction of the other; a
 * reset is passed on.
 */
import type { Trial } from '../balance/breaker.ts'
import type { Ticket } from '../balance/places.ts'
import type { Waiter } from '../balance/queue.ts'
import { PorticoError } from '../errors.ts'
import type { ByteStream } from '../listen/byte-stream.ts'
import { type Dial, type DialedStream, type Dialer, dial } from '../listen/dial.ts'
import { clock, TICK_MS } from '../request/clock.ts'
import type { Peer } from '../request/exchange.ts'
import { readClientHello } from '../wire/client-hello.ts'
import { writeProxyHeader } from '../wire/proxy-protocol-writer.ts'
import type { Server, Servers, StreamPool, Way } from './pool.ts'
import { type Relay, Side } from './side.ts'

/** Why a connection is over. */
export type End =
  /** Both sides have said all. */
  | 'done'
  | 'client-reset'
  | 'server-reset'
  | 'client-idle'
  | 'server-idle'
  /** No server could be reached. */
  | 'unreachable'
  /** It is for nobody: no such server name, or no TLS. */
  | 'unknown'
  /** The visitor left before it had a server. */
  | 'client-left'
  /** Reload or stop: its time to finish is over. */
  | 'stopped'

export interface StreamHost {
  readonly clientIdleMs: number
  readonly serverIdleMs: number
  /** Once one side says no more. */
  readonly halfClosedMs: number
  /** Longest until it is known whom it is for, ms. */
  readonly helloMs: number
  /** Whether the server name decides. */
  readonly named: boolean
  /** '' for a connection without a server name. */
  poolFor(serverName: string): StreamPool | undefined
  /** Bytes that came from visitors, and from servers, since the last time. */
  count(received: number, sent: number): void
  /** Nothing is left of it. */
  over(connection: StreamConnection, end: End): void
  complain(message: string): void
}

/** RFC 8446 §6: fatal; unrecognized_name, decode_error. */
const NO_SUCH_NAME = Buffer.from([21, 3, 1, 0, 2, 2, 112])
const NO_HELLO = Buffer.from([21, 3, 1, 0, 2, 2, 50])

/** For who has TLS already. */
const NOTHING = Buffer.alloc(0)

const NEVER = Number.POSITIVE_INFINITY

export class StreamConnection implements Relay, Dialer, Waiter<Way> {
  /** Where it stands among the others of its gateway. */
  place = 0
  readonly began: number = performance.now()
  readonly peer: Peer
  readonly visitor: Side
  serverName = ''
  protocols: readonly string[] = []
  /** '' while there is none. */
  serverIs = ''
  readonly #host: StreamHost
  #server: Side | null = null
  #pool: StreamPool | null = null
  #servers: Servers | null = null
  /** Counts us until we are over. */
  #target: Server | null = null
  /** It is asked whether it works again; null: it is not. */
  #trial: Trial | null = null
  /** For a place at a server. */
  #ticket: Ticket | null = null
  #dial: Dial | null = null
  /** When that began. */
  #dialed = 0
  /** What came before there was a server. */
  #held: Buffer | null = null
  /** Of the hello, then of the connection that is being made; on the coarse clock, ms. */
  #deadline: number
  #end: End | null = null
  #counted = { received: 0, sent: 0 }
  #isOver = false

  constructor(stream: ByteStream, peer: Peer, host: StreamHost) {
    this.#host = host
    this.peer = peer
    this.visitor = new Side(stream, this)
    this.#deadline = host.named ? clock.now + host.helloMs + TICK_MS : NEVER
  }

  /** Where nothing has to come from the visitor first: looks for a server. */
  begin(): void {
    if (this.visitor.stream.destroyed) return
    const { tls } = this.peer
    const objection = tls?.objection(tls.seen.serverName) ?? null
    if (objection !== null) return this.#turnAway(NOTHING, objection.message)
    if (!this.#host.named) this.#choose('')
  }

  /** Bytes that the visitor has sent, and was sent. */
  get received(): number {
    return this.visitor.said
  }

  get sent(): number {
    return this.#server?.said ?? 0
  }

  // Before there is a server.

  early(bytes: Buffer, length: number): boolean {
    const part = bytes.subarray(0, length)
    this.#held = this.#held === null ? Buffer.from(part) : Buffer.concat([this.#held, part])
    // While a server is looked for, one read waits.
    return this.#servers === null && this.#read(this.#held)
  }

  /** Looks for the server name. True: more has to come. */
  #read(held: Buffer): boolean {
    let hello: ReturnType<typeof readClientHello>
    try {
      hello = readClientHello(held)
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error
      this.#turnAway(NO_HELLO, error.message)
      return false
    }
    if (hello === null) return true
    this.serverName = hello.serverName
    this.protocols = hello.protocols
    this.#choose(hello.serverName)
    return false
  }

  #choose(serverName: string): void {
    const pool = this.#host.poolFor(serverName)
    if (pool === undefined) {
      const who = serverName === '' ? 'a visitor without a server name' : JSON.stringify(serverName)
      return this.#turnAway(NO_SUCH_NAME, `no pool for ${who}`)
    }
    this.#pool = pool
    this.#servers = pool.serversFor(this.peer)
    this.#connect()
  }

  #turnAway(alert: Uint8Array, why: string): void {
    this.#host.complain(`${this.peer.address}: ${why}`)
    this.#end ??= 'unknown'
    this.#deadline = NEVER
    this.visitor.stream.write(alert)
    this.visitor.stream.destroySoon()
  }

  #connect(): void {
    const servers = this.#servers!
    const target = servers.next()
    if (target !== null) return this.#dialTo(target, servers.trial)
    this.#target = null
    this.#deadline = NEVER
    this.#ticket = this.#pool!.wait(this)
    if (this.#ticket === null) this.#unreachable()
  }

  #unreachable(): void {
    this.#pool!.failed()
    this.#end ??= 'unreachable'
    this.visitor.stream.destroy()
  }

  granted(target: Server, trial: Trial | null): void {
    this.#ticket = null
    if (this.#isOver) this.#pool!.release(target, trial)
    else this.#dialTo(target, trial)
  }

  inVain(): void {
    this.#ticket = null
    if (!this.#isOver && !this.visitor.gone) this.#unreachable()
  }

  #dialTo(target: Server, trial: Trial | null): void {
    this.#target = target
    this.#trial = trial
    this.serverIs = target.name
    this.#deadline = clock.now + this.#pool!.connectTimeoutMs + TICK_MS
    this.#dialed = performance.now()
    this.#dial = dial(target.transport.address, this)
  }

  refused(reason: string): void {
    const target = this.#target
    if (target === null || this.#isOver) return
    this.#dial = null
    target.transport.tally.failed()
    this.#host.complain(`${target.name}: ${reason}`)
    this.#pool!.notReached(target, this.#trial)
    this.#servers!.setAside(target)
    this.#connect()
  }

  connected(stream: DialedStream): void {
    this.#dial = null
    this.#deadline = NEVER
    this.#target!.transport.tally.opened()
    this.#pool!.reached(this.#target!, this.#trial, performance.now() - this.#dialed)
    const { visitor } = this
    const server = new Side(stream, this)
    this.#server = server
    // Both in one packet where they fit.
    stream.cork()
    const version = this.#pool!.proxyProtocol
    if (version !== undefined) stream.write(writeProxyHeader(version, this.#whoItIs()))
    if (this.#held !== null) stream.write(this.#held)
    stream.uncork()
    this.#held = null
    server.other = visitor
    visitor.other = server
    stream.start(server)
    if (visitor.silent) stream.end()
    else if (stream.writableLength === 0) visitor.stream.resume()
    else server.behind = true
  }

  #whoItIs(): Parameters<typeof writeProxyHeader>[1] {
    const { address, port, localAddress, localPort, scheme } = this.peer
    return address === ''
      ? null
      : { address, port, localAddress, localPort, tls: scheme === 'https' }
  }

  // Ends.

  ended(side: Side): void {
    if (side.other !== null) return side.other.stream.end()
    // Half a hello will never be whole. Else a server may have something to say to who is silent.
    if (this.#servers === null) this.visitor.stream.destroy()
  }

  closed(side: Side): void {
    const other = side === this.visitor ? this.#server : this.visitor
    const { trouble } = side.stream
    if (trouble !== '' || !side.silent) {
      this.#end ??= side === this.visitor ? 'client-reset' : 'server-reset'
      other?.breaks(side)
    }
    if (side === this.visitor && this.#server === null) {
      this.#dial?.cancel()
      this.#end = this.#end === null || this.#end === 'client-reset' ? 'client-left' : this.#end
      return this.#over()
    }
    if (other === null || other.gone) this.#over()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#ticket?.leave()
    if (this.#target !== null) this.#pool!.release(this.#target, this.#trial)
    this.#target = null
    this.#held = null
    this.#tally()
    this.#host.over(this, this.#end ?? 'done')
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    this.#tally()
    if (now > this.#deadline) return this.#late()
    const { visitor } = this
    const server = this.#server
    if (server === null) return
    const { clientIdleMs, serverIdleMs, halfClosedMs } = this.#host
    // Who waits for the other side is not idle.
    if (now - visitor.moved > clientIdleMs && !server.behind) this.#cut('client-idle')
    else if (now - server.moved > serverIdleMs && !visitor.behind) this.#cut('server-idle')
    else if (now - Math.max(visitor.moved, server.moved) > halfClosedMs) {
      if (visitor.silent) this.#cut('server-idle')
      else if (server.silent) this.#cut('client-idle')
    }
  }

  #late(): void {
    if (this.#servers === null) return this.#turnAway(NO_HELLO, 'no hello in time')
    this.#dial?.cancel()
    this.refused('ETIMEDOUT')
  }

  #cut(end: End): void {
    this.#end ??= end
    this.visitor.stream.destroy()
    this.#server?.stream.destroy()
  }

  /** Reload or stop: it has had its time. */
  stop(): void {
    this.#cut('stopped')
  }

  #tally(): void {
    const { received, sent } = this
    const counted = this.#counted
    if (received === counted.received && sent === counted.sent) return
    this.#host.count(received - counted.received, sent - counted.sent)
    counted.received = received
    counted.sent = sent
  }
}
