/** `etcd://[user:password@]host:2379[,host:2379…][/prefix]`, `etcds://` over TLS. */

export interface EtcdAddress {
  /** `http://host:2379`, one of which is asked. */
  readonly endpoints: readonly string[]
  readonly user: string
  readonly password: string
  /** Before every key, ends in `/`. */
  readonly prefix: string
  readonly shown: string
}

/** Throws an Error that says what was expected. */
export function parseEtcdAddress(text: string): EtcdAddress {
  const [, tls, credentials = '', hosts = '', path = ''] =
    /^etcd(s?):\/\/(?:([^@/]*)@)?([^/?#]+)(\/[^?#]*)?$/.exec(text) ?? []
  if (hosts === '') throw new Error('this address names no host')
  const scheme = tls === 's' ? 'https' : 'http'
  const endpoints = hosts.split(',').map((host) => {
    const url = URL.parse(`${scheme}://${host}`)
    if (url === null) throw new Error(`no host: ${host}`)
    return /:\d+$/.test(host) ? `${scheme}://${host}` : `${scheme}://${host}:2379`
  })
  const [user = '', ...password] = credentials.split(':')
  const prefix = path.replace(/^\/+|\/+$/g, '')
  return {
    endpoints,
    user: decodeURIComponent(user),
    password: decodeURIComponent(password.join(':')),
    prefix: `${prefix === '' ? 'portico' : prefix}/certificates/`,
    shown: `etcd${tls}://${hosts}${path}`,
  }
}
