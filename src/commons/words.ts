/** What commands answer when they cannot, in Redis's words, which clients look for. */
import { Failure } from '../wire/resp.ts'

export const NOT_A_NUMBER: Failure = new Failure('ERR value is not an integer or out of range')
export const NOT_A_FLOAT: Failure = new Failure('ERR value is not a valid float')
export const SYNTAX: Failure = new Failure('ERR syntax error')
export const WRONG_TYPE: Failure = new Failure(
  'WRONGTYPE Operation against a key holding the wrong kind of value',
)
/** Redis's words end before the remedy. */
export const NO_ROOM: Failure = new Failure(
  "OOM command not allowed when used memory > 'maxmemory'. Raise cache.size in the site file",
)
export const TOO_LONG: Failure = new Failure(
  'ERR string exceeds maximum allowed size (cache.item in the site file)',
)
export const NOT_A_TIMEOUT: Failure = new Failure('ERR timeout is not a float or out of range')
export const NEGATIVE_TIMEOUT: Failure = new Failure('ERR timeout is negative')

/** A 64-bit integer as Redis reads it, as a number where that is exact; null: it is none. */
export function integer(text: string): number | null {
  if (!/^(0|-?[1-9]\d{0,15})$/.test(text)) return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}
