/** In which order a pool's backends are asked. */
import type { Peer } from '../request/exchange.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { RequestLine } from '../wire/request-line.ts'

/** What a scheduler may know of a backend. */
export interface Backend {
  readonly name: string
  /** Its share, relative to the others; 0: no new requests. */
  readonly weight: number
  /** Exchanges it has in hand, of this thread. */
  readonly active: number
}

/** What a scheduler may know of a request. An Exchange is one. */
export interface Key {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly peer: Peer
}

/** Made once for each pool and thread, by a factory. */
export interface Scheduler {
  readonly name: string
  /**
   * Yields the backends of weight above 0, each once, best first: whoever walks them takes the next
   * when one fails. Lazy: what is not taken must cost nothing and count for nothing. `backends` keeps
   * its identity while its members stay the same.
   */
  order<B extends Backend>(backends: readonly B[], key: Key): Iterator<B, undefined>
}
