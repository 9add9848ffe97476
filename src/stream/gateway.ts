/** The connections of one tcp or tls listener in one server thread. */
import type { Gateway } from '../gateways/gateway.ts'
import { SocketPeer } from '../gateways/peer.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { onTick, TICK_MS } from '../request/clock.ts'
import type { Counters } from '../request/counters.ts'
import type { Peer } from '../request/exchange.ts'
import type { StreamPlan } from '../site/stream-plan.ts'
import { Complaints } from './complaints.ts'
import { type End, StreamConnection, type StreamHost } from './connection.ts'
import type { StreamCounts } from './counts.ts'
import type { ConnectionLine } from './log-line.ts'
import { Names } from './names.ts'
import { NOBODY } from './nobody.ts'
import { Places } from './places.ts'
import type { StreamPool } from './pool.ts'

export interface StreamGatewayOptions {
  /** As the owner wrote it. */
  readonly listener: string
  readonly protocol: 'tcp' | 'tls'
  readonly plan: StreamPlan
  readonly pools: ReadonlyMap<string, StreamPool>
  readonly counts: StreamCounts
  readonly counters: Counters
  /** Of the listener, in this thread. */
  readonly most: number
  readonly helloMs: number
  /** Null: nothing is logged. */
  readonly log: ((line: ConnectionLine) => void) | null
  readonly complain: (message: string) => void
}

export class StreamGateway implements Gateway, StreamHost {
  readonly name: string
  readonly named: boolean
  readonly clientIdleMs: number
  readonly serverIdleMs: number
  readonly halfClosedMs: number
  readonly helloMs: number
  readonly #options: StreamGatewayOptions
  readonly #names: Names<StreamPool>
  readonly #default: StreamPool | undefined
  readonly #complaints: Complaints
  readonly #all = new Places<StreamConnection>()
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(options: StreamGatewayOptions) {
    const { plan, protocol, pools } = options
    this.#options = options
    this.name = protocol
    this.named = protocol === 'tls'
    // The clock may be a tick behind, and late is better than early.
    this.clientIdleMs = plan.clientIdleMs + TICK_MS
    this.serverIdleMs = plan.serverIdleMs + TICK_MS
    this.halfClosedMs = plan.halfClosedMs + TICK_MS
    this.helloMs = options.helloMs
    this.#default = pools.get(plan.pool)
    this.#names = new Names(
      Object.entries(plan.names).map(([name, pool]) => [name, pools.get(pool)!] as const),
    )
    this.#complaints = new Complaints((message) =>
      options.complain(`listen ${options.listener}: ${message}`),
    )
    this.#stopTicking = onTick((now) => {
      this.#all.each((one) => one.check(now))
      this.#complaints.tick()
    })
  }

  admit(): boolean {
    const { most, counts } = this.#options
    if (this.#all.size < most) return true
    counts.refused()
    return false
  }

  connect(socket: ByteStream, peer: Peer = new SocketPeer(socket)): Connection {
    const connection = new StreamConnection(socket, peer, this)
    const { counts, counters, plan } = this.#options
    if (!counts.open(plan.maxConnections)) {
      // Not in the middle of a handshake.
      process.nextTick(() => socket.destroy())
      return NOBODY
    }
    counters.opened()
    this.#all.add(connection)
    if (peer.tls === undefined) connection.begin()
    else process.nextTick(() => connection.begin())
    return connection.visitor
  }

  poolFor(serverName: string): StreamPool | undefined {
    return this.#names.find(serverName) ?? this.#default
  }

  count(received: number, sent: number): void {
    const { counts, counters } = this.#options
    counts.received(received)
    counts.sent(sent)
    counters.received(received)
    counters.sent(sent)
  }

  over(connection: StreamConnection, end: End): void {
    const { counts, counters, log, protocol, listener } = this.#options
    this.#all.remove(connection)
    counts.closed()
    counters.closed()
    if (end === 'unreachable' || end === 'unknown') counts.failed()
    log?.({
      protocol,
      listener,
      address: connection.peer.address,
      server: connection.serverIs,
      serverName: connection.serverName,
      protocols: connection.protocols,
      received: connection.received,
      sent: connection.sent,
      ms: performance.now() - connection.began,
      end,
    })
    if (this.#all.size === 0) this.#onEmpty?.()
  }

  complain(message: string): void {
    this.#complaints.say(message)
  }

  drain(done: () => void): void {
    this.#onEmpty = done
    if (this.#all.size === 0) done()
  }

  /** Connections are no exchanges. */
  eachExchange(): void {}

  close(): void {
    this.#stopTicking()
    this.#onEmpty = null
    this.#all.each((one) => one.stop())
  }
}
