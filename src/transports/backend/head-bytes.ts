/** Finds the end of a head in what is read, however it is cut. Each byte is copied and searched once. */
import { PorticoError } from '../../errors.ts'
import { LONGEST_HEAD } from './answer.ts'

/** Heads are rarely longer: what is looked through as text before a search of the whole read. */
const USUAL_HEAD = 2048
const LF = 0x0a
/** Of an empty line, at most so many bytes were in the read before: `\r\n\r`. */
const OVERLAP = 3

export class HeadBytes {
  /** The head with its empty line, latin-1, once `take` has found it; '' before. */
  text = ''
  /** The last head that came in one read: backends repeat themselves. */
  #last = ''
  readonly #findEnd: (text: string, from: number) => number
  /** The part of a head that came in earlier reads. */
  #held: Buffer | null = null
  #length = 0

  /** `findEnd`: the index behind the empty line in a text, or -1. */
  constructor(findEnd: (text: string, from: number) => number) {
    this.#findEnd = findEnd
  }

  /** Forgets what was held: another head comes. */
  reset(): void {
    this.text = ''
    this.#held = null
    this.#length = 0
  }

  /** Takes `bytes[at, length)` as far as the head goes; returns where. Throws BACKEND_LIED. */
  take(bytes: Buffer, at: number, length: number): number {
    if (this.#held === null) {
      const again = at + this.#last.length
      if (this.#isLast(bytes, at, again, length)) {
        this.text = this.#last
        return again
      }
      const text = bytes.toString('latin1', at, Math.min(length, at + USUAL_HEAD))
      const end = this.#findEnd(text, 0)
      if (end >= 0) {
        this.text = text.slice(0, end)
        this.#last = this.text
        return at + end
      }
    }
    return this.#collect(bytes, at, length)
  }

  #isLast(bytes: Buffer, at: number, end: number, length: number): boolean {
    if (end === at || end > length || bytes[end - 1] !== LF) return false
    return bytes.toString('latin1', at, end) === this.#last
  }

  #collect(bytes: Buffer, at: number, length: number): number {
    const before = this.#length
    const take = Math.min(length - at, LONGEST_HEAD - before)
    const held = this.#hold(bytes, at, take)
    const from = Math.max(0, before - OVERLAP)
    const end = this.#findEnd(held.toString('latin1', from, before + take), 0)
    if (end < 0) {
      if (before + take < LONGEST_HEAD) return at + take
      throw new PorticoError('BACKEND_LIED', `a head of more than ${LONGEST_HEAD} bytes`)
    }
    this.reset()
    this.text = held.toString('latin1', 0, from + end)
    return at + from + end - before
  }

  #hold(bytes: Buffer, at: number, take: number): Buffer {
    const before = this.#length
    let held = this.#held
    if (held === null || held.length < before + take) {
      const size = Math.min(LONGEST_HEAD, Math.max(1024, 2 * (before + take)))
      const larger = Buffer.allocUnsafeSlow(size)
      held?.copy(larger, 0, 0, before)
      held = larger
      this.#held = held
    }
    bytes.copy(held, before, at, at + take)
    this.#length = before + take
    return held
  }
}
