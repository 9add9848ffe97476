/** Carries the body of one request to a backend, framed as its protocol has it, with back-pressure. */
import type { PorticoError } from '../../errors.ts'
import type { DialedStream } from '../../listen/dial.ts'
import type { BodySink, Exchange } from '../../request/exchange.ts'
import type { Dialect } from './dialect.ts'

/** Parts below this many bytes wait for others of the same turn, to share a write. */
const SMALL_PART = 4096
/** The visitor is held back when so many bytes wait for the backend. */
const MOST_WAITING = 65_536
/** Or so many parts: one of a byte takes some hundred. What comes behind them waits in one piece. */
const MOST_PARTS = 256

export interface UploadWatcher {
  /** The upload waits for the backend, no longer does, or is complete. */
  uploadChanged(): void
  /** The body will never be complete. */
  uploadFailed(error: PorticoError): void
}

export class Upload implements BodySink {
  /** The whole body has been written. */
  sent = false
  /** So far, with the head. */
  bytes = 0
  /** The visitor is held back until the backend has taken what was written. */
  waits = false
  readonly #stream: DialedStream
  readonly #watcher: UploadWatcher
  readonly #dialect: Dialect
  /** Null: the rest of the body has no reader any more. */
  #exchange: Exchange | null
  #corked = false
  /** Written since the backend had taken all. */
  #parts = 0

  constructor(exchange: Exchange, dialect: Dialect, stream: DialedStream, watcher: UploadWatcher) {
    this.#exchange = exchange
    this.#dialect = dialect
    this.#stream = stream
    this.#watcher = watcher
  }

  /** Writes the head and, in the same write, what of the body is already here. */
  start(head: string | Uint8Array): void {
    this.#stream.cork()
    this.bytes += head.length
    write(this.#stream, head)
    this.#exchange?.receive(this)
    this.#uncork()
  }

  /** What still comes is dropped: the answer was complete before the body. */
  cancel(): void {
    this.#exchange = null
  }

  /** The backend has taken all that was written. */
  drained(): void {
    this.#parts = 0
    if (!this.waits) return
    this.waits = false
    this.#watcher.uploadChanged()
    this.#exchange?.resume()
  }

  data(chunk: Uint8Array): boolean {
    // An empty chunk would end a chunked body.
    if (this.#exchange === null || chunk.length === 0) return true
    this.bytes += chunk.length
    if (chunk.length < SMALL_PART) this.#corkForThisTurn()
    this.#stream.write(this.#dialect.part(chunk))
    const waiting = this.#stream.writableLength
    this.#parts = waiting === 0 ? 0 : this.#parts + 1
    if (waiting < MOST_WAITING && this.#parts < MOST_PARTS) return true
    this.waits = true
    this.#watcher.uploadChanged()
    return false
  }

  end(trailers: string): void {
    if (this.#exchange === null) return
    const rest = this.#dialect.end(trailers)
    if (rest !== '') write(this.#stream, rest)
    this.sent = true
    this.#watcher.uploadChanged()
  }

  abort(error: PorticoError): void {
    if (this.#exchange !== null) this.#watcher.uploadFailed(error)
  }

  #corkForThisTurn(): void {
    if (this.#corked) return
    this.#corked = true
    this.#stream.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#uncork()
    })
  }

  #uncork(): void {
    this.#stream.uncork()
    // What the kernel takes at once is not followed by `drained`.
    if (this.#stream.writableLength > 0) return
    this.#parts = 0
    if (!this.waits) return
    process.nextTick(() => this.drained())
  }
}

/** Text is latin-1. */
export function write(stream: DialedStream, part: string | Uint8Array): void {
  if (typeof part === 'string') stream.writeText(part)
  else stream.write(part)
}
