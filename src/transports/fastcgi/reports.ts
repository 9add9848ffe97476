/** What a FastCGI server reports beside its answers (STDERR, exit status), as lines for the log. */
import type { RequestLine } from '../../wire/request-line.ts'

/** Longer lines are cut, bytes. */
const LONGEST_LINE = 2048
/** Lines of one request; more are not kept. */
const MOST_LINES = 64
const NEWLINE = 0x0a

export class Reports {
  readonly #log: (line: string) => void
  #line: RequestLine | null = null
  #lines = 0
  /** The line that has no end yet. */
  #rest = ''

  constructor(log: (line: string) => void) {
    this.#log = log
  }

  /** What comes next is about this request. */
  about(line: RequestLine): void {
    this.#line = line
    this.#lines = 0
    this.#rest = ''
  }

  add(bytes: Buffer): void {
    let from = 0
    while (from < bytes.length && this.#lines < MOST_LINES) {
      const newline = bytes.indexOf(NEWLINE, from)
      const end = newline < 0 ? bytes.length : newline
      const room = LONGEST_LINE - this.#rest.length
      this.#rest += bytes.toString('latin1', from, Math.min(end, from + room))
      if (newline < 0) return
      this.#flush()
      from = newline + 1
    }
  }

  /** The request is over, with the exit status of its program. */
  end(exitStatus: number): void {
    this.#flush()
    if (exitStatus !== 0) this.#say(`exit status ${exitStatus}`)
  }

  #flush(): void {
    const text = Buffer.from(this.#rest, 'latin1').toString().trim()
    this.#rest = ''
    if (text === '') return
    this.#lines++
    this.#say(this.#lines < MOST_LINES ? text : 'more reports, which are not shown')
  }

  #say(text: string): void {
    const { method, origin } = this.#line ?? { method: '-', origin: '-' }
    this.#log(`${method} ${origin.slice(0, 256)}: ${text.replace(UNPRINTABLE, escaped)}`)
  }
}

/** What would move the cursor, forge a line of the log, or have it read backwards. */
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16)
  return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`
}
