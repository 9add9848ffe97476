/**
 * The body of a request that may be sent more than once: what has come so far is kept, up to a bound, and
 * given to each sink from the beginning.
 */
import type { PorticoError } from '../errors.ts'
import type { BodySink, Exchange } from '../request/exchange.ts'

export class KeptBody implements BodySink {
  readonly #exchange: Exchange
  readonly #most: number
  #chunks: Uint8Array[] = []
  #length = 0
  #begun = false
  /** More has come than is kept, so nothing is: whoever has it now is the last one. */
  #lost = false
  #ended = false
  #trailers = ''
  #error: PorticoError | null = null
  #sink: BodySink | null = null
  /** Chunks that the sink has. */
  #given = 0
  #giving = false
  /** The sink wants no more for now. */
  #held = false
  /** The sink knows how the body ended. */
  #told = false
  /** The visitor was told to wait. */
  #waits = false

  constructor(exchange: Exchange, most: number) {
    this.#exchange = exchange
    this.#most = most
  }

  /** Another sink may have all of it. */
  get whole(): boolean {
    return !this.#lost
  }

  /** From the beginning. The one before gets nothing more. */
  give(sink: BodySink): void {
    this.#sink = sink
    this.#given = 0
    this.#held = false
    this.#told = false
    if (this.#begun) return this.#go()
    this.#begun = true
    this.#exchange.receive(this)
  }

  /** Whoever has it wants no more. */
  takeAway(): void {
    this.#sink = null
  }

  resume(): void {
    this.#held = false
    this.#go()
  }

  // From the visitor.

  data(chunk: Uint8Array): boolean {
    this.#length += chunk.length
    if (this.#length > this.#most) this.#lost = true
    const sink = this.#sink
    if (this.#lost && sink === null) return true
    const behind = this.#given < this.#chunks.length || this.#held || this.#giving
    if (this.#lost && !behind) {
      this.#chunks = []
      this.#given = 0
      this.#held = sink?.data(chunk) === false
    } else {
      this.#chunks.push(Buffer.from(chunk))
      this.#go()
    }
    // While nobody has it, it is kept up to the bound.
    this.#waits = this.#held
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
    while (this.#sink !== null && !this.#held && this.#given < this.#chunks.length) {
      const sink: BodySink = this.#sink
      const chunk = this.#chunks[this.#given++]!
      // What another one will never have need not stay.
      if (this.#lost && this.#given === this.#chunks.length) {
        this.#chunks = []
        this.#given = 0
      }
      const goesOn = sink.data(chunk)
      // The sink may have been replaced meanwhile.
      if (sink === this.#sink && !goesOn) this.#held = true
    }
    this.#giving = false
    const sink = this.#sink
    if (sink === null || this.#told) return
    if (this.#error !== null) {
      this.#told = true
      return sink.abort(this.#error)
    }
    if (this.#held || this.#given < this.#chunks.length) return
    if (this.#ended) {
      this.#told = true
      return sink.end(this.#trailers)
    }
    if (!this.#waits) return
    this.#waits = false
    this.#exchange.resume()
  }
}
