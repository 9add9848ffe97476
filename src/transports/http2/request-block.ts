/**
 * A request's head as HTTP/2 has it (RFC 9113 §8.3.1), from the head that HTTP/1.1 would have: one place
 * decides what passes to a backend. No block uses the dynamic table, so that one that was made is good for
 * every connection. Pure.
 */
import { trimBlanks } from '../../wire/fields.ts'
import { mostFieldSize, writeField } from '../../wire/hpack-encoder.ts'
import { Memo } from '../../wire/memo.ts'

/** §8.2.2: they speak of an HTTP/1.1 connection. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'connection',
  'transfer-encoding',
  'upgrade',
  'host',
])
/** RFC 7541 §7.1.3: never to be indexed. */
const SENSITIVE: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])
const MOST_KNOWN = 512

const memos: Readonly<Record<Scheme, Memo<Buffer>>> = {
  http: new Memo(MOST_KNOWN),
  https: new Memo(MOST_KNOWN),
}

export type Scheme = 'http' | 'https'

/** `head`: a whole one, valid, with its Host first, as RequestHeads makes it. */
export function requestBlock(head: string, scheme: Scheme): Buffer {
  const memo = memos[scheme]
  return memo.get(head) ?? memo.put(head, encode(head, scheme), () => head)
}

function encode(head: string, scheme: Scheme): Buffer {
  const lines = head.slice(0, -4).split('\r\n')
  const [method = '', path = ''] = (lines[0] ?? '').split(' ')
  const fields: [string, string][] = [
    [':method', method],
    [':scheme', scheme],
    [':path', path],
  ]
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = trimBlanks(line.slice(colon + 1))
    if (name === 'host') fields.splice(2, 0, [':authority', value])
    else if (!NOT_HERE.has(name)) fields.push([name, value])
  }
  const most = fields.reduce((sum, [name, value]) => sum + mostFieldSize(name, value), 0)
  const bytes = Buffer.allocUnsafe(most)
  let at = 0
  for (const [name, value] of fields) {
    at = writeField(bytes, at, name, value, SENSITIVE.has(name))
  }
  return Buffer.from(bytes.subarray(0, at))
}
