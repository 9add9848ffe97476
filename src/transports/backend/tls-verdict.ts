/** What is wrong with a backend's certificate, or with how it speaks TLS, in words and with the remedy. Pure. */
import type { DetailedPeerCertificate } from 'node:tls'
import type { Trouble } from './open.ts'

/** OpenSSL's names of what may be wrong with the one who signed. */
const UNKNOWN_SIGNER: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
])

const SELF_SIGNED =
  'its certificate is signed by itself: to trust it, name its PEM file in tls: { ca: … }'

/** The longest chain that is looked at; a root names itself as its signer. */
const MOST_CERTIFICATES = 10

/**
 * `code`: OpenSSL's or Node's name of the fault; `name`: what the certificate had to be for; `nowMs`: by the
 * wall clock.
 */
export function whyRefused(
  code: string,
  certificate: DetailedPeerCertificate,
  name: string,
  nowMs: number,
): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `its certificate is for ${namesIn(certificate)}, not for ${name}: set tls: { server-name: … } to a name that it has`
  }
  const chain = chainOf(certificate)
  if (code === 'CERT_HAS_EXPIRED') {
    const over = chain.find(({ valid_to }) => Date.parse(valid_to) < nowMs) ?? certificate
    return `the certificate of ${whose(over)} expired on ${over.valid_to}: renew it`
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const early = chain.find(({ valid_from }) => Date.parse(valid_from) > nowMs) ?? certificate
    return `the certificate of ${whose(early)} is valid only from ${early.valid_from} on: look at the clocks`
  }
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') {
    return SELF_SIGNED
  }
  if (UNKNOWN_SIGNER.has(code)) {
    const last = chain.at(-1) ?? certificate
    return `its certificate is signed by ${nameOf(last.issuer)}, who is not trusted: name the PEM file of that CA in tls: { ca: … }, or have the server send the certificates between`
  }
  return `its certificate is not accepted (${code})`
}

/** As `whyRefused`, where nobody has the certificate any more; '' for what has nothing to do with it. */
export function whyUnverified(code: string): string {
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') return SELF_SIGNED
  if (code === 'CERT_HAS_EXPIRED')
    return 'its certificate, or that of its CA, has expired: renew it'
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet: look at the clocks'
  return UNKNOWN_SIGNER.has(code)
    ? 'its certificate is signed by a CA that is not trusted: name its PEM file in tls: { ca: … }, or have the server send the certificates between'
    : ''
}

/** Why there was no handshake; '' for what has nothing to do with TLS. */
export function whyNoHandshake({ code = '', message }: Trouble): string {
  if (
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|BAD_PACKET|UNKNOWN_TYPE/.test(code)
  ) {
    return 'it does not speak TLS there: http:// in place of https://, or another port'
  }
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW/.test(code)) {
    return 'there is no version of TLS that both sides speak: see tls: { min-version: … }'
  }
  if (
    /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED/.test(
      code,
    )
  ) {
    return `it wants a certificate of ours, or another one: tls: { certificate: …, key: … } (${code})`
  }
  if (/UNRECOGNIZED_NAME/.test(code)) {
    return 'it has no such name: see tls: { server-name: … }'
  }
  if (/NO_APPLICATION_PROTOCOL/.test(code)) {
    return 'it speaks none of the protocols that were offered: see tls: { alpn: … }'
  }
  if (/HANDSHAKE_FAILURE/.test(code)) {
    return 'it refuses the handshake: no cipher in common, or it wants a certificate of ours (tls: { certificate: …, key: … })'
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return `${code} ${message}`.trim()
  // Node's own words for an end in the midst of the handshake.
  if (/before secure TLS connection/.test(message)) {
    return 'it closed the connection during the handshake: is this its TLS port?'
  }
  return ''
}

/** From the server's own to the last one it has sent. */
function chainOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = []
  let at: DetailedPeerCertificate | undefined = certificate
  while (at !== undefined && chain.length < MOST_CERTIFICATES) {
    chain.push(at)
    const issuer: DetailedPeerCertificate | undefined = at.issuerCertificate
    at = issuer === at ? undefined : issuer
  }
  return chain
}

function namesIn({ subjectaltname, subject }: DetailedPeerCertificate): string {
  const names = subjectaltname?.replaceAll('DNS:', '').replaceAll('IP Address:', '') ?? ''
  return names === '' ? nameOf(subject) : shown(names)
}

function whose({ subject }: DetailedPeerCertificate): string {
  return nameOf(subject)
}

type Subject = DetailedPeerCertificate['subject']

function nameOf(subject: Subject | undefined): string {
  const { CN, O } = subject ?? {}
  const name = CN ?? O
  const text = Array.isArray(name) ? name.join(', ') : name
  return text === undefined || text === '' ? 'somebody without a name' : shown(text)
}

/** What others have chosen goes into one line of a log. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200)).slice(1, -1)
}
