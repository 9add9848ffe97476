/**
 * Answers with the metrics of the whole site, which only the supervisor knows: it is asked once for all who
 * wait, and meanwhile this thread does other things.
 */
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'

/** https://openmetrics.io, specification 1.0. */
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** The supervisor answers in milliseconds, or is busy with something grave. */
const PATIENCE_MS = 5_000

/** Gauges are as fresh as the clock's last tick: asking again before the next one is for nothing. */
const FRESH_MS = 250

const HEAD: AnswerHead = {
  status: 200,
  reason: '',
  fields: `Content-Type: ${OPENMETRICS_TYPE}\r\nCache-Control: no-store\r\n`,
  has: 0,
}

/** Those in one server thread who wait for the metrics. */
export class Scrapes {
  readonly #ask: () => void
  #waiting: Exchange[] = []
  #timer: NodeJS.Timeout | undefined
  #body: Buffer = Buffer.alloc(0)
  /** When it was told, on `performance.now()`. */
  #toldAt = Number.NEGATIVE_INFINITY

  /** `ask` has `told` called some time later. */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  add(exchange: Exchange): void {
    if (performance.now() - this.#toldAt < FRESH_MS) return exchange.respond(HEAD, this.#body)
    exchange.onGone = () => {
      this.#waiting = this.#waiting.filter((other) => other !== exchange)
    }
    if (this.#waiting.push(exchange) > 1) return
    this.#timer = setTimeout(() => this.#giveUp(), PATIENCE_MS)
    this.#ask()
  }

  told(text: string): void {
    this.#body = Buffer.from(text)
    this.#toldAt = performance.now()
    for (const exchange of this.#all()) exchange.respond(HEAD, this.#body)
  }

  #giveUp(): void {
    for (const exchange of this.#all()) {
      exchange.fail(new PorticoError('BACKEND_SLOW', 'the supervisor does not tell the metrics'))
    }
  }

  #all(): readonly Exchange[] {
    clearTimeout(this.#timer)
    for (const exchange of this.#waiting) exchange.onGone = null
    return this.#waiting.splice(0)
  }
}

export function metrics(scrapes: Scrapes): Handler {
  return {
    name: 'metrics',
    handle(exchange: Exchange): void {
      const { method } = exchange.line
      if (method === 'GET' || method === 'HEAD') scrapes.add(exchange)
      else exchange.fail(new PorticoError('METHOD_NOT_ALLOWED', method))
    },
  }
}
