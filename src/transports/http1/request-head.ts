/**
 * Writes the head of a request to a backend, from the parsed request only: no byte of a visitor's
 * framing is ever copied, so that two readers cannot disagree about it. Pure.
 */
import { PorticoError } from '../../errors.ts'
import type { Exchange, Peer } from '../../request/exchange.ts'
import { fieldValue, listMembers } from '../../wire/fields.ts'
import { speaksOfTheVisitor } from '../../wire/forwarded.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import { protocolOf, type RequestLine } from '../../wire/request-line.ts'
import { eachField, endsHere } from '../backend/end-to-end.ts'
import { offersUpgrade } from '../backend/upgrade.ts'

/** Our name in Via (RFC 9110 §7.6.3). */
const PSEUDONYM = 'portico'
/** A request that passed this often goes in a circle. */
const MOST_PASSES = 8
/** The last head made for a set of fields, and what it depended on. */
interface Known {
  readonly minor: number
  readonly address: string
  readonly scheme: string
  readonly proxy: string | undefined
  readonly upgrades: boolean
  /** Everything behind the request line. */
  readonly block: string
  line: RequestLine
  head: string
}

export class RequestHeads {
  readonly #ownHost: string
  readonly #preserveHost: boolean
  /** Visitors repeat themselves: identical field blocks share one RequestFields. */
  readonly #known = new WeakMap<RequestFields, Known>()

  /** `ownHost`: the backend's own name for Host, sent where the visitor named none or need not be told. */
  constructor(ownHost: string, preserveHost: boolean) {
    this.#ownHost = ownHost
    this.#preserveHost = preserveHost
  }

  /** The complete head, latin-1. Throws REQUEST_LOOP. */
  text(exchange: Exchange): string {
    const { line, fields, peer } = exchange
    const trace = traceFields(exchange)
    const known = this.#known.get(fields)
    const upgrades = offersUpgrade(exchange)
    // An absolute target overrides Host (RFC 9112 §3.2.2), so its head depends on more than the fields.
    if (
      known === undefined ||
      known.minor !== line.minor ||
      known.address !== peer.address ||
      known.scheme !== peer.scheme ||
      known.proxy !== peer.proxy ||
      known.upgrades !== upgrades ||
      line.host !== ''
    ) {
      const block = this.#block(line, fields, peer, upgrades)
      const head = requestLine(line) + trace + block
      if (line.host === '') {
        const { address, scheme, proxy } = peer
        const { minor } = line
        const from = { minor, address, scheme, proxy, upgrades }
        const plain = trace === '' ? head : requestLine(line) + block
        this.#known.set(fields, { ...from, block, line, head: plain })
      }
      return head
    }
    if (trace !== '') return requestLine(line) + trace + known.block
    if (known.line !== line) {
      known.line = line
      known.head = requestLine(line) + known.block
    }
    return known.head
  }

  #block(line: RequestLine, fields: RequestFields, peer: Peer, upgrades: boolean): string {
    const asked = askedHost(line, fields)
    const host = this.#preserveHost && asked !== '' ? asked : this.#ownHost
    let block = `Host: ${host}\r\n`
    eachField(fields, (written, name, value) => {
      if (endsHere(name, fields.connection) || speaksOfTheVisitor(name)) return
      if (name === 'host' || name === 'expect' || name === 'via') return
      // No field of HTTP, and HTTP_PROXY to programs behind the backend (CVE-2016-5385).
      if (name === 'proxy') return
      if (name === 'trailer' && !fields.chunked) return
      if (name === 'max-forwards') block += `${written}: ${oneLess(value)}\r\n`
      else block += `${written}: ${value}\r\n`
    })
    if (fields.chunked) block += 'Transfer-Encoding: chunked\r\n'
    else if (fields.hasLength) block += `Content-Length: ${fields.contentLength}\r\n`
    if (fields.own !== undefined) block += fields.own
    return `${block}${connectionFields(fields, upgrades)}${via(line, fields)}${forwarded(peer, asked, fields)}\r\n`
  }
}

function requestLine(line: RequestLine): string {
  return `${line.method} ${line.origin} HTTP/1.1\r\n`
}

/** The name of the request, for who goes on with it; '' for none. */
function traceFields({ trace }: Exchange): string {
  if (trace === null || trace === undefined) return ''
  return `traceparent: ${trace.traceparent}\r\nX-Request-Id: ${trace.id}\r\n`
}

/** The host the visitor asked for, as it came; '' when none was named. */
function askedHost(line: RequestLine, fields: RequestFields): string {
  if (line.host === '') return fieldValue(fields, 'host') ?? ''
  return line.hostPort < 0 ? line.host : `${line.host}:${line.hostPort}`
}

function connectionFields(fields: RequestFields, upgrade: boolean): string {
  // RFC 9110 §10.1.4: of TE only `trailers` is ours to promise, since we do forward them.
  const trailers = listMembers(fieldValue(fields, 'te') ?? '').includes('trailers')
  if (!upgrade) return trailers ? 'Connection: TE\r\nTE: trailers\r\n' : ''
  const options = trailers
    ? 'Connection: Upgrade, TE\r\nTE: trailers\r\n'
    : 'Connection: Upgrade\r\n'
  return `${options}Upgrade: ${fields.upgrade}\r\n`
}

function via(line: RequestLine, fields: RequestFields): string {
  const before = fieldValue(fields, 'via') ?? ''
  const passes = listMembers(before).filter((member) => member.split(/[ \t]+/)[1] === PSEUDONYM)
  // RFC 9110 §7.6: no message goes to ourselves without protection from an endless loop.
  if (passes.length >= MOST_PASSES)
    throw new PorticoError('REQUEST_LOOP', `Via names us ${passes.length} times`)
  return `Via: ${before === '' ? '' : `${before}, `}${protocolOf(line).slice(5)} ${PSEUDONYM}\r\n`
}

/** Max-Forwards of the next hop (RFC 9110 §7.6.2); what is no number passes as it is. */
function oneLess(value: string): string {
  return /^[0-9]{1,15}$/.test(value) ? String(Math.max(0, Number(value) - 1)) : value
}

/**
 * Who asked, by which name and scheme: for backends that know the older fields, and as RFC 7239 has
 * it. What a trusted proxy said before us is continued; what a visitor said about itself was left out.
 */
function forwarded(peer: Peer, asked: string, fields: RequestFields): string {
  const { address, scheme, proxy } = peer
  const before = (name: string): string =>
    proxy === undefined ? '' : (fieldValue(fields, name) ?? '')
  const last = proxy ?? address
  const chain = joined(before('x-forwarded-for'), last)
  const host = before('x-forwarded-host') || asked
  let text = `X-Forwarded-Proto: ${scheme}\r\n`
  if (chain !== '') text += `X-Forwarded-For: ${chain}\r\n`
  if (address !== '') text += `X-Real-IP: ${address}\r\n`
  if (host !== '') text += `X-Forwarded-Host: ${host}\r\n`
  text += clientCertificate(peer, before)
  const own = `for=${forwardedNode(last)}${asked === '' ? '' : `;host="${asked}"`};proto=${scheme}`
  return `${text}Forwarded: ${joined(before('forwarded'), own)}\r\n`
}

/** RFC 9440 §2: the visitor's certificate, which it has shown to us or to a proxy that we trust. */
function clientCertificate({ tls }: Peer, before: (name: string) => string): string {
  const shown = tls?.certificate ?? null
  if (shown !== null) return `Client-Cert: :${shown.raw.toString('base64')}:\r\n`
  const certificate = before('client-cert')
  if (certificate === '') return ''
  const chain = before('client-cert-chain')
  return `Client-Cert: ${certificate}\r\n${chain === '' ? '' : `Client-Cert-Chain: ${chain}\r\n`}`
}

function joined(before: string, last: string): string {
  return before === '' || last === '' ? before + last : `${before}, ${last}`
}

/** RFC 7239 §6: an IPv6 address in brackets and, since a colon is no token, in quotes. */
function forwardedNode(address: string): string {
  if (address === '') return 'unknown'
  return address.includes(':') ? `"[${address}]"` : address
}
