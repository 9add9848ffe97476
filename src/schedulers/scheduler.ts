/** In which order a pool's backends are asked. */
import type { Peer } from '../request/exchange.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { RequestLine } from '../wire/request-line.ts'

/** What a scheduler may know of a backend. */
export interface Backend {
  /** As the owner wrote it: what hashes know it by. */
  readonly name: string
  /** Its share, relative to the others; 0: no new requests. */
  readonly weight: number
  /** It takes another request now: it is not down, does not rest after a failure and is not full. */
  readonly ready: boolean
  /** Exchanges it has in hand, of all threads. */
  readonly active: number
  /** Connections that are over but not gone, of all threads; 0 where that means nothing, as in HTTP. */
  readonly inactive: number
  /** The part of its weight that it is worth at present, from more than 0 to 1; absent: all of it. */
  readonly share?: number
  /** How long it takes to begin its answer, ms, a moving average of all threads; 0: not known. */
  readonly latencyMs: number
}

/** What a scheduler may know of a request. An Exchange is one. */
export interface Key {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly peer: Peer
}

/** Backends, best first. */
export interface Order<B> extends Iterator<B, undefined> {
  /** Whom the visitor belongs to, where the last one yielded is that: it takes its own in any case. */
  readonly own?: B | null
}

/** Made once for each pool and thread, by a factory. */
export interface Scheduler {
  readonly name: string
  /** It looks at `latencyMs`, so that has to be measured. */
  readonly timed?: true
  /**
   * Yields backends that have weight and are ready, each once, best first: whoever walks them takes the
   * next when one fails. Lazy: what is not taken must cost nothing and count for nothing. `backends` are
   * all, whether ready or not, so that hashes keep their places; the list keeps its identity while its
   * members and their weights stay the same.
   */
  order<B extends Backend>(backends: readonly B[], key: Key): Order<B>
}

/** Those that are out of the question, by index: asked for this request already. Null: none, as nearly always. */
export type Asked = { has(at: number): boolean } | null

/** The index of who is next, or -1. */
export type Choose = (backends: readonly Backend[], key: Key, asked: Asked) => number

/** Whether it may be chosen. */
export function isOpen(backend: Backend, at: number, asked: Asked): boolean {
  return backend.weight > 0 && backend.ready && (asked === null || !asked.has(at))
}

/** The index of the first that may be chosen, or -1. */
export function firstOpen(backends: readonly Backend[], asked: Asked): number {
  for (let at = 0; at < backends.length; at++) if (isOpen(backends[at]!, at, asked)) return at
  return -1
}

/** A scheduler that makes one choice after another. */
export function choosing(name: string, choose: Choose): Scheduler {
  return { name, order: (backends, key) => new Choices(choose, backends, key) }
}

/** Hot: one a request, in the place of a generator, which costs more. */
class Choices<B extends Backend> implements Iterator<B, undefined> {
  readonly #choose: Choose
  readonly #backends: readonly B[]
  readonly #key: Key
  #last = -1
  #asked: Set<number> | null = null

  constructor(choose: Choose, backends: readonly B[], key: Key) {
    this.#choose = choose
    this.#backends = backends
    this.#key = key
  }

  next(): IteratorResult<B, undefined> {
    if (this.#last >= 0) {
      this.#asked ??= new Set()
      this.#asked.add(this.#last)
    }
    const at = this.#choose(this.#backends, this.#key, this.#asked)
    if (at < 0) return { done: true, value: undefined }
    this.#last = at
    return { done: false, value: this.#backends[at]! }
  }
}
