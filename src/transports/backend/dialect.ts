/** What is particular to a protocol, as spoken to a backend on one connection. */
import type { Exchange } from '../../request/exchange.ts'
import type { AnswerReader } from './answer.ts'

export interface Dialect {
  readonly reader: AnswerReader
  /** What tells the backend, in the midst of a request, that nobody waits for its answer; null: closing does. */
  readonly farewell: Uint8Array | null
  /**
   * What begins a request: all of it where it has no body. Text is latin-1. Throws for a request that
   * cannot be said in this protocol.
   */
  begin(exchange: Exchange): string | Uint8Array
  /** A part of the body, which is not empty, framed, in memory of its own. */
  part(chunk: Uint8Array): Uint8Array
  /** What follows the body: `trailers` as far as the protocol has any. '' for nothing. */
  end(trailers: string): string | Uint8Array
}
