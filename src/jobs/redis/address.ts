/** `redis://[user:password@]host[:port][/database][?prefix=name]`, `rediss://` over TLS. */

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly user: string
  readonly password: string
  readonly database: number
  /** Before every key. */
  readonly prefix: string
  /** For messages: without the password. */
  readonly shown: string
}

/** Throws an Error that says what was expected. */
export function parseRedisAddress(text: string): RedisAddress {
  const url = new URL(text)
  const database = url.pathname.slice(1) || '0'
  if (!/^\d{1,4}$/.test(database)) throw new Error('a database is a number: redis://host:6379/0')
  const prefix = url.searchParams.get('prefix') ?? 'portico'
  const unknown = [...url.searchParams.keys()].find((key) => key !== 'prefix')
  if (unknown !== undefined) throw new Error(`no option ${unknown}; there is prefix`)
  const { hostname, port } = url
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: port === '' ? 6379 : Number(port),
    tls: url.protocol === 'rediss:',
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: Number(database),
    prefix,
    shown: `${url.protocol}//${hostname}${port === '' ? '' : `:${port}`}/${database}`,
  }
}
