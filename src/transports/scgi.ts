/** SCGI to one server: one request a connection, answered as by a CGI program until the server closes. */
import type { Exchange } from '../request/exchange.ts'
import type { TargetPlan } from '../site/plan.ts'
import { encodeScgi } from '../wire/scgi.ts'
import type { AnswerReceiver } from './backend/answer.ts'
import { CgiAnswerDecoder } from './backend/cgi-answer.ts'
import { type ConnectionSettings, Connections } from './backend/connections.ts'
import type { Dialect } from './backend/dialect.ts'
import type { Transport } from './transport.ts'
import type { Describe } from './variables.ts'

/** The transport to `target`; it takes no chunked bodies, whose length nobody knows beforehand. */
export function scgi(
  target: Pick<TargetPlan, 'name' | 'address'>,
  settings: ConnectionSettings,
  describe: Describe,
): Transport {
  return new Connections(
    target,
    { ...settings, keepAlive: 0 },
    (receiver) => new ScgiDialect(receiver, describe),
  )
}

class ScgiDialect implements Dialect {
  readonly reader: CgiAnswerDecoder
  readonly farewell = null
  readonly #describe: Describe

  constructor(receiver: AnswerReceiver, describe: Describe) {
    this.reader = new CgiAnswerDecoder(receiver)
    this.#describe = describe
  }

  begin(exchange: Exchange): Uint8Array {
    return encodeScgi(exchange.fields.contentLength, this.#describe(exchange))
  }

  part(chunk: Uint8Array): Uint8Array {
    return Buffer.from(chunk)
  }

  end(): string {
    return ''
  }
}
