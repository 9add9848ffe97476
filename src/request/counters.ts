/**
 * Hot: what a server thread counts, in shared memory: each thread writes only its own block, so a count
 * is a plain store, and anybody may read the sum. Float64 holds whole numbers exactly to 2^53.
 */
import { HISTOGRAM_PLACES, type Histogram, observe, readHistogram } from './histogram.ts'

/** Places in a thread's block; `answers` is followed by five classes, 1xx to 5xx. */
const Place = {
  accepted: 0,
  closed: 1,
  requests: 2,
  finished: 3,
  received: 4,
  sent: 5,
  answers: 6,
  handshakes: 11,
  resumed: 12,
  failedHandshakes: 13,
  http2Accepted: 14,
  http2Closed: 15,
  http2Requests: 16,
  http2Refused: 17,
  http2Faults: 18,
} as const
const PLACES = 19

/** Of a route, in a thread's block behind the places above; a histogram follows. Route 0: none has matched. */
const RoutePlace = { began: 0, errors: 1, sent: 2, tunnels: 3, took: 4 } as const
const ROUTE_PLACES: number = RoutePlace.took + HISTOGRAM_PLACES

/** Whole cache lines, so that threads do not take each other's away. */
const LINE = 8

export class Counters {
  readonly #block: Float64Array

  private constructor(block: Float64Array) {
    this.#block = block
  }

  /** Shared memory for the blocks of `threads`, of a site with so many routes. */
  static allocate(threads: number, routes = 0): SharedArrayBuffer {
    return new SharedArrayBuffer(threads * lengthOf(routes) * Float64Array.BYTES_PER_ELEMENT)
  }

  /** The block of one thread. */
  static of(memory: SharedArrayBuffer, thread: number, routes = 0): Counters {
    const length = lengthOf(routes)
    return new Counters(
      new Float64Array(memory, thread * length * Float64Array.BYTES_PER_ELEMENT, length),
    )
  }

  /** The sum over all threads. */
  static read(memory: SharedArrayBuffer, routes = 0): Totals {
    const all = sumOf(memory, routes)
    const sum = (place: number): number => all[place]!
    const answers: Record<string, number> = {}
    for (let i = 1; i <= 5; i++) answers[`${i}xx`] = sum(Place.answers + i - 1)
    return {
      accepted: sum(Place.accepted),
      open: sum(Place.accepted) - sum(Place.closed),
      requests: sum(Place.requests),
      active: sum(Place.requests) - sum(Place.finished),
      received: sum(Place.received),
      sent: sum(Place.sent),
      answers,
      tls: {
        handshakes: sum(Place.handshakes),
        resumed: sum(Place.resumed),
        failed: sum(Place.failedHandshakes),
      },
      http2: {
        accepted: sum(Place.http2Accepted),
        open: sum(Place.http2Accepted) - sum(Place.http2Closed),
        requests: sum(Place.http2Requests),
        refused: sum(Place.http2Refused),
        faults: sum(Place.http2Faults),
      },
    }
  }

  /** Of every route, over all threads, in the Plan's order; first what no route has matched. */
  static readRoutes(memory: SharedArrayBuffer, routes: number): RouteNumbers[] {
    const all = sumOf(memory, routes)
    return Array.from({ length: routes + 1 }, (_, route) => {
      const at = PLACES + route * ROUTE_PLACES
      const took = readHistogram(all, at + RoutePlace.took)
      const timed = took.counts.reduce((sum, count) => sum + count, 0)
      const finished = timed + all[at + RoutePlace.tunnels]!
      return {
        requests: finished,
        active: Math.max(0, all[at + RoutePlace.began]! - finished),
        errors: all[at + RoutePlace.errors]!,
        sent: all[at + RoutePlace.sent]!,
        took,
      }
    })
  }

  opened(): void {
    this.#block[Place.accepted]!++
  }

  closed(): void {
    this.#block[Place.closed]!++
  }

  /** A connection, counted as one already, speaks HTTP/2. */
  http2Opened(): void {
    this.#block[Place.http2Accepted]!++
  }

  http2Closed(): void {
    this.#block[Place.http2Closed]!++
  }

  http2Requested(): void {
    this.#block[Place.http2Requests]!++
  }

  /** A stream of HTTP/2 was refused: there were too many. */
  http2Refused(): void {
    this.#block[Place.http2Refused]!++
  }

  /** A connection was ended because of what its visitor did. */
  http2Faulted(): void {
    this.#block[Place.http2Faults]!++
  }

  began(): void {
    this.#block[Place.requests]!++
  }

  /** An exchange is over; `status` 0 when the visitor left before any answer. */
  finished(status: number): void {
    this.#block[Place.finished]!++
    if (status >= 100 && status < 600) this.#block[Place.answers + Math.floor(status / 100) - 1]!++
  }

  /** An exchange has found its route. */
  routed(route: number): void {
    this.#block[PLACES + route * ROUTE_PLACES + RoutePlace.began]!++
  }

  /** An exchange of this route is over, `ms` after its head was complete; a tunnel tells nothing of requests. */
  served(route: number, ms: number, sent: number, failed: boolean, tunnel: boolean): void {
    const at = PLACES + route * ROUTE_PLACES
    this.#block[at + RoutePlace.sent]! += sent
    if (failed) this.#block[at + RoutePlace.errors]!++
    if (tunnel) this.#block[at + RoutePlace.tunnels]!++
    else observe(this.#block, at + RoutePlace.took, ms)
  }

  /** A handshake of TLS is over, well. */
  secured(resumed: boolean): void {
    this.#block[Place.handshakes]!++
    if (resumed) this.#block[Place.resumed]!++
  }

  /** A handshake of TLS was none, or had no good end. */
  notSecured(): void {
    this.#block[Place.failedHandshakes]!++
  }

  received(bytes: number): void {
    this.#block[Place.received]! += bytes
  }

  sent(bytes: number): void {
    this.#block[Place.sent]! += bytes
  }
}

function lengthOf(routes: number): number {
  return Math.ceil((PLACES + (routes + 1) * ROUTE_PLACES) / LINE) * LINE
}

function sumOf(memory: SharedArrayBuffer, routes: number): Float64Array {
  const all = new Float64Array(memory)
  const sum = new Float64Array(lengthOf(routes))
  for (let i = 0; i < all.length; i++) sum[i % sum.length]! += all[i]!
  return sum
}

/** Of one route. */
export interface RouteNumbers {
  /** Finished ones. */
  readonly requests: number
  readonly active: number
  /** Answered with 5xx, or cut off by a fault of ours or of what answers there. */
  readonly errors: number
  /** Bytes of answers' bodies. */
  readonly sent: number
  /** From the complete head of the request to the end of the answer; without WebSockets and other tunnels. */
  readonly took: Histogram
}

export interface Totals {
  readonly accepted: number
  readonly open: number
  readonly requests: number
  readonly active: number
  readonly received: number
  readonly sent: number
  readonly answers: Readonly<Record<string, number>>
  readonly tls: HandshakeNumbers
  readonly http2: Http2Numbers
}

/** Of HTTP/2; its connections and requests are among all of them. */
export interface Http2Numbers {
  readonly accepted: number
  readonly open: number
  readonly requests: number
  /** Streams beyond the limit. */
  readonly refused: number
  /** Connections ended because of what their visitors did. */
  readonly faults: number
}

/** Of TLS; those that were resumed are among the handshakes. */
export interface HandshakeNumbers {
  readonly handshakes: number
  readonly resumed: number
  readonly failed: number
}
