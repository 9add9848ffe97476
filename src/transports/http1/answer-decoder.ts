/**
 * Decodes the bytes of one HTTP/1.1 answer after another. Pure: no clock, no I/O. It is fed what was
 * read and calls back with heads and views of body bytes; it looks at no byte behind an answer's end.
 */
import { PorticoError } from '../../errors.ts'
import { BodyEnd, bodyEnd } from '../../wire/answer-head.ts'
import { ChunkedDecoder } from '../../wire/chunked.ts'
import type { AnswerReader, AnswerReceiver } from '../backend/answer.ts'
import { HeadBytes } from '../backend/head-bytes.ts'
import { readAnswerHead } from './answer.ts'

/** Interim answers before the final one; more serve nobody. */
const MOST_INTERIM = 32

const State = { HEAD: 0, BODY: 1, DONE: 2 } as const

function headEnd(text: string, from: number): number {
  const at = text.indexOf('\r\n\r\n', from)
  return at < 0 ? -1 : at + 4
}

export class AnswerDecoder implements AnswerReader {
  persistent = false
  readonly #receiver: AnswerReceiver
  readonly #data: (view: Uint8Array) => boolean
  #state: number = State.HEAD
  #method = ''
  readonly #headBytes = new HeadBytes(headEnd)
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

  expect(method: string): void {
    this.#state = State.HEAD
    this.#method = method
    this.#headBytes.reset()
    this.#interims = 0
    this.#chunked = null
  }

  get done(): boolean {
    return this.#state === State.DONE
  }

  get trailers(): string {
    return this.#chunked === null ? '' : this.#chunked.trailers
  }

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

  finish(): boolean {
    if (this.#state === State.BODY && this.#end === BodyEnd.CLOSE) this.#state = State.DONE
    return this.#state === State.DONE
  }

  /** Takes head bytes from `at`; returns where the next byte to look at is. */
  #decodeHead(bytes: Buffer, at: number, length: number): number {
    const end = this.#headBytes.take(bytes, at, length)
    const { text } = this.#headBytes
    if (text !== '') {
      this.#headBytes.reset()
      this.#gotHead(text)
    }
    return end
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
    this.persistent = facts.persistent
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
