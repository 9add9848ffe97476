/** The seam between listening sockets and the protocols that come over them. */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import type { Counters } from '../request/counters.ts'
import type { Peer } from '../request/exchange.ts'
import type { Flow, RoutedExchange } from '../request/flow.ts'
import type { Http2Plan } from '../site/http2-plan.ts'
import type { LimitsPlan, TimeoutsPlan } from '../site/plan.ts'

/** One protocol, for all connections of a server thread that speak it; made by a factory. */
export interface Gateway {
  readonly name: string
  /** Whether there is room for one more connection. */
  admit(): boolean
  /** Takes an accepted connection. `peer`: who is at its other end, where that is not the socket's own. */
  connect(socket: ByteStream, peer?: Peer): Connection
  /** Lets every connection finish; `done` is called when none is left. */
  drain(done: () => void): void
  /** Every exchange that is not over. */
  eachExchange(visit: (exchange: RoutedExchange) => void): void
  /** Cuts what is left. */
  close(): void
}

export interface GatewayOptions {
  readonly flow: Flow
  readonly counters: Counters
  readonly limits: LimitsPlan
  readonly timeouts: TimeoutsPlan
  /** Absent: as usual. */
  readonly http2?: Http2Plan
  readonly serverName: string
  readonly dev: boolean
}
