/**
 * Hot: requests out of header blocks. Visitors repeat themselves: a block without anything for the table is
 * the same request for as long as the table is the same, and is not decoded again.
 */
import { HpackDecoder } from '../../wire/hpack-decoder.ts'
import {
  type Http2Request,
  type Http2RequestLimits,
  Http2RequestReader,
} from '../../wire/http2-request.ts'

/** Longer blocks are not remembered, and not more than so many of a connection. */
const LONGEST = 512
const MOST_KNOWN = 64
/** Nor is what they have become by the table, when it is longer: a few bytes can say very much. */
const LONGEST_HEAD = 2_048

export class Blocks {
  readonly #decoder = new HpackDecoder()
  readonly #reader: Http2RequestReader
  /** Blocks that were over with their head, for a version of the table. */
  #known: Map<string, Http2Request> | null = null
  #version = 0

  constructor(limits: Http2RequestLimits) {
    this.#reader = new Http2RequestReader(limits)
  }

  /** As much of the last request line as is known. */
  get told(): string {
    return this.#reader.told
  }

  /**
   * The request in `bytes[from, to)`. `over`: nothing comes behind it. Throws HpackFault for what breaks the
   * connection; Http2Fault and PorticoError concern the request alone: the whole block has been decoded.
   */
  request(bytes: Buffer, from: number, to: number, stream: number, over: boolean): Http2Request {
    const decoder = this.#decoder
    const { version } = decoder
    const short = over && to - from <= LONGEST
    const key = short ? bytes.toString('latin1', from, to) : ''
    if (short && this.#known !== null) {
      if (this.#version === version) {
        const known = this.#known.get(key)
        if (known !== undefined) return known
      } else this.#known.clear()
    }
    this.#reader.begin(false)
    decoder.decode(bytes, from, to, this.#reader.field)
    const request = this.#reader.request(stream, over)
    const { line, fields } = request
    const kept = line.origin.length + fields.raw.length
    if (short && decoder.version === version && kept <= LONGEST_HEAD) {
      this.#known ??= new Map()
      if (this.#known.size >= MOST_KNOWN) this.#known.clear()
      this.#known.set(key, request)
      this.#version = version
    }
    return request
  }

  /** A block of trailers as HTTP/1 has them. Throws as `request`. */
  trailers(bytes: Buffer, from: number, to: number, stream: number): string {
    this.#reader.begin(true)
    this.#decoder.decode(bytes, from, to, this.#reader.field)
    return this.#reader.trailers(stream)
  }

  /** Decodes a block for nobody: the table has to be right for the next one. Throws HpackFault. */
  skip(bytes: Buffer, from: number, to: number): void {
    this.#decoder.decode(bytes, from, to, nobody)
  }
}

function nobody(): void {}
