/**
 * The chunked transfer coding (RFC 9112 §7.1), decoding, shared by gateways and transports. Pure: it
 * is fed bytes and calls back with views of them. Strict: sizes are hex digits only, every line ends
 * in CRLF, extensions are bounded and dropped, trailers are bounded and checked.
 *
 * Extensions are bounded twice: each by its line, and all together by the data that they come with. Else
 * a small body could be wrapped in gigabytes that no limit on bodies counts.
 */
import { PorticoError } from '../errors.ts'
import { parseFields } from './fields.ts'

/** Longest size line with its extensions, and longest trailer section, in bytes. */
const LONGEST_LINE = 4096
const LONGEST_TRAILERS = 16_384
const MOST_TRAILERS = 100
/** Extension bytes allowed beyond the number of data bytes so far. */
const SPARE_EXTENSIONS = 16_384
/** The size digits and CRLF of a line: what is longer has an extension. */
const PLAIN_LINE = 15

const State = { SIZE: 0, DATA: 1, DATA_CR: 2, DATA_LF: 3, TRAILERS: 4, DONE: 5 } as const

export class ChunkedDecoder {
  /** Bytes of the current chunk still to come. */
  #left = 0
  #state: number = State.SIZE
  /** The unfinished size line or trailer section, latin-1. */
  #line = ''
  /** Extension bytes still allowed. */
  #spare = SPARE_EXTENSIONS
  /** The raw trailer block, valid once `done`. */
  trailers = ''

  get done(): boolean {
    return this.#state === State.DONE
  }

  /**
   * Decodes `bytes[from, to)` and gives data views to `data` as they come. Returns where it stopped:
   * `to`, or earlier: behind the last byte of the body when `done`, or behind a view for which `data`
   * returned false. Throws BAD_CHUNK.
   */
  decode(bytes: Uint8Array, from: number, to: number, data: (view: Uint8Array) => boolean): number {
    let at = from
    while (at < to) {
      switch (this.#state) {
        case State.SIZE: {
          at = this.#collect(bytes, at, to, LONGEST_LINE)
          if (!this.#line.endsWith('\n')) break
          this.#left = parseChunkSize(this.#line)
          this.#spare += this.#left - Math.max(0, this.#line.length - PLAIN_LINE)
          if (this.#spare < 0) throw new PorticoError('BAD_CHUNK', 'too many extensions')
          this.#line = ''
          this.#state = this.#left === 0 ? State.TRAILERS : State.DATA
          break
        }
        case State.DATA: {
          const end = Math.min(to, at + this.#left)
          const view = bytes.subarray(at, end)
          this.#left -= end - at
          at = end
          if (this.#left === 0) this.#state = State.DATA_CR
          if (!data(view)) return at
          break
        }
        case State.DATA_CR:
          if (bytes[at++] !== 0x0d) throw new PorticoError('BAD_CHUNK', 'no CRLF after data')
          this.#state = State.DATA_LF
          break
        case State.DATA_LF:
          if (bytes[at++] !== 0x0a) throw new PorticoError('BAD_CHUNK', 'no CRLF after data')
          this.#state = State.SIZE
          break
        case State.TRAILERS:
          at = this.#collect(bytes, at, to, LONGEST_TRAILERS)
          if (!this.#line.endsWith('\n')) break
          if (!this.#line.endsWith('\r\n')) throw new PorticoError('BAD_CHUNK', 'trailers')
          if (this.#line === '\r\n') this.#finish('')
          else if (this.#line.endsWith('\r\n\r\n')) this.#finish(this.#line.slice(0, -2))
          break
        default:
          return at
      }
    }
    return at
  }

  /** Appends to the unfinished text up to and with the next LF; returns where the next byte is. */
  #collect(bytes: Uint8Array, at: number, to: number, most: number): number {
    const lf = bytes.indexOf(0x0a, at)
    const end = lf < 0 || lf >= to ? to : lf + 1
    if (this.#line.length + end - at > most) throw new PorticoError('BAD_CHUNK', 'line too long')
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('latin1')
    return end
  }

  #finish(block: string): void {
    try {
      parseFields(block, MOST_TRAILERS)
    } catch (cause) {
      throw new PorticoError('BAD_CHUNK', 'trailers', { cause })
    }
    this.trailers = block
    this.#line = ''
    this.#state = State.DONE
  }
}

/**
 * `1*HEXDIG *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) CRLF`. Nothing in it can
 * match in two ways, so a line that fails does so in linear time.
 */
const SIZE_LINE =
  /^([0-9A-Fa-f]{1,13})(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*\r\n$/

/** The size that a line with its CRLF tells. Throws BAD_CHUNK. */
export function parseChunkSize(line: string): number {
  const match = SIZE_LINE.exec(line)
  if (match === null) throw new PorticoError('BAD_CHUNK', 'size')
  return Number.parseInt(match[1]!, 16)
}
