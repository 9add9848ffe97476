/** Addresses of which only the first bits count. Pure. */
import { isIPv4, isIPv6 } from 'node:net'

/** The network that an address is in, as text; '' for what is no address. A mapped IPv4 address is one of IPv4. */
export function networkOf(address: string, mask: number, maskIpv6: number): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  const plain = mapped === null ? address : mapped[1]!
  if (isIPv4(plain)) return mask === 32 ? plain : masked(octets(plain), 8, mask).join('.')
  const percent = plain.indexOf('%')
  const bare = percent < 0 ? plain : plain.slice(0, percent)
  if (!isIPv6(bare)) return ''
  return masked(groups(bare), 16, maskIpv6)
    .map((group) => group.toString(16))
    .join(':')
}

/** `parts` of `width` bits each, most significant first. */
function masked(parts: readonly number[], width: number, bits: number): number[] {
  return parts.map((part, i) => {
    const kept = Math.min(width, Math.max(0, bits - i * width))
    return part & ~((1 << (width - kept)) - 1)
  })
}

function octets(address: string): number[] {
  return address.split('.').map(Number)
}

/** The eight groups, abbreviations written out. */
function groups(address: string): number[] {
  const [front = '', back] = address.split('::')
  const before = parse(front)
  if (back === undefined) return before
  const after = parse(back)
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function parse(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = octets(group)
    return [a * 256 + b, c * 256 + d]
  })
}
