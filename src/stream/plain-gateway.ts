/** What listeners without HTTP have in common: their connections in one server thread, counted and logged. */
import type { Gateway } from '../gateways/gateway.ts'
import { SocketPeer } from '../gateways/peer.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { onTick } from '../request/clock.ts'
import type { Counters } from '../request/counters.ts'
import type { Peer } from '../request/exchange.ts'
import { Complaints } from './complaints.ts'
import type { StreamCounts } from './counts.ts'
import type { ConnectionLine } from './log-line.ts'
import { NOBODY } from './nobody.ts'
import { type Placed, Places } from './places.ts'

export interface PlainGatewayOptions {
  /** As the owner wrote it. */
  readonly listener: string
  readonly protocol: ConnectionLine['protocol']
  readonly plan: { readonly maxConnections: number }
  readonly counts: StreamCounts
  readonly counters: Counters
  /** Of the listener, in this thread. */
  readonly most: number
  /** Null: nothing is logged. */
  readonly log: ((line: ConnectionLine) => void) | null
  readonly complain: (message: string) => void
}

/** A connection of such a listener. */
export interface PlainConnection extends Placed {
  readonly peer: Peer
  /** '' for none. */
  readonly serverIs: string
  /** Bytes from the visitor, and to it. */
  readonly received: number
  readonly sent: number
  /** On `performance.now()`. */
  readonly began: number
  /** Called at each tick of the clock. */
  check(now: number): void
  stop(): void
}

export abstract class PlainGateway<One extends PlainConnection> implements Gateway {
  readonly name: string
  readonly #options: PlainGatewayOptions
  readonly #complaints: Complaints
  readonly #all = new Places<One>()
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(options: PlainGatewayOptions) {
    const { protocol, listener, complain } = options
    this.#options = options
    this.name = protocol
    this.#complaints = new Complaints((message) => complain(`listen ${listener}: ${message}`))
    this.#stopTicking = onTick((now) => {
      this.#all.each((one) => one.check(now))
      this.#complaints.tick()
    })
  }

  protected abstract create(socket: ByteStream, peer: Peer): One

  /** It is among the others: it may begin. Returns who hears of the socket. */
  protected abstract enter(connection: One): Connection

  /** What the log says of it beside the rest. */
  protected abstract details(connection: One): Partial<ConnectionLine>

  admit(): boolean {
    const { most, counts } = this.#options
    if (this.#all.size < most) return true
    counts.refused()
    return false
  }

  connect(socket: ByteStream, peer: Peer = new SocketPeer(socket)): Connection {
    const { counts, counters, plan } = this.#options
    if (!counts.open(plan.maxConnections)) {
      // Not in the middle of a handshake.
      process.nextTick(() => socket.destroy())
      return NOBODY
    }
    counters.opened()
    const connection = this.create(socket, peer)
    this.#all.add(connection)
    return this.enter(connection)
  }

  count(received: number, sent: number): void {
    const { counts, counters } = this.#options
    counts.received(received)
    counts.sent(sent)
    counters.received(received)
    counters.sent(sent)
  }

  over(connection: One, end: ConnectionLine['end']): void {
    const { counts, counters, log, protocol, listener } = this.#options
    this.#all.remove(connection)
    counts.closed()
    counters.closed()
    if (end === 'unreachable' || end === 'unknown') counts.failed()
    const { peer, serverIs, received, sent, began } = connection
    log?.({
      protocol,
      listener,
      address: peer.address,
      server: serverIs,
      ...this.details(connection),
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

  #look(): void {
    if (this.#all.size === 0) this.#onEmpty?.()
  }

  drain(done: () => void): void {
    this.#onEmpty = done
    this.#look()
  }

  /** Connections are no exchanges. */
  eachExchange(): void {}

  close(): void {
    this.#stopTicking()
    this.#onEmpty = null
    this.#all.each((one) => one.stop())
  }
}
