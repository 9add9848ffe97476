/**
 * SCGI requests, pure and both ways: a netstring (`70:…,`) of NUL-terminated names and values, of which
 * CONTENT_LENGTH comes first and SCGI is 1; then the body. https://python.ca/scgi/protocol.txt
 */
import { PorticoError } from '../errors.ts'
import { Gather } from './gather.ts'
import { wrongProtocol } from './wrong-protocol.ts'

/** Digits of a netstring's length that make sense. */
const MOST_DIGITS = 9
const ZERO = 0x30
const COLON = 0x3a
const COMMA = 0x2c

/**
 * The head of a request whose body has `contentLength` bytes. `pairs` is key, value, key, value … in
 * latin-1, without CONTENT_LENGTH and SCGI. Throws BAD_FIELD for what cannot be said.
 */
export function encodeScgi(contentLength: number, pairs: readonly string[]): Buffer {
  const names = new Set(['CONTENT_LENGTH', 'SCGI'])
  for (let i = 0; i < pairs.length; i++) {
    const text = pairs[i]!
    if (text.includes('\0')) throw new PorticoError('BAD_FIELD', 'NUL in a variable')
    if (i % 2 === 1) continue
    if (text === '' || names.has(text)) {
      throw new PorticoError('BAD_FIELD', `variable ${JSON.stringify(text.slice(0, 64))}`)
    }
    names.add(text)
  }
  const own = `CONTENT_LENGTH\0${contentLength}\0SCGI\x001\0`
  const rest = pairs.length === 0 ? '' : `${pairs.join('\0')}\0`
  return Buffer.from(`${own.length + rest.length}:${own}${rest},`, 'latin1')
}

/**
 * The variables in a netstring's content, given as latin-1 text: key, value, key, value … Throws
 * BAD_PACKET where they are not as the protocol says.
 */
export function decodeHeaders(text: string): string[] {
  if (!text.endsWith('\0')) throw new PorticoError('BAD_PACKET', 'headers without an end')
  const pairs = text.slice(0, -1).split('\0')
  if (pairs.length % 2 === 1) throw new PorticoError('BAD_PACKET', 'a name without a value')
  if (pairs[0] !== 'CONTENT_LENGTH') {
    throw new PorticoError('BAD_PACKET', 'CONTENT_LENGTH does not come first')
  }
  let version = ''
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === '') throw new PorticoError('BAD_PACKET', 'an empty name')
    if (pairs[i] === 'SCGI') version = pairs[i + 1]!
  }
  if (version !== '1') throw new PorticoError('BAD_PACKET', 'SCGI is not 1')
  return pairs
}

const Step = { LENGTH: 0, CONTENT: 1, COMMA: 2, DONE: 3 } as const

/** Takes one netstring of headers out of whatever pieces it comes in. */
export class ScgiDecoder {
  readonly #most: number
  readonly #content = new Gather()
  #step: number = Step.LENGTH
  #digits = 0
  /** Bytes of headers that the netstring announced. */
  size = 0

  /** Headers of more than `most` bytes are read over: `block` stays null. */
  constructor(most: number) {
    this.#most = most
  }

  /** The headers are complete. */
  get done(): boolean {
    return this.#step === Step.DONE
  }

  /** Nothing has come yet. */
  get untouched(): boolean {
    return this.#step === Step.LENGTH && this.#digits === 0
  }

  /** The headers, when they are complete and were not too large; valid as Gather's. */
  get block(): Buffer | null {
    return this.#content.block
  }

  /** Takes from `bytes[from, to)` what belongs to the netstring; returns where that ends. Throws BAD_PACKET. */
  decode(bytes: Buffer, from: number, to: number): number {
    let at = from
    while (this.#step === Step.LENGTH) {
      if (at === to) return at
      this.#length(bytes[at++]!)
    }
    if (this.#step === Step.CONTENT) {
      at = this.#content.take(bytes, at, to)
      if (!this.#content.complete) return at
      this.#step = Step.COMMA
      // What was a view of these bytes is lost when the comma comes with the next ones.
      if (at === to && this.#content.block !== null) this.#hold(this.#content.block)
    }
    if (this.#step === Step.COMMA && at < to) {
      if (bytes[at++] !== COMMA) throw new PorticoError('BAD_PACKET', 'a netstring without a comma')
      this.#step = Step.DONE
    }
    return at
  }

  /** Makes ready for another one. */
  reset(): void {
    this.#step = Step.LENGTH
    this.#digits = 0
    this.size = 0
  }

  #hold(block: Buffer): void {
    const own = Buffer.allocUnsafeSlow(block.length)
    block.copy(own)
    this.#content.block = own
  }

  #length(byte: number): void {
    if (byte === COLON && this.#digits > 0) {
      this.#step = Step.CONTENT
      this.#content.expect(this.size, this.size <= this.#most)
      return
    }
    const digit = byte - ZERO
    const leadingZero = this.#digits === 1 && this.size === 0
    if (digit < 0 || digit > 9 || leadingZero || this.#digits === MOST_DIGITS) {
      const first = this.#digits === 0 ? byte : ZERO
      throw wrongProtocol(first, 'SCGI', 'the length of a netstring')
    }
    this.size = this.size * 10 + digit
    this.#digits++
  }
}
