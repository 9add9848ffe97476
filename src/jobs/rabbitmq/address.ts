/** `amqp://[user:password@]host[:port][/vhost][?prefix=name&queues=classic|quorum]`, `amqps://` over TLS. */

export interface RabbitAddress {
  /** For amqplib. */
  readonly url: string
  /** Before the name of every queue and exchange. */
  readonly prefix: string
  readonly quorum: boolean
  /** For messages: without the password. */
  readonly shown: string
}

/** Seconds: a connection that says nothing for twice as long is dead. */
const HEARTBEAT_S = 10

/** Throws an Error that says what was expected. */
export function parseRabbitAddress(text: string): RabbitAddress {
  const url = new URL(text)
  const prefix = url.searchParams.get('prefix') ?? 'portico'
  const queues = url.searchParams.get('queues') ?? 'classic'
  if (queues !== 'classic' && queues !== 'quorum') throw new Error('queues is classic or quorum')
  const unknown = [...url.searchParams.keys()].find((key) => key !== 'prefix' && key !== 'queues')
  if (unknown !== undefined) throw new Error(`no option ${unknown}; there are prefix and queues`)
  url.search = `?heartbeat=${HEARTBEAT_S}`
  return {
    url: url.href,
    prefix,
    quorum: queues === 'quorum',
    shown: `${url.protocol}//${url.host}${url.pathname}`,
  }
}
