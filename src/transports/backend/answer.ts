/** What a decoder of answers tells, whatever protocol they came in. */
import type { AnswerHead } from '../../request/exchange.ts'

/** Longest head of an answer, bytes. */
export const LONGEST_HEAD = 65_536
/** Fields in one answer; heads are bounded in bytes by who reads them. */
export const MOST_FIELDS = 1000
/** Different heads remembered in each thread, per kind. */
export const MOST_HEADS = 512

/** The head of an answer as a transport needs it: what goes to the visitor, and the body's length. */
export interface ReceivedHead {
  /** End-to-end fields only; for a 101 with its Connection and Upgrade. */
  readonly head: AnswerHead
  /** Bytes of the body as announced; -1: not given. */
  readonly contentLength: number
  /** The protocol of a 101, lower case, else ''. */
  readonly protocol: string
}

export interface AnswerReceiver {
  /** An interim answer, 102 to 199. */
  interim(answer: ReceivedHead): void
  /** The head of the final answer. A 101 is the last of its protocol on its connection. */
  head(answer: ReceivedHead): void
  /** A view of body bytes, valid only during the call that decodes. */
  body(view: Uint8Array): void
}

/**
 * Decodes the bytes of one answer after another, on one connection. Pure: no clock, no I/O. It looks
 * at no byte behind an answer's end.
 */
export interface AnswerReader {
  /** The answer is complete. */
  readonly done: boolean
  /** Another request may go over the connection once this answer is `done`. */
  readonly persistent: boolean
  /** The answer's trailers as they came, once `done`. */
  readonly trailers: string
  /** The next bytes answer a request with `method`. */
  expect(method: string): void
  /**
   * Decodes `bytes[0, length)`. Returns where it stopped: `length`, or the end of the answer when
   * `done`. Throws BACKEND_LIED; NO_BACKEND from a server that would rather not have been asked, and
   * has done nothing.
   */
  decode(bytes: Buffer, length: number): number
  /** The backend will send no more. True: that was the answer's end; false: it was cut short. */
  finish(): boolean
}
