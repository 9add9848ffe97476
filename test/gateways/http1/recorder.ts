/** Handlers that write down what reaches them and answer 200, each in a rhythm of its own. */
import type { Exchange, Handler } from '../../../src/request/exchange.ts'
import type { Seen } from './cases.ts'

/**
 * `now`: reads and answers inside every call. `late`: waits before it reads and before it answers.
 * `slow`: holds the visitor back after every piece of the body.
 */
export type Rhythm = 'now' | 'late' | 'slow'

const HEAD = { status: 200, reason: '', fields: 'Content-Type: text/plain\r\n', has: 0 }
const BODY = Buffer.from('seen\n')

export class Recorder implements Handler {
  readonly name = 'recorder'
  readonly seen: Seen[] = []
  /** Requests that are not answered yet. */
  open = 0
  readonly #rhythm: Rhythm

  constructor(rhythm: Rhythm) {
    this.#rhythm = rhythm
  }

  handle(exchange: Exchange): void {
    this.open++
    if (this.#rhythm === 'late') setImmediate(() => this.#receive(exchange))
    else this.#receive(exchange)
  }

  #receive(exchange: Exchange): void {
    if (exchange.gone) return void this.open--
    const parts: Buffer[] = []
    exchange.receive({
      data: (chunk) => {
        parts.push(Buffer.from(chunk))
        if (this.#rhythm !== 'slow') return true
        setImmediate(() => exchange.resume())
        return false
      },
      end: (trailers) => {
        this.#note(exchange, Buffer.concat(parts).toString('latin1'), trailers)
        if (this.#rhythm === 'late') setImmediate(() => this.#answer(exchange))
        else this.#answer(exchange)
      },
      abort: () => void this.open--,
    })
  }

  #note(exchange: Exchange, body: string, trailers: string): void {
    const { line, fields } = exchange
    this.seen.push({
      line: `${line.method} ${line.target} HTTP/1.${line.minor}`,
      path: line.path,
      query: line.query,
      host: line.host === '' ? fields.host : line.host,
      fields: fields.names.map((name, i) => `${name}: ${fields.values[i]}`),
      body,
      trailers,
    })
  }

  #answer(exchange: Exchange): void {
    this.open--
    exchange.respond(HEAD, BODY)
  }
}
