/** Sockets → `listen:`. */
import type { Value } from '../tree-builder.ts'
import { type Draft, isOn } from './draft.ts'
import type { Option } from './option.ts'

const SCHEMES: Readonly<Record<string, string>> = {
  'uwsgi-socket': 'uwsgi',
  'puwsgi-socket': 'puwsgi',
  'http-socket': 'http',
  'http11-socket': 'http',
  http: 'http',
  https: 'https',
  'https-socket': 'https',
  httprouter: 'http',
  'fastcgi-socket': 'fastcgi',
  'scgi-socket': 'scgi',
}
/** What `protocol` may be. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  uwsgi: 'uwsgi',
  puwsgi: 'puwsgi',
  http: 'http',
  http11: 'http',
  fastcgi: 'fastcgi',
  scgi: 'scgi',
}
const NAMES = ['socket', ...Object.keys(SCHEMES)]

export function composeListeners(draft: Draft): void {
  const sockets = draft.all(...NAMES)
  const seen = new Set<string>()
  for (const option of sockets) {
    const scheme = schemeOf(draft, option)
    const address = addressOf(draft, option, scheme === 'https')
    if (address === undefined || seen.has(address)) continue
    seen.add(address)
    const on = scheme === 'http' ? address : `${scheme}://${address}`
    const tls = scheme === 'https' ? tlsOf(draft, option) : {}
    const more = { ...detailsOf(draft, option, address), ...tls }
    draft.add(['listen'], Object.keys(more).length === 0 ? on : { on, ...more }, option)
  }
}

function schemeOf(draft: Draft, option: Option): string {
  if (option.name !== 'socket') return SCHEMES[option.name] ?? 'http'
  const protocol = draft.last('protocol', 'socket-protocol')
  if (protocol === undefined) return 'uwsgi'
  const scheme = PROTOCOLS[protocol.value]
  if (scheme === undefined) {
    draft.problem(protocol, `no protocol of ours: ${protocol.value}`, {
      expected: Object.keys(PROTOCOLS).join(', '),
    })
  }
  return scheme ?? 'uwsgi'
}

/** As `listen` has it; undefined when that cannot be. */
function addressOf(draft: Draft, option: Option, withFiles: boolean): string | undefined {
  const value = (withFiles ? option.value.split(',')[0]! : option.value).trim()
  if (value.startsWith('fd://') || value.startsWith('=')) {
    draft.problem(option, `${value} is a socket that another program has opened`, {
      expected: 'an address such as :8080 or /run/app.sock',
    })
    return undefined
  }
  const [, host = '', port] = /^(?:https?:\/\/)?([^/]*?):?(\d+)$/.exec(value) ?? []
  if (port !== undefined && (host === '' || isHost(host))) {
    return `${host}:${port}`
  }
  if (value.startsWith('@')) return `unix:${value}`
  if (draft.isOn('abstract-socket')) return `unix:@${value}`
  if (value === '') {
    draft.problem(option, 'no address', { expected: 'an address such as :8080 or /run/app.sock' })
    return undefined
  }
  return `unix:${draft.inFolder(value)}`
}

/** `:8443,site.crt,site.key,HIGH,!ca.pem`: ciphers and authorities may be missing, `!` requires a certificate. */
function tlsOf(draft: Draft, option: Option): Record<string, Value> {
  const [, cert = '', key = '', ciphers = '', ca = ''] = option.value
    .split(',')
    .map((part) => part.trim())
  if (cert === '') {
    draft.problem(option, 'no certificate', { expected: ':8443,site.crt,site.key' })
    return {}
  }
  const tls: Record<string, Value> = {}
  if (ciphers !== '') tls.ciphers = ciphers
  const authority = ca.replace(/^!/, '')
  if (authority !== '') {
    const mode = ca.startsWith('!') ? 'require' : 'optional'
    tls['client-certificates'] = { ca: draft.inFolder(authority), mode }
  }
  return {
    certificate: draft.inFolder(cert),
    ...(key === '' ? {} : { key: draft.inFolder(key) }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  }
}

function isHost(text: string): boolean {
  return /^(\*|\[[\da-fA-F:]+\]|[\w.-]+)$/.test(text)
}

function detailsOf(draft: Draft, option: Option, address: string): Record<string, Value> {
  const details: Record<string, Value> = {}
  const backlog = draft.count('listen')
  if (backlog > 0) details.backlog = Math.min(backlog, 65_535)
  const isFile = address.startsWith('unix:/')
  const mode = draft.last('chmod-socket', 'chmod')
  // Without a number: for everybody, which is what we do anyway.
  if (isFile && mode !== undefined && /^[0-7]{3,4}$/.test(mode.value)) details.mode = mode.value
  const owner = draft.last('chown-socket')
  if (isFile && owner !== undefined) details.owner = owner.value
  const header = option.name.startsWith('http') ? 'http-enable-proxy-protocol' : ''
  const proxied = draft.last('enable-proxy-protocol', header)
  if (proxied !== undefined && isOn(proxied) && option.name.startsWith('http')) {
    details['proxy-protocol'] = true
  }
  return details
}
