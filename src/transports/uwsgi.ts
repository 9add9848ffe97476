/**
 * uwsgi to one server, such as uWSGI: a packet of variables and the body go out, an HTTP answer comes
 * back. `uwsgi` closes after each request. `puwsgi` goes on, but without bodies: uWSGI cannot read them
 * there, and spins for ever when it is sent one.
 */
import { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'
import type { TargetPlan } from '../site/plan.ts'
import { encodePacket } from '../wire/uwsgi.ts'
import type { AnswerReceiver } from './backend/answer.ts'
import { type ConnectionSettings, Connections } from './backend/connections.ts'
import type { Dialect } from './backend/dialect.ts'
import { AnswerDecoder } from './http1/answer-decoder.ts'
import type { Transport } from './transport.ts'
import { contentLength, type Describe, setVariable } from './variables.ts'

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
    (receiver) => new UwsgiDialect(receiver, settings.modifier1, describe, target),
  )
}

class UwsgiDialect implements Dialect {
  readonly reader: AnswerDecoder
  readonly farewell = null
  readonly #modifier1: number
  readonly #describe: Describe
  /** The name of a target that takes no bodies, else ''. */
  readonly #bodiless: string

  constructor(
    receiver: AnswerReceiver,
    modifier1: number,
    describe: Describe,
    target: Pick<TargetPlan, 'name' | 'scheme'>,
  ) {
    this.reader = new AnswerDecoder(receiver)
    this.#bodiless = target.scheme === 'puwsgi' ? target.name : ''
    this.#modifier1 = modifier1
    this.#describe = describe
  }

  begin(exchange: Exchange): Uint8Array {
    const { fields } = exchange
    if (this.#bodiless !== '' && fields.contentLength > 0) {
      throw new PorticoError('BODY_NOT_TAKEN', this.#bodiless)
    }
    const told = ['CONTENT_LENGTH', contentLength(fields), ...this.#describe(exchange)]
    // uWSGI begins its answer, which is HTTP/1, with the version that it is told.
    if (exchange.line.protocol !== undefined) setVariable(told, 'SERVER_PROTOCOL', 'HTTP/1.1')
    return encodePacket(this.#modifier1, 0, told)
  }

  part(chunk: Uint8Array): Uint8Array {
    return Buffer.from(chunk)
  }

  end(): string {
    return ''
  }
}
