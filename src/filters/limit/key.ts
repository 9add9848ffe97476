/** Whose requests are counted together, as text to hash. */
import { isIPv6 } from 'node:net'
import type { Exchange } from '../../request/exchange.ts'
import type { LimitKeyPlan } from '../../site/filters-plan.ts'
import { cookieValue } from '../../wire/cookie.ts'
import { fieldValue } from '../../wire/fields.ts'

export type LimitKey = (exchange: Exchange) => string

/** Who sends no such header or cookie is counted by address: nobody gets away by leaving it out. */
export function limitKey({ of, name }: LimitKeyPlan): LimitKey {
  switch (of) {
    case 'everyone':
      return () => ''
    case 'address':
      return ({ peer }) => network(peer.address)
    case 'host':
      return ({ line, fields }) => (line.host === '' ? fields.host : line.host)
    case 'header':
      return ({ fields, peer }) => named(fieldValue(fields, name) ?? '', peer.address)
    case 'cookie':
      return ({ fields, peer }) =>
        named(cookieValue(fieldValue(fields, 'cookie') ?? '', name), peer.address)
  }
}

/** No value can be taken for an address. */
function named(value: string, address: string): string {
  return value === '' ? network(address) : `=${value}`
}

/** An IPv6 visitor has a whole /64 to choose addresses from: that is one visitor. */
export function network(address: string): string {
  if (!address.includes(':')) return address
  const plain = address.split('%', 1)[0]!
  if (!isIPv6(plain)) return address
  const mapped = /^::ffff:([0-9.]+)$/i.exec(plain)
  if (mapped !== null) return mapped[1]!
  const [front = '', back] = plain.split('::')
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const rest = back === '' ? [] : back.split(':')
    // An IPv4 tail is two groups, and never among the first four.
    const tail = rest.length + (rest.at(-1)?.includes('.') === true ? 1 : 0)
    while (groups.length + tail < 8) groups.push('0')
    groups.push(...rest)
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
