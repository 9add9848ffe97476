/**
 * Commands as clients of Redis send them, in whatever pieces they come. Pure, strict and bounded.
 *
 *     LINE ──*n──► HEAD ──$n──► DATA ──► CRLF ──┐      each of n arguments
 *      │            ▲                           │
 *      │ inline     └───────────────────────────┘
 *      ▼ (telnet)
 */
import { Gather } from './gather.ts'
import { RespError } from './resp.ts'

export interface CommandLimits {
  /** Longest argument, bytes. */
  readonly argument: number
  /** All arguments of a command together, bytes. */
  readonly whole: number
}

/** As Redis has it. */
const MOST_ARGUMENTS = 1024 * 1024
const LONGEST_INLINE = 65_536
/** What an argument takes beside its bytes. */
export const ARGUMENT_COST = 32
/** `*1048576`. */
const LONGEST_HEAD = 16

const Step = { LINE: 0, HEAD: 1, DATA: 2, CR: 3, LF: 4 } as const

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const ZERO = 0x30

export class CommandDecoder {
  readonly #limits: CommandLimits
  readonly #data = new Gather()
  #step: number = Step.LINE
  /** A line that came in pieces. */
  #line = ''
  #args: string[] = []
  #left = 0
  #size = 0
  /** The command that the last `decode` completed: bytes as latin-1, the name first; null for none. */
  command: string[] | null = null

  constructor(limits: CommandLimits) {
    this.#limits = limits
  }

  /** What is kept of a command that has not come as a whole, bytes; what is announced of it counts. */
  get pending(): number {
    const begun = this.#step === Step.LINE ? 0 : this.#size + this.#args.length * ARGUMENT_COST
    return begun + this.#line.length
  }

  /** Nothing of a command has come yet. */
  get untouched(): boolean {
    return this.#step === Step.LINE && this.#line === ''
  }

  /**
   * Takes from `bytes[from, to)` up to the end of one command, which is then in `command`; returns where
   * that ends. Throws a RespError whose message is what Redis says.
   */
  decode(bytes: Buffer, from: number, to: number): number {
    this.command = null
    let at = from
    while (at < to) {
      switch (this.#step) {
        case Step.LINE:
          at = this.#begin(bytes, at, to)
          if (this.command !== null) return at
          break
        case Step.HEAD:
          at = this.#head(bytes, at, to)
          if (this.command !== null) return at
          break
        case Step.DATA:
          at = this.#data.take(bytes, at, to)
          if (this.#data.complete) {
            this.#args.push(this.#data.block!.toString('latin1'))
            this.#data.block = null
            this.#step = Step.CR
          }
          break
        case Step.CR:
          if (bytes[at++] !== CR) throw new RespError('Protocol error: an argument without its end')
          this.#step = Step.LF
          break
        case Step.LF:
          if (bytes[at++] !== LF) throw new RespError('Protocol error: an argument without its end')
          this.#next()
          if (this.command !== null) return at
      }
    }
    return at
  }

  #begin(bytes: Buffer, from: number, to: number): number {
    if (this.#line === '' && bytes[from] === STAR) {
      const count = plainNumber(bytes, from + 1, to)
      if (count > 0 && count <= MOST_ARGUMENTS) return this.#expect(count, lineEnd)
    }
    const first = this.#line === '' ? bytes[from] : this.#line.charCodeAt(0)
    const longest = first === STAR ? LONGEST_HEAD : LONGEST_INLINE
    const end = this.#toLineEnd(bytes, from, to, longest)
    if (end < 0) return to
    const line = this.#takeLine(bytes, from, end)
    if (first !== STAR) {
      const words = splitInline(line)
      if (words === null) throw new RespError('Protocol error: unbalanced quotes in request')
      if (words.length > 0) this.command = words
      return end + 1
    }
    const count = wholeNumber(line)
    if (count === null || count > MOST_ARGUMENTS) {
      throw new RespError('Protocol error: invalid multibulk length')
    }
    // Redis reads over an empty one.
    return count <= 0 ? end + 1 : this.#expect(count, end + 1)
  }

  #expect(count: number, at: number): number {
    this.#args = []
    this.#left = count
    this.#size = 0
    this.#step = Step.HEAD
    return at
  }

  #head(bytes: Buffer, from: number, to: number): number {
    if (this.#line === '' && bytes[from] === DOLLAR) {
      const length = plainNumber(bytes, from + 1, to)
      if (length >= 0) return this.#argument(bytes, length, lineEnd, to)
    }
    const first = this.#line === '' ? bytes[from]! : this.#line.charCodeAt(0)
    if (first !== DOLLAR) {
      const shown = first > 0x20 && first < 0x7f ? String.fromCharCode(first) : '?'
      throw new RespError(`Protocol error: expected '$', got '${shown}'`)
    }
    const end = this.#toLineEnd(bytes, from, to, LONGEST_HEAD)
    if (end < 0) return to
    const length = wholeNumber(this.#takeLine(bytes, from, end))
    if (length === null || length < 0) throw new RespError('Protocol error: invalid bulk length')
    return this.#argument(bytes, length, end + 1, to)
  }

  /** Of `length` bytes, from `at` on: almost always it is all there. */
  #argument(bytes: Buffer, length: number, at: number, to: number): number {
    if (length > this.#limits.argument) throw new RespError('Protocol error: invalid bulk length')
    this.#size += length
    if (this.#size > this.#limits.whole) throw new RespError('Protocol error: too large a command')
    const stop = at + length
    if (stop + 2 <= to && bytes[stop] === CR && bytes[stop + 1] === LF) {
      this.#args.push(bytes.toString('latin1', at, stop))
      this.#next()
      return stop + 2
    }
    if (length === 0) {
      this.#args.push('')
      this.#step = Step.CR
      return at
    }
    this.#data.expect(length, true)
    this.#step = Step.DATA
    return at
  }

  #next(): void {
    this.#step = Step.HEAD
    if (--this.#left > 0) return
    this.#step = Step.LINE
    this.command = this.#args
    this.#args = none
  }

  /** Where the line's LF is, or -1, with what there is of it kept. */
  #toLineEnd(bytes: Buffer, from: number, to: number, longest: number): number {
    const most = longest - this.#line.length
    let at = from
    while (at < to && bytes[at] !== LF) {
      if (++at - from > most) {
        throw new RespError(
          longest === LONGEST_HEAD
            ? 'Protocol error: too big count string'
            : 'Protocol error: too big inline request',
        )
      }
    }
    if (at < to) return at
    this.#line += bytes.toString('latin1', from, to)
    return -1
  }

  #takeLine(bytes: Buffer, from: number, end: number): string {
    const line = this.#line + bytes.toString('latin1', from, end)
    this.#line = ''
    return line.endsWith('\r') ? line.slice(0, -1) : line
  }
}

const none: string[] = []

/** Behind the line that `plainNumber` has read. */
let lineEnd = 0

/** The number that is all of a line; -1 where it is none, is very large, or has not come as a whole. */
function plainNumber(bytes: Buffer, from: number, to: number): number {
  let value = 0
  let at = from
  for (; at < to; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
  }
  const digits = at - from
  const isOne = digits > 0 && digits < 10 && (bytes[from] !== ZERO || digits === 1)
  if (!isOne || at + 1 >= to || bytes[at] !== CR || bytes[at + 1] !== LF) return -1
  lineEnd = at + 2
  return value
}

/** The number behind the first character, or null. */
function wholeNumber(line: string): number | null {
  return /^.(0|-?[1-9]\d*)$/.test(line) ? Number(line.slice(1)) : null
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }
const WORD = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/y

/** The words of a line that a person typed, with Redis's quotes; null where a quote is left open. */
export function splitInline(line: string): string[] | null {
  const words: string[] = []
  const rest = line.trimEnd()
  WORD.lastIndex = 0
  while (WORD.lastIndex < rest.length) {
    const [, double, single, plain] = WORD.exec(rest) ?? [null, undefined, undefined, undefined]
    const word =
      plain ?? single?.replace(/\\'/g, "'") ?? double?.replace(/\\(x[\da-fA-F]{2}|.)/g, unquote)
    if (word === undefined) return null
    // A copy: a part of a string keeps all of it.
    words.push(Buffer.from(word, 'latin1').toString('latin1'))
  }
  return words
}

function unquote(_whole: string, what: string): string {
  if (what.length === 3) return String.fromCharCode(Number.parseInt(what.slice(1), 16))
  return ESCAPES[what] ?? what
}
