/**
 * Writes PROXY protocol headers, versions 1 and 2, as proxy-protocol.ts reads them: what a server behind
 * us learns of a visitor before the first byte of its connection. Pure.
 */
import { isIPv4, isIPv6 } from 'node:net'
import {
  PP2_CLIENT_SSL,
  PP2_TYPE_SSL,
  PROXY,
  type Proxied,
  SIGNATURE,
  TCP4,
  TCP6,
  V2_HEAD,
} from './proxy-protocol.ts'

export type ProxyVersion = 'v1' | 'v2'

/** §2.2: no addresses that the protocol knows. */
const UNSPEC = 0x00
const UNKNOWN = 'PROXY UNKNOWN\r\n'
/** §2.2.6: of a visitor without a certificate. */
const NOT_VERIFIED = 1

/**
 * The header that names `visitor`; null: one who has no address, such as one on a unix socket. Addresses
 * that are none are null, too.
 */
export function writeProxyHeader(version: ProxyVersion, visitor: Proxied | null): Buffer {
  const ends = visitor === null ? null : sameFamily(visitor)
  if (version === 'v1') return Buffer.from(line(ends), 'latin1')
  return binary(ends, visitor?.tls === true)
}

interface Ends {
  readonly wide: boolean
  readonly address: string
  readonly localAddress: string
  readonly port: number
  readonly localPort: number
}

/** Both addresses in one family: where they differ, the IPv4 one is mapped (RFC 4291 §2.5.5.2). */
function sameFamily({ address, localAddress, port, localPort }: Proxied): Ends | null {
  const from = withoutZone(address)
  const to = withoutZone(localAddress)
  if (isIPv4(from) && isIPv4(to)) {
    return { wide: false, address: from, localAddress: to, port, localPort }
  }
  const wideFrom = asIPv6(from)
  const wideTo = asIPv6(to)
  if (wideFrom === '' || wideTo === '') return null
  return { wide: true, address: wideFrom, localAddress: wideTo, port, localPort }
}

function withoutZone(address: string): string {
  const percent = address.indexOf('%')
  return percent < 0 ? address : address.slice(0, percent)
}

/** '' for what is no address. */
function asIPv6(address: string): string {
  if (isIPv4(address)) return `::ffff:${address}`
  return isIPv6(address) ? address : ''
}

/** §2.1 */
function line(ends: Ends | null): string {
  if (ends === null) return UNKNOWN
  const { wide, address, localAddress, port, localPort } = ends
  return `PROXY TCP${wide ? 6 : 4} ${address} ${localAddress} ${port} ${localPort}\r\n`
}

/** §2.2 */
function binary(ends: Ends | null, tls: boolean): Buffer {
  const size = ends === null ? 0 : ends.wide ? 36 : 12
  const record = tls ? 8 : 0
  const bytes = Buffer.alloc(V2_HEAD + size + record)
  SIGNATURE.copy(bytes)
  bytes[12] = PROXY
  bytes[13] = ends === null ? UNSPEC : ends.wide ? TCP6 : TCP4
  bytes.writeUInt16BE(size + record, 14)
  let at = V2_HEAD
  if (ends !== null) {
    const write = ends.wide ? writeIPv6 : writeIPv4
    at = write(bytes, at, ends.address)
    at = write(bytes, at, ends.localAddress)
    at = bytes.writeUInt16BE(ends.port, at)
    at = bytes.writeUInt16BE(ends.localPort, at)
  }
  if (tls) {
    bytes[at] = PP2_TYPE_SSL
    bytes.writeUInt16BE(5, at + 1)
    bytes[at + 3] = PP2_CLIENT_SSL
    bytes.writeUInt32BE(NOT_VERIFIED, at + 4)
  }
  return bytes
}

function writeIPv4(bytes: Buffer, from: number, address: string): number {
  let at = from
  for (const part of address.split('.')) bytes[at++] = Number(part)
  return at
}

function writeIPv6(bytes: Buffer, from: number, address: string): number {
  const [front = '', back] = address.split('::')
  const groups = hexGroups(front)
  const rest = back === undefined ? [] : hexGroups(back)
  for (let i = 0; i < groups.length; i++) bytes.writeUInt16BE(groups[i]!, from + 2 * i)
  const restAt = from + 16 - 2 * rest.length
  for (let i = 0; i < rest.length; i++) bytes.writeUInt16BE(rest[i]!, restAt + 2 * i)
  return from + 16
}

/** 16 bits each; an IPv4 tail is two. */
function hexGroups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
