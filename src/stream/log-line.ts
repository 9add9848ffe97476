/** A line of the access log for a connection, a session of datagrams or of mail: facts, and their form. */

export interface ConnectionLine {
  readonly protocol: string
  /** As the owner wrote it. */
  readonly listener: string
  readonly address: string
  /** The last one that was asked; '' for none. */
  readonly server: string
  /** That the visitor asked for; '' for none. */
  readonly serverName?: string
  readonly protocols?: readonly string[]
  /** Who has logged in. */
  readonly user?: string
  /** Bytes from the visitor, and to it. */
  readonly received: number
  readonly sent: number
  readonly ms: number
  /** Why it is over. */
  readonly end: string
}

/** As an access log in JSON has it, without the time. */
export function asObject(line: ConnectionLine): object {
  const { protocol, listener, address, server, serverName, protocols, user, received, sent } = line
  return {
    address,
    protocol,
    listener,
    ...(server === '' ? {} : { server }),
    ...(serverName ? { server_name: serverName } : {}),
    ...(protocols?.length ? { alpn: protocols } : {}),
    ...(user ? { user } : {}),
    received,
    sent,
    ms: Math.round(line.ms * 1000) / 1000,
    end: line.end,
  }
}

/** As the request in a line of the combined format: `TCP tcp://:3306 10.0.0.1:3306 done`. */
export function asRequest({ protocol, listener, server, serverName, end }: ConnectionLine): string {
  const name = serverName ? ` ${serverName}` : ''
  return `${protocol.toUpperCase()} ${listener}${name} ${server === '' ? '-' : server} ${end}`
}

/** nginx's words for how a session went. */
export function asStatus({ end }: ConnectionLine): number {
  if (end === 'unreachable') return 502
  if (end === 'unknown') return 400
  return end === 'denied' ? 403 : 200
}
