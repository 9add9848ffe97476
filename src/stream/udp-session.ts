/**
 * What one visitor (an address and a port) and one server say to each other in datagrams. It has no
 * beginning and end but those that we give it: the first datagram, and silence, or as many answers as
 * there are to be.
 */
import { createSocket, type Socket } from 'node:dgram'
import { isIP } from 'node:net'
import type { Trial } from '../balance/breaker.ts'
import { clock, TICK_MS } from '../request/clock.ts'
import type { Peer } from '../request/exchange.ts'
import type { Server, Servers, StreamPool } from './pool.ts'

export type SessionEnd =
  /** All answers have come. */
  | 'done'
  | 'idle'
  | 'unreachable'
  /** Another visitor needed its place. */
  | 'displaced'
  | 'stopped'

export interface SessionHost {
  readonly idleMs: number
  /** To each datagram; -1: not known. */
  readonly responses: number
  /** Datagrams of the visitor after which it ends; 0: no bound. */
  readonly requests: number
  /** An answer for the visitor. */
  answer(session: UdpSession, bytes: Uint8Array): void
  over(session: UdpSession, end: SessionEnd): void
  complain(message: string): void
}

/** What waits for a server at most, of one visitor, bytes: the largest datagram there is. */
const MOST_WAITING = 65_536

export class UdpSession {
  readonly began: number = performance.now()
  readonly peer: Peer
  /** As the socket names the visitor. */
  readonly address: string
  received = 0
  sent = 0
  /** Datagrams of the visitor. */
  asked = 0
  /** The last datagram, either way, on the coarse clock, ms. */
  moved: number = clock.now
  serverIs = ''
  readonly #host: SessionHost
  readonly #pool: StreamPool
  readonly #servers: Servers
  #target: Server | null = null
  /** It is asked whether it works again; null: it is not. */
  #trial: Trial | null = null
  /** When it was first asked. */
  #began = 0
  #socket: Socket | null = null
  #connected = false
  #answered = 0
  /** Not sent yet, or sent and not answered: another server may be asked in place of one that is gone. */
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  /** When the server that is asked is given up, on the coarse clock, ms. */
  #deadline = Number.POSITIVE_INFINITY
  #isOver = false

  constructor(peer: Peer, address: string, pool: StreamPool, host: SessionHost) {
    this.peer = peer
    this.address = address
    this.#host = host
    this.#pool = pool
    this.#servers = pool.serversFor(peer)
  }

  /** The visitor's next datagram belongs to another session. */
  get full(): boolean {
    const { requests } = this.#host
    return requests > 0 && this.asked >= requests
  }

  /** A datagram of the visitor's. */
  ask(bytes: Uint8Array): void {
    this.asked++
    this.received += bytes.length
    this.moved = clock.now
    if (this.#target === null && this.asked === 1) this.#next()
    if (this.#isOver) return
    const unanswered = this.#answered === 0 && this.#waitingBytes + bytes.length <= MOST_WAITING
    if (unanswered) {
      this.#waiting.push(bytes)
      this.#waitingBytes += bytes.length
    }
    if (this.#connected) this.#send(bytes)
    if (this.#host.responses > 0 && this.#deadline === Number.POSITIVE_INFINITY) this.#await()
  }

  #await(): void {
    this.#deadline = clock.now + this.#pool.connectTimeoutMs + TICK_MS
  }

  /** Asks the next server. */
  #next(): void {
    const target = this.#servers.next()
    this.#target = target
    if (target === null) {
      this.#pool.failed()
      return this.end('unreachable')
    }
    this.#trial = this.#servers.trial
    this.#began = performance.now()
    this.serverIs = target.name
    const { address } = target.transport
    if (address.kind === 'unix') return this.#refused('not an address for datagrams')
    const { host, port } = address
    const family = isIP(host.split('%')[0] ?? '')
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    this.#socket = socket
    const current = (): boolean => this.#socket === socket && !this.#isOver
    socket.on('message', (bytes) => {
      if (current()) this.#answer(bytes)
    })
    // ICMP: nobody listens there, or there is no way.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (current()) this.#refused(error.code ?? error.message)
    })
    socket.on('connect', () => {
      if (!current()) return
      this.#connected = true
      for (const bytes of this.#waiting) this.#send(bytes)
    })
    socket.connect(port, host)
  }

  #send(bytes: Uint8Array): void {
    const socket = this.#socket!
    socket.send(bytes, (error) => {
      if (error === null || this.#socket !== socket || this.#isOver) return this.#look()
      const code = 'code' in error ? String(error.code) : error.message
      if (code === 'EMSGSIZE')
        this.#host.complain(`${this.serverIs}: a datagram is too large: ${bytes.length} bytes`)
      else this.#refused(code)
    })
  }

  #answer(bytes: Uint8Array): void {
    if (this.#answered++ === 0) this.#reached()
    this.sent += bytes.length
    this.moved = clock.now
    this.#forget()
    this.#deadline = Number.POSITIVE_INFINITY
    this.#host.answer(this, bytes)
    this.#look()
    if (!this.#isOver && this.#host.responses > 0 && this.#awaits) this.#await()
  }

  #reached(): void {
    if (this.#answered > 0) this.#target!.transport.tally.opened()
    this.#pool.reached(this.#target!, this.#trial, performance.now() - this.#began)
  }

  get #awaits(): boolean {
    return this.#answered < this.asked * this.#host.responses
  }

  /** Ends when there is nothing to wait for. */
  #look(): void {
    if (this.#isOver || this.#host.responses < 0 || this.#awaits) return
    // Who is to answer nothing has done well by not refusing.
    if (this.#answered === 0) this.#reached()
    this.end('done')
  }

  #forget(): void {
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #refused(reason: string): void {
    const target = this.#target
    if (target === null || this.#isOver) return
    if (this.#answered === 0) target.transport.tally.failed()
    this.#closeSocket()
    this.#host.complain(`${target.name}: ${reason}`)
    this.#pool.notReached(target, this.#trial)
    this.#servers.setAside(target)
    this.#target = null
    if (this.#host.responses > 0) this.#await()
    this.#next()
  }

  #closeSocket(): void {
    const socket = this.#socket
    this.#socket = null
    this.#connected = false
    if (socket === null) return
    try {
      socket.close()
    } catch {
      // One that is still being bound closes when it is.
      socket.once('listening', () => socket.close())
    }
  }

  /** Called at each tick of the clock. */
  check(now: number, idleMs: number): void {
    if (now > this.#deadline && this.#answered === 0) this.#refused('no answer')
    else if (now - this.moved > idleMs) this.end('idle')
  }

  end(end: SessionEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#closeSocket()
    if (this.#target !== null) {
      // Who says nothing has not refused.
      if (this.#answered === 0) this.#target.transport.tally.opened()
      this.#pool.release(this.#target, this.#trial)
    }
    this.#target = null
    this.#forget()
    this.#host.over(this, end)
  }
}
