/** The connection that a check over HTTP is made on: plain, or secured as the pool's are. */
import type { Socket } from 'node:net'
import { connect, type SecureContextOptions } from 'node:tls'
import type { HttpCheckPlan } from '../site/check-plan.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import type { Peer } from './check.ts'
import { dial } from './talk.ts'

export type Trust = SecureContextOptions & { readonly rejectUnauthorized: boolean }

export function trust(verify: boolean, { ca, certificate, key }: PoolFiles): Trust {
  return {
    rejectUnauthorized: verify,
    ...(ca === '' ? {} : { ca }),
    ...(certificate === '' ? {} : { cert: certificate, key }),
  }
}

/** `host`: of the request; `alpn`: what is offered, nothing by default. */
export function connection(
  plan: HttpCheckPlan,
  secured: Trust | null,
  peer: Peer,
  host: string,
  alpn: readonly string[],
): Socket {
  const socket = dial(peer)
  if (secured === null) return socket
  const servername = serverName(plan, host)
  const tls = connect({
    socket,
    // Whose certificate is expected where there is no name.
    host: peer.address.kind === 'tcp' ? peer.address.host : host,
    ...secured,
    servername,
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  })
  // What is wrong with the connection below is told by the one above it, which goes with it.
  socket.on('error', (error) => tls.destroy(error))
  tls.on('close', () => socket.destroy())
  return tls
}

/** What is asked for by SNI, and has to be in the certificate: '' for an address, which has no SNI. */
function serverName(plan: HttpCheckPlan, host: string): string {
  const own = plan.tls?.name ?? ''
  const name = own === '' ? host.replace(/:\d+$/, '') : own
  return /^[\d.]+$|^\[/.test(name) ? '' : name
}
