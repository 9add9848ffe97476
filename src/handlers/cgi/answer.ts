/**
 * From what a program writes to a visitor's answer:
 *
 *     bytes ── head ─┬─ local Location ── the server answers as if asked for that path
 *                    └─ hold ── end of output within moments: one answer with its length
 *                            └─ else: in parts, as they come
 */
import { PorticoError } from '../../errors.ts'
import { type AnswerHead, COPIED, type Exchange } from '../../request/exchange.ts'
import type { ReceivedHead } from '../../transports/backend/answer.ts'
import {
  CgiAnswerDecoder,
  type CgiHead,
  type CgiReceiver,
} from '../../transports/backend/cgi-answer.ts'
import { NphDecoder } from './nph.ts'

/** Most programs end at once behind their last byte, and then this long is never waited for, ms. */
const HOLD_MS = 2
/** Of what came in place of a head, bytes for the log. */
const SHOWN = 200

/** What it takes to turn a program's output into an answer; see `CgiAnswerDecoder`. */
interface OutputDecoder {
  readonly done: boolean
  expect(method: string): void
  decode(bytes: Buffer, length: number): number
  finish(): boolean
}

export class CgiAnswer implements CgiReceiver {
  readonly #exchange: Exchange
  readonly #decoder: OutputDecoder
  /** The visitor waits for more, or for us: false when it is slower than the program. */
  #fast = true
  #head: AnswerHead | null = null
  #length = -1
  #started = false
  /** Body bytes of the first moments. */
  #held: Buffer[] = []
  #heldBytes = 0
  #timer: NodeJS.Timeout | null = null
  /** The beginning of what came before there was a head. */
  #first = ''
  /** Where the program sends the visitor without their knowing; '' for nowhere. */
  target = ''

  /** `raw`: the program answers in HTTP (RFC 3875 §5). */
  constructor(exchange: Exchange, raw: boolean) {
    this.#exchange = exchange
    this.#decoder = raw ? new NphDecoder(this) : new CgiAnswerDecoder(this)
    this.#decoder.expect(exchange.line.method)
  }

  /** The head has come. */
  get begun(): boolean {
    return this.#head !== null || this.target !== ''
  }

  /** All has come that the head announced. */
  get complete(): boolean {
    return this.#decoder.done
  }

  /** What came in place of a head, for the log. */
  get came(): string {
    return this.#first
  }

  /**
   * More of what the program writes, valid only during the call. False: the visitor is slower, wait for
   * its `onDrain`. Throws BACKEND_LIED.
   */
  take(bytes: Buffer, length: number): boolean {
    if (!this.begun)
      this.#first += bytes.toString('latin1', 0, Math.min(length, SHOWN - this.#first.length))
    // What comes behind the body's announced end is dropped: it is nobody's answer.
    if (!this.#decoder.done) this.#decoder.decode(bytes, length)
    return this.#fast
  }

  head(answer: CgiHead): void {
    if (!answer.named) {
      throw new PorticoError(
        'BACKEND_LIED',
        'neither Content-Type nor Location nor Status; a CGI answer begins with fields and an empty line',
      )
    }
    if (answer.local) {
      this.target = answer.location
      return
    }
    this.#head = answer.head
    this.#length = answer.contentLength
    this.#timer = setTimeout(() => this.#start(), HOLD_MS)
  }

  interim(answer: ReceivedHead): void {
    this.#exchange.inform(answer.head.status, answer.head.fields)
  }

  body(view: Uint8Array): void {
    if (this.target !== '') return
    if (this.#started) {
      this.#fast = this.#exchange.write(view, false)
      return
    }
    this.#held.push(Buffer.from(view))
    this.#heldBytes += view.length
    if (this.#heldBytes > COPIED) this.#start()
  }

  /** The visitor has taken what there was. */
  drained(): void {
    this.#fast = true
  }

  /** The program has written everything, or its end was as bad as `trouble` says. */
  end(trouble: PorticoError | null): void {
    const exchange = this.#exchange
    const complete = this.#decoder.finish() && trouble === null
    this.#stopTimer()
    if (!complete) {
      return exchange.fail(trouble ?? new PorticoError('BACKEND_CLOSED', 'a short body'))
    }
    if (this.#started) return exchange.end()
    const body = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
    const { method } = exchange.line
    if (method !== 'HEAD') return exchange.respond(this.#head!, body)
    if (this.#length >= 0) return exchange.respond(this.#head!, body, this.#length)
    // How long the answer to GET would be is not told.
    exchange.start(this.#head!, -1)
    exchange.end()
  }

  /** Nobody waits for it any more. */
  drop(): void {
    this.#stopTimer()
    this.#head = null
    this.#held = []
  }

  #start(): void {
    const head = this.#head
    if (this.#started || head === null) return
    this.#stopTimer()
    this.#started = true
    this.#exchange.start(head, this.#length)
    for (const part of this.#held) this.#fast = this.#exchange.write(part, true)
    this.#held = []
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
