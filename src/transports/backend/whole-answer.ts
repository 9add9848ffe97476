/** Gives a visitor an answer that came from the backend in one read. */
import { COPIED, type Exchange } from '../../request/exchange.ts'
import type { ReceivedHead } from './answer.ts'

/** One call, so that it leaves in one write. `owned`: the bytes of `body` will never change. */
export function answerAtOnce(
  exchange: Exchange,
  answer: ReceivedHead,
  body: Uint8Array,
  owned: boolean,
  trailers: string,
): void {
  const { head, contentLength } = answer
  const { status } = head
  const hidden = exchange.line.method === 'HEAD' || status === 304
  if (trailers !== '') {
    exchange.start(head, -1)
    exchange.write(body, owned)
    exchange.end(trailers)
  } else if (!hidden || status === 204) {
    exchange.respond(head, owned || body.length <= COPIED ? body : Buffer.from(body))
  } else if (contentLength >= 0) exchange.respond(head, body, contentLength)
  else {
    // The backend does not tell how long the answer to GET would be.
    exchange.start(head, -1)
    exchange.end()
  }
}
