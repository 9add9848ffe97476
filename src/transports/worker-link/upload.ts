/**
 * A request's body on its way to a worker that takes it in pieces. Read from the visitor only when a
 * worker has a place for the request, and only as fast as the worker's grant and the link allow. A body
 * that is here within the same turn of the event loop goes whole into the REQUEST frame.
 */
import type { PorticoError } from '../../errors.ts'
import { clock } from '../../request/clock.ts'
import type { BodySink } from '../../request/exchange.ts'
import { INITIAL_GRANT } from '../../wire/frames.ts'
import type { Job, JobLink } from './job.ts'

/** Bytes kept before the REQUEST has been sent. */
const MOST_HELD = 65_536
/** And pieces: one of a byte takes some hundred. What comes behind them waits in one piece. */
const MOST_PIECES = 256

export class Upload implements BodySink {
  readonly #job: Job
  /** Pieces that wait for the REQUEST, or for a grant. */
  #held: Buffer[] = []
  #heldBytes = 0
  #window = INITIAL_GRANT
  #receiving = false
  #ended = false
  /** Nothing more goes to the worker. */
  #over = false
  /** The visitor was told to wait. */
  #waits = false
  /** The REQUEST is sent. */
  sent = false
  /** All of the body is in `job.body`. */
  whole = false

  constructor(job: Job) {
    this.#job = job
  }

  /** The worker has got all there is, and it is the visitor who takes time. */
  get awaitsVisitor(): boolean {
    return this.sent && !this.#ended && !this.#waits
  }

  /** `link` has a place for the request. Its REQUEST is sent at the latest when this turn is over. */
  open(link: JobLink): void {
    if (!this.#receiving) {
      this.#receiving = true
      this.#job.exchange.receive(this)
    }
    if (!this.sent) process.nextTick(Upload.#send, this, link)
  }

  static #send(upload: Upload, link: JobLink): void {
    if (upload.#job.link === link) upload.#announce(link)
  }

  /** The worker was lost without having read the REQUEST. */
  again(): void {
    this.#window = INITIAL_GRANT
    if (!this.whole) this.sent = false
  }

  granted(bytes: number): void {
    this.#window += bytes
    this.pass()
  }

  // From the visitor.

  data(chunk: Uint8Array): boolean {
    const job = this.#job
    if (this.#over || job.dropped || chunk.length === 0) return true
    const { link } = job
    if (!this.sent || link === null) {
      this.#hold(chunk)
      this.#waits = this.#heldBytes >= MOST_HELD || this.#held.length >= MOST_PIECES
      return !this.#waits
    }
    const now = this.#heldBytes > 0 ? 0 : Math.min(chunk.length, this.#window)
    if (now > 0) this.#give(link, chunk.subarray(0, now))
    if (now < chunk.length) this.#hold(chunk.subarray(now))
    this.#waits = this.#window === 0 || this.#heldBytes > 0 || link.congested
    job.since = clock.now
    return !this.#waits
  }

  end(): void {
    const job = this.#job
    this.#ended = true
    if (this.#over || job.dropped) return
    job.since = clock.now
    if (job.link === null) return
    if (this.sent) this.pass()
    else this.#announce(job.link)
  }

  abort(error: PorticoError): void {
    const job = this.#job
    this.#stop()
    if (job.dropped) return
    job.dropped = true
    job.exchange.onGone = null
    if (this.sent) job.link?.cancel(job.id)
    // An answer that has begun may depend on the rest: the visitor must not take it for whole.
    if (job.exchange.answered) job.exchange.fail(error)
  }

  // To the worker.

  #announce(link: JobLink): void {
    if (this.sent) return
    const job = this.#job
    this.sent = true
    if (job.dropped) {
      this.#stop()
      return link.skip(job)
    }
    if (this.#ended) {
      const bytes = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
      job.body = { bytes, path: '', length: bytes.length }
      this.whole = true
      this.#stop()
      return link.request(job, false)
    }
    link.request(job, true)
    this.pass()
  }

  /** Goes on after a grant, or when the link has room again. */
  pass(): void {
    const job = this.#job
    const { link } = job
    if (this.#over || !this.sent || link === null || job.dropped) return
    while (this.#held.length > 0 && this.#window > 0) {
      const first = this.#held[0]!
      const now = Math.min(first.length, this.#window)
      this.#give(link, first.subarray(0, now))
      this.#heldBytes -= now
      if (now === first.length) this.#held.shift()
      else this.#held[0] = first.subarray(now)
    }
    if (this.#heldBytes > 0) return
    if (this.#ended) {
      this.#stop()
      return link.bodyEnd(job.id)
    }
    if (!this.#waits || this.#window === 0 || link.congested) return
    this.#waits = false
    job.exchange.resume()
  }

  #give(link: JobLink, bytes: Uint8Array): void {
    this.#window -= bytes.length
    link.body(this.#job.id, bytes)
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#held.push(Buffer.from(bytes))
    this.#heldBytes += bytes.length
  }

  #stop(): void {
    this.#over = true
    this.#held = []
    this.#heldBytes = 0
  }
}
