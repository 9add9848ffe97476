/** What a program says on stderr, line by line into our log: bounded, and nothing in it moves a cursor. */

/** Longer lines are cut, bytes. */
const LONGEST_LINE = 2000
/** Lines of one run; what follows is counted. */
const MOST_LINES = 200

const LF = 0x0a

export class Words {
  readonly #say: (line: string) => void
  /** The unfinished line. */
  #held = ''
  #lines = 0
  #dropped = 0

  /** `say` gets each line without control characters. */
  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** More of what it says; `bytes` are valid only during the call. */
  take(bytes: Buffer): void {
    let from = 0
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#hold(bytes, from, end)
      this.#line()
      from = end + 1
    }
    this.#hold(bytes, from, bytes.length)
  }

  /** It says no more. */
  end(): void {
    this.#line()
    if (this.#dropped > 0) this.#say(`(${this.#dropped} more lines)`)
    this.#dropped = 0
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    const room = LONGEST_LINE + 1 - this.#held.length
    if (room > 0) this.#held += bytes.toString('latin1', from, Math.min(to, from + room))
  }

  #line(): void {
    const line = this.#held.trimEnd()
    this.#held = ''
    if (line === '') return
    if (this.#lines === MOST_LINES) {
      this.#dropped++
      return
    }
    this.#lines++
    const whole = line.length <= LONGEST_LINE
    this.#say(whole ? printable(line) : `${printable(line.slice(0, LONGEST_LINE))}…`)
  }
}

/** Bytes as text for a log: UTF-8 where it is that, and control characters as `\xNN`. */
export function printable(bytes: string): string {
  const utf8 = Buffer.from(bytes, 'latin1').toString()
  const shown = utf8.includes('\ufffd') ? bytes : utf8
  return shown.replace(
    /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
