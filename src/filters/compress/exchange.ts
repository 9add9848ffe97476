/**
 * One answer on its way through a compressor, if it is worth one:
 *
 *     respond ──▶ small: at once ──▶ respond     larger: in a thread ──▶ respond
 *     start, short ──▶ write … ──▶ end ──▶ respond
 *     start ──▶ write ──▶ compressor ──▶ write …     idle: flush     end ──▶ end
 *
 * A visitor who is slower than the application stops the compressor, and that the application. Once the
 * application has ended its answer, what is left of it is ours to bring to its end.
 */
import { PorticoError } from '../../errors.ts'
import { type AnswerHead, COPIED, type Exchange } from '../../request/exchange.ts'
import { ExchangeThrough } from '../../request/through.ts'
import { fieldValue } from '../../wire/fields.ts'
import { type Coder, MOST_AT_ONCE, type Stream } from './coders.ts'
import { type Judge, plainHead, Verdict } from './judge.ts'

/** Longest body that is compressed as a whole, bytes. */
const MOST_WHOLE = 1_048_576

/** Compressors at work in this thread, of all routes. */
let working = 0

/** One that comes in parts and is soon complete: it is worth no compressor of its own. */
interface Short {
  readonly head: AnswerHead
  readonly body: Buffer
  filled: number
}

/** What a fixed answer came to, in one coding. */
interface Made {
  /** Null: not yet, or it stays as it is. */
  answer: { readonly head: AnswerHead; readonly body: Uint8Array } | null
  /** Who waits for it; null: it is made. */
  waiting: ((made: Made) => void)[] | null
}
const made = new WeakMap<AnswerHead, Map<string, Made>>()

export class CompressedExchange extends ExchangeThrough {
  readonly #coder: Coder
  readonly #judge: Judge
  readonly #most: number
  #stream: Stream | null = null
  /** A short answer of a known length, as far as it has come. */
  #short: Short | null = null
  /** The handler has given its answer; bringing it to the visitor is ours. */
  #given = false
  #flushing: NodeJS.Immediate | null = null
  /** Something was written since the last flush. */
  #dirty = false
  #onGone: (() => void) | null = null
  #onDrain: (() => void) | null = null
  #trailers: string | undefined

  /** `most`: compressors at work at a time. */
  constructor(visitor: Exchange, coder: Coder, judge: Judge, most: number) {
    super(visitor)
    this.#coder = coder
    this.#judge = judge
    this.#most = most
  }

  override get answered(): boolean {
    return this.#given || this.#short !== null || this.visitor.answered
  }

  override get onGone(): (() => void) | null {
    return this.#stream === null ? this.visitor.onGone : this.#onGone
  }

  override set onGone(call: (() => void) | null) {
    if (this.#given) return
    if (this.#stream === null) this.visitor.onGone = call
    else this.#onGone = call
  }

  override get onDrain(): (() => void) | null {
    return this.#stream === null ? this.visitor.onDrain : this.#onDrain
  }

  override set onDrain(call: (() => void) | null) {
    if (this.#given) return
    if (this.#stream === null) this.visitor.onDrain = call
    else this.#onDrain = call
  }

  override respond(head: AnswerHead, body: Uint8Array, length: number = body.length): void {
    if (this.#given) return
    const verdict = this.#judge.judge(head, length)
    if (verdict !== Verdict.COMPRESS) return this.#plain(head, verdict, body, length)
    // To HEAD the same as to GET, but for a length that nobody knows.
    if (this.line.method === 'HEAD') {
      this.visitor.start(this.#compressed(head), -1)
      return this.visitor.end()
    }
    if (head.fixed !== undefined) return this.#fixed(head, body)
    if (body.length <= MOST_AT_ONCE) {
      const compressed = this.#coder.atOnce(body)
      if (compressed === null) return this.#plain(head, verdict, body, length)
      const owned = compressed.length <= COPIED ? compressed : Buffer.from(compressed)
      return this.visitor.respond(this.#compressed(head), owned)
    }
    if (working >= this.#most) return this.#plain(head, verdict, body, length)
    if (body.length > MOST_WHOLE) {
      this.#begin(head)
      this.write(body, true)
      return this.end()
    }
    this.#give()
    working++
    this.#coder.whole(body, (compressed) => {
      working--
      if (compressed === null) this.#plain(head, verdict, body, length)
      else this.visitor.respond(this.#compressed(head), compressed)
    })
  }

  override start(head: AnswerHead, length: number): void {
    if (this.answered) return
    const verdict = this.#judge.judge(head, length)
    const compresses = verdict === Verdict.COMPRESS
    if (compresses && this.line.method === 'HEAD') {
      this.visitor.start(this.#compressed(head), -1)
    } else if (compresses && length >= 0 && length <= MOST_AT_ONCE) {
      this.#short = { head, body: Buffer.allocUnsafe(length), filled: 0 }
    } else if (compresses && working < this.#most) this.#begin(head)
    else this.visitor.start(plainHead(head, verdict, this.#hasWeak), length)
  }

  override write(chunk: Uint8Array, owned: boolean): boolean {
    const stream = this.#stream
    if (this.#short !== null) return this.#gather(this.#short, chunk)
    if (stream === null) return this.visitor.write(chunk, owned)
    if (this.#given || chunk.length === 0) return true
    this.#dirty = true
    // Whoever is told to go on may use the memory again: the compressor gets bytes of its own.
    return stream.write(Buffer.from(chunk), this.#written)
  }

  override end(trailers?: string): void {
    if (this.#short !== null) return this.#endShort(this.#short, trailers)
    if (this.#stream === null) return this.visitor.end(trailers)
    if (this.#given) return
    this.#trailers = trailers
    const stream = this.#stream
    this.#give()
    this.visitor.onGone = this.#left
    stream.end()
  }

  override fail(error: PorticoError): void {
    if (this.#given) return
    // Nothing of a short one has left: it can still be another answer.
    this.#short = null
    this.#release()
    this.visitor.fail(error)
  }

  #compressed(head: AnswerHead): AnswerHead {
    return this.#judge.compressed(head, this.#coder.name)
  }

  #gather(short: Short, chunk: Uint8Array): boolean {
    const { body, filled } = short
    // Never more than was announced.
    const part = chunk.subarray(0, body.length - filled)
    body.set(part, filled)
    short.filled = filled + part.length
    return true
  }

  #endShort({ head, body, filled }: Short, trailers: string | undefined): void {
    this.#short = null
    if (filled === body.length && trailers === undefined) return this.respond(head, body)
    // Cut short, or with more to say: the gateway knows what to do with that.
    this.visitor.start(plainHead(head, Verdict.COMPRESS, this.#hasWeak), body.length)
    this.visitor.write(body.subarray(0, filled), true)
    this.visitor.end(trailers)
  }

  #plain(head: AnswerHead, verdict: Verdict, body: Uint8Array, length: number): void {
    this.visitor.respond(plainHead(head, verdict, this.#hasWeak), body, length)
  }

  /** The visitor has the compressed answer: it asks by the weak ETag that came with it. */
  get #hasWeak(): boolean {
    return /(^|,)\s*W\//.test(fieldValue(this.fields, 'if-none-match') ?? '')
  }

  /** One that is the same for every request is compressed once. */
  #fixed(head: AnswerHead, body: Uint8Array): void {
    const { name } = this.#coder
    let all = made.get(head)
    if (all === undefined) {
      all = new Map()
      made.set(head, all)
    }
    let known = all.get(name)
    if (known === undefined) {
      known = { answer: null, waiting: null }
      all.set(name, known)
      this.#make(known, head, body)
    }
    const tell = ({ answer }: Made): void => {
      if (answer === null) this.#plain(head, Verdict.COMPRESS, body, body.length)
      else this.visitor.respond(answer.head, answer.body)
    }
    if (known.waiting === null) return tell(known)
    this.#give()
    known.waiting.push(tell)
  }

  #make(entry: Made, head: AnswerHead, body: Uint8Array): void {
    const coder = this.#coder
    const settle = (compressed: Uint8Array | null): void => {
      if (compressed === null) return
      const fixed = { ...this.#compressed(head), fixed: true as const }
      entry.answer = { head: fixed, body: compressed }
    }
    if (body.length <= MOST_AT_ONCE) {
      const compressed = coder.atOnce(body)
      return settle(compressed === null ? null : Buffer.from(compressed))
    }
    const waiting: NonNullable<Made['waiting']> = []
    entry.waiting = waiting
    coder.whole(body, (compressed) => {
      settle(compressed)
      entry.waiting = null
      for (const tell of waiting) tell(entry)
    })
  }

  #begin(head: AnswerHead): void {
    const { visitor } = this
    this.#onGone = visitor.onGone
    this.#onDrain = visitor.onDrain
    const stream = this.#coder.stream()
    working++
    this.#stream = stream
    visitor.onGone = this.#left
    visitor.onDrain = this.#drained
    visitor.start(this.#compressed(head), -1)
    stream.on('data', (bytes: Buffer) => {
      if (!visitor.write(bytes, true)) stream.pause()
    })
    stream.on('drain', () => this.#onDrain?.())
    stream.on('error', (cause) => {
      this.#release()
      visitor.fail(new PorticoError('INTERNAL', 'compressing an answer', { cause }))
    })
    stream.on('end', () => {
      this.#release()
      visitor.end(this.#trailers)
    })
  }

  /** From now on the handler has nothing to do with it. */
  #give(): void {
    this.#given = true
    this.#onGone = null
    this.#onDrain = null
    if (this.#stream === null) {
      this.visitor.onGone = null
      this.visitor.onDrain = null
    }
  }

  /** The compressor has taken what it was given. */
  readonly #written = (): void => {
    const stream = this.#stream
    if (stream === null || this.#given || stream.writableLength > 0) return
    // More may come in the same turn of the event loop.
    this.#flushing ??= setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#flushing = null
    const stream = this.#stream
    if (stream === null || this.#given || !this.#dirty || stream.writableLength > 0) return
    this.#dirty = false
    stream.flush(this.#coder.flushFlag)
  }

  readonly #drained = (): void => {
    this.visitor.onDrain = this.#drained
    this.#stream?.resume()
  }

  readonly #left = (): void => {
    this.#release()
    const call = this.#onGone
    this.#onGone = null
    call?.()
  }

  #release(): void {
    if (this.#stream === null) return
    working--
    if (this.#flushing !== null) clearImmediate(this.#flushing)
    this.#stream.destroy()
    this.#stream = null
  }
}
