/**
 * Lines of IMAP, POP3 and SMTP: ended by CRLF, bounded. A CR or LF of its own is none of any of the three
 * (RFC 5321 §2.3.8, RFC 9051 §2.2, RFC 1939 §3), and what one program takes for the end of a line and
 * another does not is how commands are smuggled: so it is refused. Pure.
 */
import { PorticoError } from '../errors.ts'

const CR = 0x0d
const LF = 0x0a
const NONE = Buffer.alloc(0)

export class MailLines {
  readonly #most: number
  #held: Buffer = NONE
  /** Up to here there is no end of a line. */
  #searched = 0

  /** `most`: bytes of a line with its CRLF. */
  constructor(most: number) {
    this.#most = most
  }

  /** More has come. The bytes are copied. */
  push(bytes: Uint8Array): void {
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes])
  }

  /** The next line without its CRLF, latin-1; null: it is not complete. Throws BAD_MAIL_LINE. */
  line(): string | null {
    const held = this.#held
    for (let at = this.#searched; at < held.length; at++) {
      const byte = held[at]!
      if (byte === LF) throw new PorticoError('BAD_MAIL_LINE', 'LF without CR')
      if (byte !== CR) continue
      const after = held[at + 1]
      if (after === undefined) {
        this.#searched = at
        return this.#more()
      }
      if (after !== LF) throw new PorticoError('BAD_MAIL_LINE', 'CR without LF')
      if (at + 2 > this.#most) throw new PorticoError('BAD_MAIL_LINE', 'too long')
      const text = held.toString('latin1', 0, at)
      this.#drop(at + 2)
      return text
    }
    this.#searched = held.length
    return this.#more()
  }

  #more(): null {
    if (this.#held.length >= this.#most) throw new PorticoError('BAD_MAIL_LINE', 'too long')
    return null
  }

  /** Exactly so many bytes, latin-1; null: they have not come. */
  literal(size: number): string | null {
    if (this.#held.length < size) return null
    const text = this.#held.toString('latin1', 0, size)
    this.#drop(size)
    return text
  }

  #drop(count: number): void {
    this.#held = count === this.#held.length ? NONE : this.#held.subarray(count)
    this.#searched = 0
  }

  /** Nothing waits. */
  get empty(): boolean {
    return this.#held.length === 0
  }

  get length(): number {
    return this.#held.length
  }

  /** Takes all that waits. */
  rest(): Buffer {
    const rest = this.#held
    this.#held = NONE
    this.#searched = 0
    return rest
  }
}
