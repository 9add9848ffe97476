/** Whether a password is the one that was hashed. Slow on purpose where the hash is good: never on the hot path. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { compareSync } from 'bcryptjs'

/** `hash`: one that `hashTrouble` has nothing against. */
export function verify(password: string, hash: string): boolean {
  if (hash.startsWith('$2')) return compareSync(password, hash)
  if (hash.startsWith('$apr1$')) {
    const salt = hash.split('$', 3)[2]!
    return same(Buffer.from(apr1(Buffer.from(password), salt)), Buffer.from(hash))
  }
  const salted = hash.startsWith('{SSHA}')
  const stored = Buffer.from(hash.slice(hash.indexOf('}') + 1), 'base64')
  const digest = createHash('sha1').update(password)
  if (salted) digest.update(stored.subarray(20))
  return same(digest.digest(), stored.subarray(0, 20))
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Which bytes of the digest make four characters of the result; the last stands alone. */
const ORDER = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const

/** Apache's variant of MD5-crypt (apr_md5.c): a thousand rounds. */
export function apr1(password: Buffer, salt: string): string {
  const inner = md5(password, Buffer.from(salt), password)
  const parts = [password, Buffer.from(`$apr1$${salt}`)]
  for (let left = password.length; left > 0; left -= 16) {
    parts.push(inner.subarray(0, Math.min(16, left)))
  }
  for (let bits = password.length; bits > 0; bits >>= 1) {
    parts.push((bits & 1) === 1 ? Buffer.from([0]) : password.subarray(0, 1))
  }
  let digest = md5(...parts)
  const salted = Buffer.from(salt)
  for (let round = 0; round < 1000; round++) {
    const odd = (round & 1) === 1
    const turn = [odd ? password : digest]
    if (round % 3 !== 0) turn.push(salted)
    if (round % 7 !== 0) turn.push(password)
    turn.push(odd ? digest : password)
    digest = md5(...turn)
  }
  let text = ''
  for (const [high, middle, low] of ORDER) {
    text += letters((digest[high]! << 16) | (digest[middle]! << 8) | digest[low]!, 4)
  }
  return `$apr1$${salt}$${text}${letters(digest[11]!, 2)}`
}

function letters(value: number, count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) text += ALPHABET[(value >> (6 * i)) & 63]!
  return text
}

function md5(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
