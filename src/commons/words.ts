/** What commands answer when they cannot, in Redis's words, which clients look for; and how they read numbers. */
import { Failure } from '../wire/resp.ts'

export const NOT_A_NUMBER: Failure = new Failure('ERR value is not an integer or out of range')
export const NOT_A_FLOAT: Failure = new Failure('ERR value is not a valid float')
export const SYNTAX: Failure = new Failure('ERR syntax error')
export const WRONG_TYPE: Failure = new Failure(
  'WRONGTYPE Operation against a key holding the wrong kind of value',
)
export const TOO_LONG_A_PATTERN: Failure = new Failure('ERR the pattern is too long')
/** With the remedy behind Redis's words. */
export const NO_ROOM: Failure = new Failure(
  "OOM command not allowed when used memory > 'maxmemory': raise cache.size in the site file",
)
export const TOO_LARGE_REPLY: Failure = new Failure(
  'ERR the reply is larger than cache.size in the site file: ask for less at a time',
)
export const TOO_LONG: Failure = new Failure(
  'ERR string exceeds maximum allowed size: cache.item in the site file',
)

/** A whole number; null where it is none, or is not exact as a number. */
export function integer(text: string): number | null {
  if (!/^(0|-?[1-9]\d{0,15})$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

const LARGEST = 2n ** 63n - 1n
const SMALLEST = -(2n ** 63n)

/** The same up to 64 bits, which is what Redis counts in; null where it is none. */
export function wideInteger(text: string): number | bigint | null {
  const value = integer(text)
  if (value !== null) return value
  if (!/^-?[1-9]\d{15,18}$/.test(text)) return null
  const wide = BigInt(text)
  return wide > LARGEST || wide < SMALLEST ? null : wide
}

/** The sum, in 64 bits; null where it does not fit. */
export function sum(one: number | bigint, other: number | bigint): number | bigint | null {
  if (typeof one === 'number' && typeof other === 'number') {
    const plain = one + other
    if (Number.isSafeInteger(plain)) return plain
  }
  const wide = BigInt(one) + BigInt(other)
  if (wide > LARGEST || wide < SMALLEST) return null
  const plain = Number(wide)
  return Number.isSafeInteger(plain) ? plain : wide
}
