/** Small handlers for tests. */
import type { AnswerHead, Exchange, Handler } from '../../../src/request/exchange.ts'

export const OK: AnswerHead = {
  status: 200,
  reason: '',
  fields: 'Content-Type: text/plain\r\n',
  has: 0,
}

export function handler(handle: (exchange: Exchange) => void): Handler {
  return { name: 'test', handle }
}

/** The same text for everybody. */
export function says(text: string): Handler {
  const body = Buffer.from(text)
  return handler((exchange) => exchange.respond(OK, body))
}

/** The request's body comes back, with its trailers behind it. */
export function echo(): Handler {
  return handler((exchange) => {
    const parts: Buffer[] = []
    exchange.receive({
      data: (chunk) => {
        parts.push(Buffer.from(chunk))
        return true
      },
      end: (trailers) =>
        exchange.respond(OK, Buffer.concat([...parts, Buffer.from(trailers, 'latin1')])),
      abort: () => {},
    })
  })
}

/** Keeps every exchange for the test to answer. */
export class Held implements Handler {
  readonly name = 'held'
  readonly exchanges: Exchange[] = []

  handle(exchange: Exchange): void {
    this.exchanges.push(exchange)
  }

  get last(): Exchange {
    return this.exchanges.at(-1)!
  }
}
