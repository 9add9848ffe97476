/** Networks as people write them. */
import { isIP } from 'node:net'

/** `10.0.0.0/8` and the like as `address/bits`; a plain address is a network of one. Undefined: none. */
export function parseNetwork(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const longest = isIP(address) === 6 ? 128 : 32
  const prefix = bits ?? String(longest)
  const valid = isIP(address) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest
  return valid && rest.length === 0 ? `${address}/${Number(prefix)}` : undefined
}
