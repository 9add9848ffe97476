/**
 * Decodes the bytes of one HTTP/1.1 answer after another. Pure: no clock, no I/O. It is fed what was
 * read and calls back with heads and views of body bytes; it looks at no byte behind an answer's end.
 */
import { PorticoError } from '../../errors.ts'
import { BodyEnd, bodyEnd } from '../../wire/answer-head.ts'
import { ChunkedDecoder } from '../../wire/chunked.ts'
import { type ReceivedHead, readAnswerHead } from './answer.ts'

/** Longest head, bytes. */
export const LONGEST_HEAD = 65_536
/** Interim answers before the final one; more serve nobody. */
const MOST_INTERIM = 32
/** Heads are rarely longer: what is looked through as text before a search of the whole read. */
const USUAL_HEAD = 2048

const State = { HEAD: 0, BODY: 1, DONE: 2 } as const

export interface AnswerReceiver {
  /** An interim answer, 102 to 199. */
  interim(answer: ReceivedHead): void
  /** The head of the final answer. A 101 is the last of HTTP on its connection. */
  head(answer: ReceivedHead): void
  /** A view of body bytes, valid only during the call that decodes. */
  body(view: Uint8Array): void
}

export class AnswerDecoder {
  readonly #receiver: AnswerReceiver
  readonly #data: (view: Uint8Array) => boolean
  #state: number = State.HEAD
  #method = ''
  /** The part of a head that came in earlier reads. */
  #held: Buffer | null = null
  #heldLength = 0
  #interims = 0
  #end: number = BodyEnd.NONE
  /** Body bytes still to come, of a Content-Length. */
  #left = 0
  #chunked: ChunkedDecoder | null = null

  constructor(receiver: AnswerReceiver) {
    this.#receiver = receiver
    this.#data = (view) => {
      receiver.body(view)
      return true
    }
  }

  /** The next bytes answer a request with `method`. */
  expect(method: string): void {
    this.#state = State.HEAD
    this.#method = method
    this.#held = null
    this.#heldLength = 0
    this.#interims = 0
    this.#chunked = null
  }

  /** The answer is complete. */
  get done(): boolean {
    return this.#state === State.DONE
  }

  /** The answer's trailers as they came, once `done`. */
  get trailers(): string {
    return this.#chunked === null ? '' : this.#chunked.trailers
  }

  /**
   * Decodes `bytes[0, length)`. Returns where it stopped: `length`, or the end of the answer when
   * `done`. Throws BACKEND_LIED.
   */
  decode(bytes: Buffer, length: number): number {
    let at = 0
    while (this.#state === State.HEAD && at < length) at = this.#decodeHead(bytes, at, length)
    if (this.#state !== State.BODY || at === length) return at
    if (this.#end === BodyEnd.CHUNKED) return this.#decodeChunked(bytes, at, length)
    let end = length
    if (this.#end === BodyEnd.LENGTH) {
      end = Math.min(length, at + this.#left)
      this.#left -= end - at
      if (this.#left === 0) this.#state = State.DONE
    }
    this.#receiver.body(bytes.subarray(at, end))
    return end
  }

  /** The backend will send no more. True: that was the answer's end; false: it was cut short. */
  finish(): boolean {
    if (this.#state === State.BODY && this.#end === BodyEnd.CLOSE) this.#state = State.DONE
    return this.#state === State.DONE
  }

  /** Takes head bytes from `at`; returns where the next byte to look at is. */
  #decodeHead(bytes: Buffer, at: number, length: number): number {
    if (this.#held !== null) return this.#continueHead(bytes, at, length)
    const text = bytes.toString('latin1', at, Math.min(length, at + USUAL_HEAD))
    const blank = text.indexOf('\r\n\r\n')
    if (blank >= 0) {
      this.#gotHead(text.slice(0, blank + 2))
      return at + blank + 4
    }
    return this.#continueHead(bytes, at, length)
  }

  /** Collects a head that is long or came in several reads. Each byte is copied and searched once. */
  #continueHead(bytes: Buffer, at: number, length: number): number {
    const before = this.#heldLength
    const take = Math.min(length - at, LONGEST_HEAD - before)
    const held = this.#hold(bytes, at, take)
    const blank = held
      .subarray(0, before + take)
      .indexOf('\r\n\r\n', Math.max(0, before - 3), 'latin1')
    if (blank < 0) {
      if (before + take >= LONGEST_HEAD) {
        throw new PorticoError('BACKEND_LIED', `a head of more than ${LONGEST_HEAD} bytes`)
      }
      return at + take
    }
    this.#held = null
    this.#heldLength = 0
    this.#gotHead(held.toString('latin1', 0, blank + 2))
    return at + blank + 4 - before
  }

  #hold(bytes: Buffer, at: number, take: number): Buffer {
    const before = this.#heldLength
    let held = this.#held
    if (held === null || held.length < before + take) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(LONGEST_HEAD, Math.max(1024, 2 * (before + take))),
      )
      held?.copy(larger, 0, 0, before)
      held = larger
      this.#held = held
    }
    bytes.copy(held, before, at, at + take)
    this.#heldLength = before + take
    return held
  }

  #gotHead(text: string): void {
    const answer = readAnswerHead(text)
    const { facts } = answer
    if (facts.status < 200 && facts.status !== 101) {
      if (++this.#interims > MOST_INTERIM)
        throw new PorticoError('BACKEND_LIED', 'endless interim answers')
      // RFC 9110 §15.2.1: we answered the visitor's expectation ourselves, so a 100 has no reader.
      if (facts.status !== 100) this.#receiver.interim(answer)
      return
    }
    this.#end = bodyEnd(facts, this.#method)
    this.#left = facts.contentLength
    const empty = this.#end === BodyEnd.NONE || (this.#end === BodyEnd.LENGTH && this.#left === 0)
    this.#state = empty ? State.DONE : State.BODY
    if (this.#end === BodyEnd.CHUNKED) this.#chunked = new ChunkedDecoder()
    this.#receiver.head(answer)
  }

  #decodeChunked(bytes: Buffer, at: number, length: number): number {
    const chunked = this.#chunked!
    try {
      const end = chunked.decode(bytes, at, length, this.#data)
      if (chunked.done) this.#state = State.DONE
      return end
    } catch (cause) {
      if (!(cause instanceof PorticoError) || cause.code !== 'BAD_CHUNK') throw cause
      throw new PorticoError('BACKEND_LIED', cause.message, { cause })
    }
  }
}
