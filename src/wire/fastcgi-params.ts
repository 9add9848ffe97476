/** FastCGI's name-value pairs (§3.4): `length, length, name, value`, a length in one byte or four. Pure. */
import { PorticoError } from '../errors.ts'

/** Key, value, key, value … in latin-1 as bytes. */
export function encodePairs(pairs: readonly string[]): Buffer {
  let size = 0
  for (const text of pairs) size += (text.length < 0x80 ? 1 : 4) + text.length
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const value = pairs[i + 1]!
    at = writeLength(bytes, at, name.length)
    at = writeLength(bytes, at, value.length)
    at += bytes.write(name, at, name.length, 'latin1')
    at += bytes.write(value, at, value.length, 'latin1')
  }
  return bytes
}

function writeLength(into: Buffer, at: number, length: number): number {
  if (length < 0x80) {
    into[at] = length
    return at + 1
  }
  return into.writeUInt32BE((length | 0x80000000) >>> 0, at)
}

/**
 * Pairs, given as latin-1 text: key, value, key, value … Names and values may be empty, duplicates are
 * kept. Throws BAD_PACKET where they are cut short.
 */
export function decodePairs(text: string): string[] {
  const pairs: string[] = []
  const { length } = text
  let at = 0
  while (at < length) {
    let names = text.charCodeAt(at++)
    if (names >= 0x80) {
      names = longLength(text, at - 1)
      at += 3
    }
    let values = text.charCodeAt(at++)
    if (values >= 0x80) {
      values = longLength(text, at - 1)
      at += 3
    }
    const valueAt = at + names
    const end = valueAt + values
    // A NaN, from a length that is cut short, is not in order with anything.
    if (!(end <= length)) throw new PorticoError('BAD_PACKET', 'names and values cut short')
    pairs.push(text.slice(at, valueAt), text.slice(valueAt, end))
    at = end
  }
  return pairs
}

function longLength(text: string, at: number): number {
  return (
    ((text.charCodeAt(at) & 0x7f) << 24) +
    (text.charCodeAt(at + 1) << 16) +
    (text.charCodeAt(at + 2) << 8) +
    text.charCodeAt(at + 3)
  )
}
