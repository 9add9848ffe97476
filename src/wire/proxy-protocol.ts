/**
 * The PROXY protocol, versions 1 and 2: a header in which a load balancer names the visitor before the
 * first byte of a connection (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Pure.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { PorticoError } from '../errors.ts'

/** Who connected to the load balancer, and to which of its addresses. */
export interface Proxied {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
  /** The visitor came over TLS (the PP2_TYPE_SSL record of version 2). */
  readonly tls: boolean
}

export interface ProxyHeader {
  /** Bytes of the header. */
  readonly length: number
  /** Null where the balancer speaks for itself (LOCAL, UNKNOWN): a health check. */
  readonly visitor: Proxied | null
}

/** §2.1: the longest line of version 1, with its CRLF. */
const LONGEST_LINE = 107
/** Addresses are at most 216 bytes; records of extensions are short. */
const LONGEST_V2 = 4096
/** §2.2. */
export const SIGNATURE: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
export const V2_HEAD = 16
export const LOCAL = 0x20
export const PROXY = 0x21
export const TCP4 = 0x11
export const TCP6 = 0x21
/** §2.2.6: a record of TLS facts; its first byte has this bit when the visitor's connection is TLS. */
export const PP2_TYPE_SSL = 0x20
export const PP2_CLIENT_SSL = 0x01

/**
 * Reads the header at the beginning of `bytes`. Null: it is not complete yet. Throws BAD_PROXY_HEADER
 * as soon as it can be none.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | null {
  const first = bytes[0]
  if (first === undefined) return null
  if (first === SIGNATURE[0]) return readBinary(bytes)
  return readLine(bytes)
}

function readLine(bytes: Buffer): ProxyHeader | null {
  const text = bytes.toString('latin1', 0, LONGEST_LINE)
  if (!'PROXY '.startsWith(text.slice(0, 6))) throw bad('no PROXY header')
  const end = text.indexOf('\r\n')
  if (end < 0) {
    if (text.length >= LONGEST_LINE) throw bad('a line of more than 107 bytes')
    return null
  }
  const [, family, address = '', localAddress = '', port = '', localPort = '', ...rest] = text
    .slice(0, end)
    .split(' ')
  const length = end + 2
  // §2.1: whatever follows UNKNOWN is to be ignored.
  if (family === 'UNKNOWN') return { length, visitor: null }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : null
  if (isAddress === null) throw bad('neither TCP4, TCP6 nor UNKNOWN')
  if (!isAddress(address) || !isAddress(localAddress) || rest.length > 0) throw bad('addresses')
  return {
    length,
    visitor: {
      address: plain(address),
      port: portNumber(port),
      localAddress: plain(localAddress),
      localPort: portNumber(localPort),
      tls: false,
    },
  }
}

function portNumber(text: string): number {
  const port = /^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : -1
  if (port < 0 || port > 65_535) throw bad('ports')
  return port
}

function readBinary(bytes: Buffer): ProxyHeader | null {
  const known = Math.min(bytes.length, SIGNATURE.length)
  if (bytes.compare(SIGNATURE, 0, known, 0, known) !== 0) throw bad('signature')
  if (bytes.length < V2_HEAD) return null
  const command = bytes[12]!
  if (command !== LOCAL && command !== PROXY) throw bad('version or command')
  const size = bytes.readUInt16BE(14)
  if (size > LONGEST_V2) throw bad(`a header of ${size} bytes`)
  const length = V2_HEAD + size
  if (bytes.length < length) return null
  const family = bytes[13]!
  // §2.2: LOCAL has nothing to say, and what is neither TCP over IPv4 nor over IPv6 names no visitor.
  if (command === LOCAL || (family !== TCP4 && family !== TCP6)) return { length, visitor: null }
  const wide = family === TCP6
  const bytesOfAddress = wide ? 16 : 4
  const portsAt = V2_HEAD + 2 * bytesOfAddress
  if (portsAt + 4 > length) throw bad('addresses are cut short')
  const read = wide ? ipv6 : ipv4
  return {
    length,
    visitor: {
      address: read(bytes, V2_HEAD),
      port: bytes.readUInt16BE(portsAt),
      localAddress: read(bytes, V2_HEAD + bytesOfAddress),
      localPort: bytes.readUInt16BE(portsAt + 2),
      tls: hasTls(bytes, portsAt + 4, length),
    },
  }
}

/** Walks the records (type, u16 length, value) behind the addresses. */
function hasTls(bytes: Buffer, from: number, end: number): boolean {
  let tls = false
  for (let at = from; at < end; ) {
    if (at + 3 > end) throw bad('a record that is cut short')
    const size = bytes.readUInt16BE(at + 1)
    if (at + 3 + size > end) throw bad('a record that is longer than the header')
    if (bytes[at] === PP2_TYPE_SSL && size > 0) tls = (bytes[at + 3]! & PP2_CLIENT_SSL) !== 0
    at += 3 + size
  }
  return tls
}

function ipv4(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.')
}

function ipv6(bytes: Buffer, at: number): string {
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(at + i).toString(16))
  const text = groups.join(':')
  const mapped = text.startsWith('0:0:0:0:0:ffff:')
  return mapped ? ipv4(bytes, at + 12) : shorten(text)
}

/** RFC 5952 §4.2: the longest run of zeros becomes `::`. */
function shorten(text: string): string {
  let longest = ''
  for (const [run] of text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)) {
    if (run.length > longest.length) longest = run
  }
  if (longest === '') return text
  const at = text.search(new RegExp(`(?:^|(?<=:))${longest}(?=:|$)`))
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`
}

function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  return mapped === null ? address.toLowerCase() : mapped[1]!
}

function bad(what: string): PorticoError {
  return new PorticoError('BAD_PROXY_HEADER', what)
}
