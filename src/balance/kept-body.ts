/**
 * The body of a request that may be sent more than once: what has come so far is kept, up to a bound, and
 * given to each sink from the beginning.
 */
import type { PorticoError } from '../errors.ts'
import type { BodySink, Exchange } from '../request/exchange.ts'

/** Of all bodies in a thread together, bytes: beyond, they are sent once. */
const MOST_IN_ALL = 64 * 1024 * 1024

let inAll = 0

/** What all bodies of this thread hold at present, bytes. */
export function bytesKept(): number {
  return inAll
}

export class KeptBody implements BodySink {
  readonly #exchange: Exchange
  readonly #most: number
  #chunks: Uint8Array[] = []
  /** Of these, bytes. */
  #held = 0
  /** Chunks that the sink has had. */
  #given = 0
  #begun = false
  /** Nobody else will have it, so that what the sink has had is not kept. */
  #settled = false
  #ended = false
  #trailers = ''
  #error: PorticoError | null = null
  #sink: BodySink | null = null
  /** The sink knows how the body ended. */
  #told = false
  /** The sink wants no more for now. */
  #paused = false
  /** The visitor was told to wait. */
  #waits = false
  #giving = false

  constructor(exchange: Exchange, most: number) {
    this.#exchange = exchange
    this.#most = most
  }

  /** Another sink may have all of it. */
  get whole(): boolean {
    return !this.#settled
  }

  /** From the beginning. The one before gets nothing more. */
  give(sink: BodySink): void {
    this.#sink = sink
    this.#given = 0
    this.#paused = false
    this.#told = false
    if (this.#begun) return this.#go()
    this.#begun = true
    this.#exchange.receive(this)
  }

  /** Whoever has it is the last one. */
  settle(): void {
    this.#settled = true
    if (!this.#giving) this.#forget()
  }

  /** Nobody wants any more of it. */
  drop(): void {
    this.#sink = null
    this.settle()
    this.#chunks = []
    this.#count()
  }

  resume(): void {
    this.#paused = false
    this.#go()
  }

  // From the visitor.

  data(chunk: Uint8Array): boolean {
    if (this.#held + chunk.length > this.#most || inAll + chunk.length > MOST_IN_ALL) this.settle()
    const sink = this.#sink
    if (this.#settled) {
      if (sink === null) return true
      if (this.#chunks.length === 0 && !this.#giving && !this.#paused) {
        this.#paused = !sink.data(chunk)
        this.#waits = this.#paused
        return !this.#waits
      }
    }
    this.#chunks.push(Buffer.from(chunk))
    this.#count()
    this.#go()
    this.#waits = this.#paused
    return !this.#waits
  }

  end(trailers: string): void {
    this.#ended = true
    this.#trailers = trailers
    this.#go()
  }

  abort(error: PorticoError): void {
    this.#error = error
    this.#go()
  }

  /** Gives the sink what it has not had yet. */
  #go(): void {
    if (this.#giving) return
    this.#giving = true
    while (this.#sink !== null && !this.#paused && this.#given < this.#chunks.length) {
      const sink: BodySink = this.#sink
      const goesOn = sink.data(this.#chunks[this.#given++]!)
      // The sink may have been replaced meanwhile.
      if (sink === this.#sink && !goesOn) this.#paused = true
    }
    this.#giving = false
    this.#forget()
    this.#tell()
  }

  #tell(): void {
    const sink = this.#sink
    if (sink === null || this.#told) return
    if (this.#error !== null) {
      this.#told = true
      return sink.abort(this.#error)
    }
    if (this.#paused || this.#given < this.#chunks.length) return
    if (this.#ended) {
      this.#told = true
      return sink.end(this.#trailers)
    }
    if (!this.#waits) return
    this.#waits = false
    this.#exchange.resume()
  }

  /** What the last one has had is of no use any more. */
  #forget(): void {
    if (!this.#settled || this.#given === 0) return
    this.#chunks = this.#chunks.slice(this.#given)
    this.#given = 0
    this.#count()
  }

  #count(): void {
    const before = this.#held
    this.#held = this.#chunks.reduce((sum, { length }) => sum + length, 0)
    inAll += this.#held - before
  }
}
