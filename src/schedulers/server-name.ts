/** What hashes know a server by: its host and port, without the protocol it is spoken to in. */

export interface HostPort {
  /** An IPv6 address in its brackets; the path of a socket. */
  readonly host: string
  /** As written; '' for none. */
  readonly port: string
}

/** `10.0.0.1:80`, `http://[::1]:80`, `unix:/run/app.sock`. */
export function hostPort(name: string): HostPort {
  const plain = withoutScheme(name)
  if (plain.startsWith('unix:')) return { host: plain.slice(5), port: '' }
  const [, host, port] = /^(.*):(\d*)$/.exec(plain) ?? []
  return host === undefined || port === undefined ? { host: plain, port: '' } : { host, port }
}

function withoutScheme(name: string): string {
  return name.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\//, '')
}
