/** Replies as clients read them, in whatever pieces they come: RESP2 and RESP3. Pure, strict and bounded. */
import { Gather } from './gather.ts'
import { Failure, NO_ARRAY, Pairs, Push, type Reply, RespError, Status } from './resp.ts'

export interface ReplyLimits {
  /** Longest string, bytes. */
  readonly bulk: number
  /** Most values in one reply, nested ones counted. */
  readonly values: number
}

const LONGEST_LINE = 65_536
const DEEPEST = 32
const LF = 0x0a

const Step = { LINE: 0, DATA: 1, CR: 2, LF: 3 } as const

interface Open {
  readonly kind: string
  readonly items: Reply[]
  left: number
}

export class ReplyDecoder {
  readonly #limits: ReplyLimits
  readonly #data = new Gather()
  readonly #open: Open[] = []
  #step: number = Step.LINE
  #line = ''
  #text = ''
  /** `=`: begins with its format and a colon. */
  #verbatim = false
  #values = 0
  /** The last `decode` completed a reply, which is in `reply`. */
  done = false
  reply: Reply = null

  constructor(limits: ReplyLimits) {
    this.#limits = limits
  }

  /** Takes up to the end of one reply; returns where that ends. Throws a RespError. */
  decode(bytes: Buffer, from: number, to: number): number {
    this.done = false
    let at = from
    while (at < to && !this.done) {
      if (this.#step === Step.LINE) at = this.#takeLine(bytes, at, to)
      else if (this.#step === Step.DATA) {
        at = this.#data.take(bytes, at, to)
        if (!this.#data.complete) return at
        this.#text = this.#data.block!.toString('latin1')
        this.#data.block = null
        this.#step = Step.CR
      } else {
        const expected = this.#step === Step.CR ? 0x0d : LF
        if (bytes[at++] !== expected) throw new RespError('a string without its end')
        if (this.#step === Step.CR) this.#step = Step.LF
        else {
          this.#step = Step.LINE
          this.#value(this.#verbatim ? this.#text.slice(4) : this.#text)
        }
      }
    }
    return at
  }

  #takeLine(bytes: Buffer, from: number, to: number): number {
    const found = bytes.subarray(from, to).indexOf(LF)
    const end = found < 0 ? to : from + found
    if (this.#line.length + end - from > LONGEST_LINE) throw new RespError('a line without an end')
    this.#line += bytes.toString('latin1', from, end)
    if (found < 0) return to
    const line = this.#line
    this.#line = ''
    if (!line.endsWith('\r')) throw new RespError('a line that ends without a carriage return')
    this.#begin(line[0] ?? '', line.slice(1, -1))
    return end + 1
  }

  #begin(kind: string, rest: string): void {
    switch (kind) {
      case '+':
        return this.#value(new Status(rest))
      case '-':
        return this.#value(new Failure(rest))
      case ':': {
        if (!/^[+-]?\d{1,19}$/.test(rest)) throw new RespError('not a number')
        const number = Number(rest)
        return this.#value(Number.isSafeInteger(number) ? number : BigInt(rest))
      }
      case '_':
        return this.#value(null)
      case '#':
        return this.#value(rest === 't' ? 1 : 0)
      // A double and a big number: as they were written.
      case ',':
      case '(':
        return this.#value(rest)
      case '$':
      case '=':
        return this.#string(kind, length(rest, this.#limits.bulk))
      case '*':
      case '~':
      case '>':
      case '%':
        return this.#several(kind, length(rest, this.#limits.values))
      default:
        throw new RespError(`no reply begins with ${JSON.stringify(kind)}`)
    }
  }

  #string(kind: string, size: number): void {
    if (size < 0) return this.#value(null)
    this.#verbatim = kind === '='
    this.#step = Step.CR
    this.#text = ''
    if (size === 0) return
    this.#data.expect(size, true)
    this.#step = Step.DATA
  }

  #several(kind: string, count: number): void {
    if (count < 0) return this.#value(NO_ARRAY)
    const left = kind === '%' ? count * 2 : count
    if (left === 0) return this.#value(made(kind, []))
    if (this.#open.length === DEEPEST) throw new RespError('a reply nested too deeply')
    this.#open.push({ kind, items: [], left })
  }

  #value(value: Reply): void {
    if (++this.#values > this.#limits.values) throw new RespError('a reply with too many values')
    let complete = value
    for (;;) {
      const open = this.#open.at(-1)
      if (open === undefined) break
      open.items.push(complete)
      if (--open.left > 0) return
      this.#open.pop()
      complete = made(open.kind, open.items)
    }
    this.#values = 0
    this.done = true
    this.reply = complete
  }
}

function length(text: string, most: number): number {
  if (text === '-1') return -1
  if (!/^\d{1,10}$/.test(text) || Number(text) > most) throw new RespError(`a length of ${text}`)
  return Number(text)
}

function made(kind: string, items: readonly Reply[]): Reply {
  if (kind === '%') return new Pairs(items)
  return kind === '>' ? new Push(items) : items
}
