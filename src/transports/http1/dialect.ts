/** HTTP/1.1 as spoken to a backend. */
import type { Exchange } from '../../request/exchange.ts'
import type { AnswerReceiver } from '../backend/answer.ts'
import type { Dialect } from '../backend/dialect.ts'
import { forwardedTrailers } from '../backend/end-to-end.ts'
import { AnswerDecoder } from './answer-decoder.ts'
import type { RequestHeads } from './request-head.ts'

const MOST_TRAILERS = 100

export class HttpDialect implements Dialect {
  readonly reader: AnswerDecoder
  readonly farewell = null
  readonly #heads: RequestHeads
  #chunked = false

  constructor(heads: RequestHeads, receiver: AnswerReceiver) {
    this.#heads = heads
    this.reader = new AnswerDecoder(receiver)
  }

  begin(exchange: Exchange): string {
    this.#chunked = exchange.fields.chunked
    return this.#heads.text(exchange)
  }

  part(chunk: Uint8Array): Uint8Array {
    return this.#chunked ? asChunk(chunk) : Buffer.from(chunk)
  }

  end(trailers: string): string {
    return this.#chunked ? `0\r\n${forwardedTrailers(trailers, MOST_TRAILERS)}\r\n` : ''
  }
}

/** One chunk with its size line (RFC 9112 §7.1). */
function asChunk(data: Uint8Array): Buffer {
  const size = `${data.length.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(size.length + data.length + 2)
  chunk.write(size, 'latin1')
  chunk.set(data, size.length)
  chunk.write('\r\n', size.length + data.length, 'latin1')
  return chunk
}
