/** A request that a filter has given another path, on its way to whichever route answers that. */
import type { RequestLine } from '../wire/request-line.ts'
import type { Exchange } from './exchange.ts'
import { ExchangeThrough } from './through.ts'

export class ReroutedExchange extends ExchangeThrough {
  /** Counted with the route that it came from. */
  route = -1
  override prefix = ''
  override captures: readonly string[] | null = null
  override maxBody = 0
  /** How often this request has been given another path so far. */
  readonly count: number

  constructor(from: Exchange, line: RequestLine) {
    super(from, from.fields, line)
    this.count = timesOf(from) + 1
  }

  /** The gateway has to know how much of a body the new route takes. */
  bound(maxBody: number): void {
    let each: Exchange = this.visitor
    for (;;) {
      const bounded: { maxBody: number } = each
      bounded.maxBody = maxBody
      if (!(each instanceof ExchangeThrough)) return
      each = each.visitor
    }
  }
}

function timesOf(exchange: Exchange): number {
  for (let each = exchange; each instanceof ExchangeThrough; each = each.visitor) {
    if (each instanceof ReroutedExchange) return each.count
  }
  return 0
}
