/** The datagrams of one udp listener in one server thread: its socket, and the sessions of its visitors. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Gateway } from '../gateways/gateway.ts'
import type { Connection } from '../listen/byte-stream.ts'
import { onTick, TICK_MS } from '../request/clock.ts'
import type { Counters } from '../request/counters.ts'
import type { Peer } from '../request/exchange.ts'
import type { StreamPlan } from '../site/stream-plan.ts'
import { Complaints } from './complaints.ts'
import type { StreamCounts } from './counts.ts'
import type { ConnectionLine } from './log-line.ts'
import type { StreamPool } from './pool.ts'
import { type SessionEnd, type SessionHost, UdpSession } from './udp-session.ts'

/** While draining, a visitor's datagrams come to the next generation; here only answers are awaited, ms. */
const DRAIN_IDLE_MS = 2_000
/** Answers that the kernel has not taken; beyond it they are dropped, as everywhere on their way, bytes. */
const MOST_QUEUED = 4_194_304

export interface UdpGatewayOptions {
  readonly listener: string
  readonly plan: StreamPlan
  readonly pool: StreamPool
  readonly counts: StreamCounts
  readonly counters: Counters
  /** Sessions, in this thread. */
  readonly most: number
  readonly log: ((line: ConnectionLine) => void) | null
  readonly complain: (message: string) => void
}

/** Of a socket that all threads, or generations, may have inherited. */
export interface Receiving {
  readonly fd: number
  readonly family: 'udp4' | 'udp6'
  readonly ready: () => void
  readonly failed: (error: Error) => void
}

export class UdpGateway implements Gateway, SessionHost {
  readonly name = 'udp'
  readonly idleMs: number
  readonly responses: number
  readonly requests: number
  readonly #options: UdpGatewayOptions
  readonly #complaints: Complaints
  /** By address and port; whoever was silent longest is first. */
  readonly #sessions = new Map<string, UdpSession>()
  /** Those whose visitor has begun another one, and that wait for answers. */
  readonly #former = new Set<UdpSession>()
  readonly #sockets: Socket[] = []
  /** Whom the answers of a session leave by. */
  readonly #ways = new WeakMap<UdpSession, Socket>()
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(options: UdpGatewayOptions) {
    const { plan, listener, complain } = options
    this.#options = options
    // The clock may be a tick behind, and late is better than early.
    this.idleMs = plan.clientIdleMs + TICK_MS
    this.responses = plan.responses
    this.requests = plan.requests
    this.#complaints = new Complaints((message) => complain(`listen ${listener}: ${message}`))
    this.#stopTicking = onTick((now) => {
      this.#check(now)
      this.#complaints.tick()
    })
  }

  receive({ fd, family, ready, failed }: Receiving): void {
    const socket = createSocket(family)
    let isReady = false
    socket.on('error', (error) => {
      if (isReady) this.#complaints.say(error.message)
      else failed(error)
    })
    socket.on('listening', () => {
      isReady = true
      ready()
    })
    socket.on('message', (bytes, from) => this.#receive(socket, bytes, from))
    socket.bind({ fd })
    this.#sockets.push(socket)
  }

  #receive(socket: Socket, bytes: Buffer, from: RemoteInfo): void {
    const { counts, counters, plan, most } = this.#options
    const name = `${from.port} ${from.address}`
    let session = this.#sessions.get(name)
    this.#sessions.delete(name)
    if (session?.full === true) {
      this.#former.add(session)
      session = undefined
    }
    if (session === undefined) {
      if (this.#size >= most) this.#displace()
      if (!counts.open(plan.maxConnections)) return
      counters.opened()
      session = new UdpSession(peerOf(socket, from), from.address, this.#options.pool, this)
      this.#ways.set(session, socket)
    }
    counts.received(bytes.length)
    counters.received(bytes.length)
    this.#sessions.set(name, session)
    session.ask(bytes)
  }

  get #size(): number {
    return this.#sessions.size + this.#former.size
  }

  /** Whoever was silent longest makes room: a flood of forged addresses does not end who is talking. */
  #displace(): void {
    for (const session of this.#former) return session.end('displaced')
    for (const session of this.#sessions.values()) return session.end('displaced')
  }

  answer(session: UdpSession, bytes: Uint8Array): void {
    // RFC 768: it has no port that an answer could come to.
    if (session.peer.port === 0) return
    const { counts, counters } = this.#options
    counts.sent(bytes.length)
    counters.sent(bytes.length)
    const socket = this.#ways.get(session)!
    if (socket.getSendQueueSize() > MOST_QUEUED) return
    socket.send(bytes, session.peer.port, session.address, (error) => {
      if (error !== null) this.#complaints.say(`${session.peer.address}: ${error.message}`)
    })
  }

  over(session: UdpSession, end: SessionEnd): void {
    const { counts, counters, log, listener } = this.#options
    const name = `${session.peer.port} ${session.address}`
    if (this.#sessions.get(name) === session) this.#sessions.delete(name)
    this.#former.delete(session)
    counts.closed()
    counters.closed()
    if (end === 'unreachable') counts.failed()
    const { peer, serverIs, received, sent, began } = session
    log?.({
      protocol: 'udp',
      listener,
      address: peer.address,
      server: serverIs,
      received,
      sent,
      ms: performance.now() - began,
      end,
    })
    this.#look()
  }

  complain(message: string): void {
    this.#complaints.say(message)
  }

  #check(now: number): void {
    const idleMs = this.#onEmpty === null ? this.idleMs : Math.min(this.idleMs, DRAIN_IDLE_MS)
    for (const session of [...this.#sessions.values(), ...this.#former]) session.check(now, idleMs)
  }

  #look(): void {
    if (this.#size === 0) this.#onEmpty?.()
  }

  // As a gateway: it takes no connections.

  admit(): boolean {
    return false
  }

  connect(): Connection {
    throw new Error('datagrams come over no connection')
  }

  eachExchange(): void {}

  drain(done: () => void): void {
    for (const socket of this.#sockets) stopReceiving(socket)
    this.#onEmpty = done
    this.#look()
  }

  close(): void {
    this.#stopTicking()
    this.#onEmpty = null
    for (const session of [...this.#sessions.values(), ...this.#former]) session.end('stopped')
    for (const socket of this.#sockets) socket.close()
  }
}

/**
 * What comes from now on is the next generation's, which has the same socket; answers still leave by this
 * one. Node has no word for it: its handle does.
 */
function stopReceiving(socket: Socket): void {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    const state: unknown = Reflect.get(socket, symbol)
    if (typeof state !== 'object' || state === null) continue
    const handle: unknown = Reflect.get(state, 'handle')
    if (typeof handle !== 'object' || handle === null) continue
    const stop: unknown = Reflect.get(handle, 'recvStop')
    if (typeof stop === 'function') stop.call(handle)
  }
}

function peerOf(socket: Socket, { address, port }: RemoteInfo): Peer {
  const own = socket.address()
  return {
    address: plain(address),
    port,
    localAddress: plain(own.address),
    localPort: own.port,
    scheme: 'http',
  }
}

/** IPv4 visitors of a dual-stack socket are IPv4. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
