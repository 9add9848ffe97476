/** What nginx calls the facts of a visitor's TLS, for text of the site file with variables in it. */
import type { Exchange } from './exchange.ts'
import { distinguishedName, fingerprint, type TlsFacts } from './tls-facts.ts'

type Read = (exchange: Exchange) => string

function of(read: (facts: TlsFacts) => string): Read {
  return ({ peer }) => (peer.tls === undefined ? '' : read(peer.tls))
}

/** '' for connections without TLS. */
export const TLS_VARIABLES: Readonly<Record<string, Read>> = {
  ssl_protocol: of(({ seen }) => seen.protocol),
  ssl_cipher: of(({ seen }) => seen.cipher),
  ssl_server_name: of(({ seen }) => seen.serverName),
  ssl_session_reused: of(({ seen }) => (seen.resumed ? 'r' : '.')),
  ssl_client_verify: of(({ verified }) => verified),
  ssl_client_s_dn: of(({ certificate }) => distinguishedName(certificate?.subject ?? '')),
  ssl_client_i_dn: of(({ certificate }) => distinguishedName(certificate?.issuer ?? '')),
  ssl_client_serial: of(({ certificate }) => certificate?.serialNumber ?? ''),
  ssl_client_fingerprint: of(({ certificate }) =>
    certificate === null ? '' : fingerprint(certificate),
  ),
  // A header field holds no line breaks.
  ssl_client_escaped_cert: of(({ certificate }) =>
    certificate === null ? '' : encodeURIComponent(certificate.toString()),
  ),
}
