/**
 * An answer's head out of its fields (RFC 9113 §8.3.2). They become the text that HTTP/1.1 would have, which
 * its own grammar judges. What only HTTP/2 forbids is found here.
 */
import { HpackDecoder } from '../../wire/hpack-decoder.ts'
import { Http2Code, Http2Fault } from '../../wire/http2.ts'
import { LONGEST_HEAD } from '../backend/answer.ts'
import { type HttpHead, readAnswerHead } from '../http1/answer.ts'

/** §8.2.1: upper case, blanks and controls are no part of a name. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** §8.2.1: what would end a line. The rest is found by HTTP/1's grammar. */
const LINE_END = /[\r\n\0]/
/** §8.2.2. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** The blocks of one connection. */
export class AnswerBlocks {
  readonly #decoder = new HpackDecoder()
  #status = ''
  #text = ''
  #size = 0
  #regular = false
  #trailers = false
  /** What makes it malformed (§8.1.1), '' for nothing so far. */
  #wrong = ''

  /** Throws HpackFault for what breaks the connection; Http2Fault and PorticoError concern the stream. */
  head(bytes: Buffer, from: number, to: number, stream: number): HttpHead {
    this.#decode(bytes, from, to, false)
    if (this.#wrong === '' && this.#status === '') this.#wrong = 'no :status'
    this.#check(stream)
    return readAnswerHead(`HTTP/1.1 ${this.#status} \r\n${this.#text}\r\n`)
  }

  /** A block of trailers as HTTP/1 has them. Throws as `head`. */
  trailers(bytes: Buffer, from: number, to: number, stream: number): string {
    this.#decode(bytes, from, to, true)
    this.#check(stream)
    return this.#text
  }

  /** For nobody: the table has to be right for the next one. */
  skip(bytes: Buffer, from: number, to: number): void {
    this.#decoder.decode(bytes, from, to, () => {})
  }

  #decode(bytes: Buffer, from: number, to: number, trailers: boolean): void {
    this.#status = this.#text = this.#wrong = ''
    this.#size = 0
    this.#regular = false
    this.#trailers = trailers
    this.#decoder.decode(bytes, from, to, this.#field)
  }

  /** Throws nothing: the rest of the block has to be decoded all the same. */
  readonly #field = (name: string, value: string): void => {
    this.#size += name.length + value.length + 4
    if (this.#size > LONGEST_HEAD) {
      this.#wrong = `a head of more than ${LONGEST_HEAD} bytes`
      return
    }
    if (name.startsWith(':')) {
      const misplaced = this.#trailers || this.#regular || this.#status !== ''
      if (name !== ':status' || misplaced || !/^[1-9][0-9]{2}$/.test(value)) this.#wrong = name
      this.#status = value
      return
    }
    this.#regular = true
    if (!NAME.test(name) || NOT_HERE.has(name) || LINE_END.test(value)) {
      this.#wrong = `the field ${JSON.stringify(name.slice(0, 64))}`
      return
    }
    this.#text += `${name}: ${value}\r\n`
  }

  #check(stream: number): void {
    if (this.#wrong !== '') throw new Http2Fault(Http2Code.PROTOCOL_ERROR, this.#wrong, stream)
  }
}
