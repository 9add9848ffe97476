/** Socket addresses as the kernel reads them (`struct sockaddr_*`), to and from the Plan's. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Address } from '../site/plan.ts'
import { constants, inet_pton } from '../system/libc.ts'

const darwin = process.platform === 'darwin'
/** `sun_path` with its closing NUL. */
const MAX_UNIX_PATH = darwin ? 103 : 107

export interface Sockaddr {
  readonly family: number
  readonly bytes: Uint8Array
}

/** BSD kernels begin an address with its length, Linux with a 16-bit family. */
function begin(bytes: Buffer, family: number): void {
  if (darwin) {
    bytes[0] = bytes.length
    bytes[1] = family
  } else bytes.writeUInt16LE(family, 0)
}

/** `sockaddr_in` or `sockaddr_in6` of a numeric host; the scope of `fe80::1%eth0` is kept. */
export function encodeTcp(host: string, port: number): Sockaddr {
  if (isIP(host) === 4) {
    const bytes = Buffer.alloc(16)
    begin(bytes, constants.AF_INET)
    bytes.writeUInt16BE(port, 2)
    inet_pton(constants.AF_INET, host, bytes.subarray(4, 8))
    return { family: constants.AF_INET, bytes }
  }
  const [literal = host, scope = ''] = host.split('%')
  const bytes = Buffer.alloc(28)
  begin(bytes, constants.AF_INET6)
  bytes.writeUInt16BE(port, 2)
  inet_pton(constants.AF_INET6, literal, bytes.subarray(8, 24))
  if (scope !== '') bytes.writeUInt32LE(scopeId(scope), 24)
  return { family: constants.AF_INET6, bytes }
}

function scopeId(scope: string): number {
  if (/^\d+$/.test(scope)) return Number(scope)
  const addresses = networkInterfaces()[scope] ?? []
  return addresses.find((entry) => entry.family === 'IPv6')?.scopeid ?? 0
}

/** `sockaddr_un`; a path that begins with `@` is in Linux' abstract namespace and has no file. */
export function encodeUnix(path: string): Sockaddr {
  const name = Buffer.from(path)
  if (name.length > MAX_UNIX_PATH) {
    throw new RangeError(`the path of a unix socket is at most ${MAX_UNIX_PATH} bytes: ${path}`)
  }
  const abstract = path.startsWith('@')
  const bytes = Buffer.alloc(2 + name.length + (abstract ? 0 : 1))
  begin(bytes, constants.AF_UNIX)
  name.copy(bytes, 2)
  if (abstract) bytes[2] = 0
  return { family: constants.AF_UNIX, bytes }
}

/** An address as getsockname(2) tells it. */
export function decodeAddress(bytes: Uint8Array): Address {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const family = darwin ? view[1] : view.readUInt16LE(0)
  if (family === constants.AF_UNIX) {
    const name = view.toString('utf8', 2)
    // An abstract name begins with NUL and ends where the address does.
    return {
      kind: 'unix',
      path: name.startsWith('\0') ? `@${name.slice(1)}` : name.replace(/\0.*$/s, ''),
    }
  }
  const port = portOf(view)
  if (family === constants.AF_INET)
    return { kind: 'tcp', host: view.subarray(4, 8).join('.'), port }
  const words = Array.from({ length: 8 }, (_, i) => view.readUInt16BE(8 + 2 * i).toString(16))
  const host = new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)
  return { kind: 'tcp', host, port }
}

/** The port in a `sockaddr_in` or `sockaddr_in6`: the same place in both. */
export function portOf(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset).readUInt16BE(2)
}

/** A numeric address of `host`: itself, or what its name resolves to, IPv4 first. */
export async function resolveHost(host: string): Promise<string> {
  if (isIP(host) !== 0) return host
  const found = await lookup(host, { order: 'ipv4first' })
  return found.address
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/site.sock`, as people write it. */
export function showAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  if (address.host === '::') return `:${address.port}`
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}
