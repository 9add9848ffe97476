/** What a hash is made of: parts of the request, put together. */
import type { KeyPartPlan } from '../site/plan.ts'
import { cookieValue } from '../wire/cookie.ts'
import { fieldValue } from '../wire/fields.ts'
import type { Key } from './scheduler.ts'

/** The text to hash, latin-1; '' where the request has none of the parts. */
export type ReadKey = (key: Key) => string

export function readKey(parts: readonly KeyPartPlan[]): ReadKey {
  const readers = parts.map(reader)
  const [only] = readers
  if (readers.length === 1 && only !== undefined) return only
  return (key) => {
    let text = ''
    for (const read of readers) text += read(key)
    return text
  }
}

function reader({ of, name }: KeyPartPlan): ReadKey {
  switch (of) {
    case 'address':
      return ({ peer }) => peer.address
    case 'network':
      return ({ peer }) => networkOf(peer.address)
    case 'destination':
      return ({ peer }) => peer.localAddress
    case 'host':
      return ({ line, fields }) => (line.host === '' ? fields.host : line.host)
    case 'uri':
      return ({ line }) => line.origin
    case 'path':
      return ({ line }) => line.path
    case 'header':
      return ({ fields }) => fieldValue(fields, name) ?? ''
    case 'cookie':
      return ({ fields }) => cookieValue(fieldValue(fields, 'cookie') ?? '', name)
    case 'query':
      return ({ line }) => parameter(line.query, name)
  }
}

/** The first three numbers of an IPv4 address, as nginx's ip_hash has it; IPv6 whole. */
function networkOf(address: string): string {
  return address.includes(':') ? address : address.slice(0, Math.max(0, address.lastIndexOf('.')))
}

/** The value of the first parameter of that name, as it came; '' for none. */
export function parameter(query: string, name: string): string {
  for (let at = 0; at < query.length; ) {
    const ampersand = query.indexOf('&', at)
    const end = ampersand < 0 ? query.length : ampersand
    if (query.startsWith(name, at) && query[at + name.length] === '=')
      return query.slice(at + name.length + 1, end)
    at = end + 1
  }
  return ''
}
