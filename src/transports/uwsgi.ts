/**
 * uwsgi to one server, such as uWSGI: a packet of variables and the body go out, an HTTP answer comes
 * back. `uwsgi` closes after each request; `puwsgi` goes on.
 */
import type { Exchange } from '../request/exchange.ts'
import type { TargetPlan } from '../site/plan.ts'
import { encodePacket } from '../wire/uwsgi.ts'
import type { AnswerReceiver } from './backend/answer.ts'
import { type ConnectionSettings, Connections } from './backend/connections.ts'
import type { Dialect } from './backend/dialect.ts'
import { AnswerDecoder } from './http1/answer-decoder.ts'
import type { Transport } from './transport.ts'
import { contentLength, type Describe } from './variables.ts'

export interface UwsgiSettings extends ConnectionSettings {
  /** The kind of request, 0 to 255. */
  readonly modifier1: number
}

/** The transport to `target`; it takes no chunked bodies, whose length nobody knows beforehand. */
export function uwsgi(
  target: Pick<TargetPlan, 'name' | 'address' | 'scheme'>,
  settings: UwsgiSettings,
  describe: Describe,
): Transport {
  const keepAlive = target.scheme === 'puwsgi' ? settings.keepAlive : 0
  return new Connections(
    target,
    { ...settings, keepAlive },
    (receiver) => new UwsgiDialect(receiver, settings.modifier1, describe),
  )
}

class UwsgiDialect implements Dialect {
  readonly reader: AnswerDecoder
  readonly farewell = null
  readonly #modifier1: number
  readonly #describe: Describe

  constructor(receiver: AnswerReceiver, modifier1: number, describe: Describe) {
    this.reader = new AnswerDecoder(receiver)
    this.#modifier1 = modifier1
    this.#describe = describe
  }

  begin(exchange: Exchange): Uint8Array {
    const length = contentLength(exchange.fields)
    return encodePacket(this.#modifier1, 0, ['CONTENT_LENGTH', length, ...this.#describe(exchange)])
  }

  part(chunk: Uint8Array): Uint8Array {
    return Buffer.from(chunk)
  }

  end(): string {
    return ''
  }
}
