/** Addresses as the numbers that LVS hashes. */
import { crc32 } from '../wire/crc32.ts'

/**
 * An IPv4 address as its number; of an IPv6 address the exclusive or of its four words, as in the kernel
 * (`addr_fold`); of any other text its CRC.
 */
export function addressNumber(text: string): number {
  const v4 = ipv4(text)
  if (v4 >= 0) return v4
  return text.includes(':') ? ipv6(text) : crc32(text)
}

/** Hot: without a split, a match or a list. -1: no IPv4 address. */
function ipv4(text: string): number {
  let number = 0
  let part = 0
  let digits = 0
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i)
    if (character === 0x2e) {
      if (digits === 0 || ++dots > 3) return -1
      number = number * 256 + part
      part = 0
      digits = 0
    } else {
      if (character < 0x30 || character > 0x39 || ++digits > 3) return -1
      part = part * 10 + character - 0x30
      if (part > 255) return -1
    }
  }
  return dots === 3 && digits > 0 ? number * 256 + part : -1
}

function ipv6(text: string): number {
  const [head = '', tail] = text.split('::')
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const all = before.length + after.length
  const valid = tail === undefined ? all === 8 : all < 8
  if (!valid || [...before, ...after].some((group) => !(group >= 0 && group <= 0xffff)))
    return crc32(text)
  const whole = [...before, ...Array<number>(8 - all).fill(0), ...after]
  let fold = 0
  for (let i = 0; i < 8; i += 2) fold ^= (whole[i]! << 16) | whole[i + 1]!
  return fold >>> 0
}

/** Of one side of `::`; an IPv4 address may be the last two. */
function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) {
      const v4 = ipv4(group)
      return v4 < 0 ? [Number.NaN] : [v4 >>> 16, v4 & 0xffff]
    }
    return /^[0-9a-f]{1,4}$/i.test(group) ? [Number.parseInt(group, 16)] : [Number.NaN]
  })
}
