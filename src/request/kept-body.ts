/**
 * The body of a request that may be sent more than once: what has come so far is kept, up to a bound, and
 * given to each sink from the beginning.
 */
import type { PorticoError } from '../errors.ts'
import type { BodySink, Exchange } from './exchange.ts'

/** Of all bodies in a thread together, bytes: beyond, they are sent once. */
const MOST_IN_ALL = 64 * 1024 * 1024
const FIRST = 4_096
const NOTHING = Buffer.alloc(0)

let inAll = 0

/** What all bodies of this thread hold at present, bytes. */
export function bytesKept(): number {
  return inAll
}

export class KeptBody implements BodySink {
  readonly #exchange: Exchange
  readonly #most: number
  /** In one piece, since a visitor may send it byte by byte; the first `#held` are in use. */
  #bytes: Buffer = NOTHING
  #held = 0
  /** Of these, what the sink has had. */
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
    this.#keep(NOTHING, 0)
    this.#given = 0
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
      if (this.#held === 0 && !this.#giving && !this.#paused) {
        this.#paused = !sink.data(chunk)
        this.#waits = this.#paused
        return !this.#waits
      }
    }
    this.#add(chunk)
    this.#go()
    this.#waits = this.#paused
    return !this.#waits
  }

  #add(chunk: Uint8Array): void {
    const held = this.#held
    const length = held + chunk.length
    let bytes = this.#bytes
    if (length > bytes.length) {
      // The sink may still look at the old one.
      bytes = Buffer.allocUnsafeSlow(Math.max(FIRST, length, Math.min(held * 2, this.#most)))
      this.#bytes.copy(bytes, 0, 0, held)
    }
    bytes.set(chunk, held)
    this.#keep(bytes, length)
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
    while (this.#sink !== null && !this.#paused && this.#given < this.#held) {
      const sink: BodySink = this.#sink
      const rest = this.#bytes.subarray(this.#given, this.#held)
      this.#given = this.#held
      const goesOn = sink.data(rest)
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
    if (this.#paused || this.#given < this.#held) return
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
    const rest = this.#bytes.subarray(this.#given, this.#held)
    this.#given = 0
    this.#keep(rest.length === 0 ? NOTHING : Buffer.from(rest), rest.length)
  }

  #keep(bytes: Buffer, held: number): void {
    inAll += held - this.#held
    this.#bytes = bytes
    this.#held = held
  }
}
