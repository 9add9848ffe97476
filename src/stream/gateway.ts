/** The connections of one tcp or tls listener in one server thread. */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { TICK_MS } from '../request/clock.ts'
import type { Peer } from '../request/exchange.ts'
import type { StreamPlan } from '../site/stream-plan.ts'
import { StreamConnection, type StreamHost } from './connection.ts'
import type { ConnectionLine } from './log-line.ts'
import { Names } from './names.ts'
import { PlainGateway, type PlainGatewayOptions } from './plain-gateway.ts'
import type { StreamPool } from './pool.ts'

export interface StreamGatewayOptions extends PlainGatewayOptions {
  readonly protocol: 'tcp' | 'tls'
  readonly plan: StreamPlan
  readonly pools: ReadonlyMap<string, StreamPool>
  readonly helloMs: number
}

export class StreamGateway extends PlainGateway<StreamConnection> implements StreamHost {
  readonly named: boolean
  readonly clientIdleMs: number
  readonly serverIdleMs: number
  readonly halfClosedMs: number
  readonly helloMs: number
  readonly #names: Names<StreamPool>
  readonly #default: StreamPool | undefined

  constructor(options: StreamGatewayOptions) {
    super(options)
    const { plan, protocol, pools } = options
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
  }

  protected override create(socket: ByteStream, peer: Peer): StreamConnection {
    return new StreamConnection(socket, peer, this)
  }

  protected override enter(connection: StreamConnection): Connection {
    if (connection.peer.tls === undefined) connection.begin()
    else process.nextTick(() => connection.begin())
    return connection.visitor
  }

  protected override details(connection: StreamConnection): Partial<ConnectionLine> {
    const { serverName, protocols } = connection
    return { serverName, protocols }
  }

  poolFor(serverName: string): StreamPool | undefined {
    return this.#names.find(serverName) ?? this.#default
  }
}
