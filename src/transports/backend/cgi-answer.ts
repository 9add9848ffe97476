/** CGI answers on their way to a visitor: the head, remembered, and the body behind it. Pure. */
import { type AnswerHead, HAS_DATE, HAS_SERVER } from '../../request/exchange.ts'
import { withoutOrders } from '../../request/orders.ts'
import { cgiHeadEnd, parseCgiAnswer } from '../../wire/cgi-answer.ts'
import { Memo } from '../../wire/memo.ts'
import { type AnswerReader, MOST_FIELDS, MOST_HEADS, type ReceivedHead } from './answer.ts'
import { eachField, endsHere } from './end-to-end.ts'
import { HeadBytes } from './head-bytes.ts'

/** The head of a CGI answer; `named`, `location` and `local` as in `CgiAnswerFacts`. */
export interface CgiHead extends ReceivedHead {
  readonly named: boolean
  readonly location: string
  readonly local: boolean
}

export interface CgiReceiver {
  head(answer: CgiHead): void
  /** A view of body bytes, valid only during the call that decodes. */
  body(view: Uint8Array): void
}

const memo = new Memo<CgiHead>(MOST_HEADS)

/** Reads a head's text (see `parseCgiAnswer`). Throws BACKEND_LIED. */
export function readCgiHead(text: string): CgiHead {
  const known = memo.get(text)
  if (known !== undefined) return known
  const { status, reason, contentLength, named, location, local, ...facts } = parseCgiAnswer(
    text,
    MOST_FIELDS,
  )
  let fields = ''
  let has = 0
  eachField(facts, (written, name, value) => {
    if (name === 'status' || name === 'trailer' || endsHere(name, facts.connection)) return
    if (name === 'date') has |= HAS_DATE
    else if (name === 'server') has |= HAS_SERVER
    fields += `${written}: ${value}\r\n`
  })
  const head: AnswerHead = { status, reason, has, ...withoutOrders(fields) }
  return memo.put(text, { head, contentLength, protocol: '', named, location, local }, () => text)
}

/** Where the decoder is in an answer. SURPLUS: behind the body's last byte, before the answer's end. */
const State = { HEAD: 0, BODY: 1, SURPLUS: 2 } as const

/**
 * Decodes one CGI answer after another from what a program writes. Where an answer ends is told by
 * `finish`; `done` comes earlier only when all has come that the head announced.
 */
export class CgiAnswerDecoder implements AnswerReader {
  readonly persistent = false
  readonly trailers = ''
  readonly #receiver: CgiReceiver
  readonly #headBytes = new HeadBytes(cgiHeadEnd)
  #state: number = State.HEAD
  #method = ''
  /** Body bytes still to come; infinite where no length was given. */
  #left = 0
  #bounded = false

  constructor(receiver: CgiReceiver) {
    this.#receiver = receiver
  }

  expect(method: string): void {
    this.#state = State.HEAD
    this.#method = method
    this.#headBytes.reset()
  }

  /** All of the body has come that can come. */
  get done(): boolean {
    return this.#state === State.SURPLUS
  }

  /** The head has come. */
  get begun(): boolean {
    return this.#state !== State.HEAD
  }

  decode(bytes: Buffer, length: number): number {
    return this.decodeFrom(bytes, 0, length)
  }

  /** Decodes `bytes[from, to)`; returns where it stopped: `to`, or the end of the body when `done`. */
  decodeFrom(bytes: Buffer, from: number, to: number): number {
    let at = from
    if (this.#state === State.HEAD) {
      at = this.#headBytes.take(bytes, at, to)
      if (this.#headBytes.text === '') return at
      this.#gotHead(this.#headBytes.text)
      this.#headBytes.reset()
    }
    if (this.#state !== State.BODY || at === to) return at
    const end = Math.min(to, at + this.#left)
    this.#left -= end - at
    if (this.#left === 0) this.#state = State.SURPLUS
    this.#receiver.body(bytes.subarray(at, end))
    return end
  }

  finish(): boolean {
    if (this.#state === State.BODY && !this.#bounded) this.#state = State.SURPLUS
    return this.done
  }

  #gotHead(text: string): void {
    const answer = readCgiHead(text)
    const { status } = answer.head
    const empty = this.#method === 'HEAD' || status === 204 || status === 304
    this.#bounded = empty || answer.contentLength >= 0
    this.#left = empty ? 0 : this.#bounded ? answer.contentLength : Number.POSITIVE_INFINITY
    this.#state = this.#left === 0 ? State.SURPLUS : State.BODY
    this.#receiver.head(answer)
  }
}
