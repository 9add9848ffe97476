/** The streams of a connection, by number: those that are open, and what is known of the others. */
import { Http2Code, Http2Fault, MOST_STREAM } from '../../wire/http2.ts'
import { Closed, ClosedStreams } from './closed-streams.ts'
import type { Http2Stream } from './stream.ts'

export class Streams {
  readonly #open = new Map<number, Http2Stream>()
  readonly #closed = new ClosedStreams()
  /** The last one that the visitor has opened, and the last one that is served. */
  last = 0
  lastServed: number = MOST_STREAM

  get size(): number {
    return this.#open.size
  }

  get(id: number): Http2Stream | undefined {
    return this.#open.get(id)
  }

  has(id: number): boolean {
    return this.#open.has(id)
  }

  all(): IterableIterator<Http2Stream> {
    return this.#open.values()
  }

  add(stream: Http2Stream): void {
    this.#open.set(stream.id, stream)
  }

  /** False: it was none. `reset`: on our word. */
  remove(id: number, reset: boolean): boolean {
    if (!this.#open.delete(id)) return false
    this.#closed.add(id, reset)
    return true
  }

  /** One that was over before it was open. */
  passed(id: number, reset: boolean): void {
    this.#closed.add(id, reset)
  }

  /** Nobody has opened it: its number is above the last, or is one of ours. */
  isIdle(id: number): boolean {
    return id > this.last || (id & 1) === 0
  }

  /** Throws Http2Fault where no frame can be on its way for a stream that is not open. */
  judgeLate(id: number): void {
    const what = this.#closed.what(id)
    if (what === Closed.RESET || (what === Closed.UNKNOWN && this.#closed.full)) return
    throw new Http2Fault(Http2Code.STREAM_CLOSED, 'the stream is closed')
  }

  /** Whether the visitor has ever opened it, as far as that is known. */
  wasOpen(id: number): boolean {
    return this.#closed.what(id) !== Closed.UNKNOWN
  }
}
