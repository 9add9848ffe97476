/** When what is stored ends, as clients say it. */
import { Failure } from '../wire/resp.ts'
import type { Commons } from './commons.ts'
import { integer, NOT_A_NUMBER } from './words.ts'

/** On our clock, ms. */
export type Expiry = number

/** Beyond it Redis's own arithmetic ends, ms. */
const LONGEST = 2 ** 53

/** `time` in units of `unit` ms from now, or since 1970: always later than never was. */
export function expiryOf(
  commons: Commons,
  command: string,
  time: string,
  unit: number,
  absolute = false,
): Expiry | Failure {
  const value = integer(time)
  if (value === null) return NOT_A_NUMBER
  if (value <= 0 || value * unit >= LONGEST) return invalidExpiry(command)
  return onOurClock(commons, value * unit, absolute)
}

export function invalidExpiry(command: string): Failure {
  return new Failure(`ERR invalid expire time in '${command.toLowerCase()}' command`)
}

/** `ms` from now, or since 1970. */
export function onOurClock({ clock }: Commons, ms: number, absolute: boolean): Expiry {
  return clock.now + (absolute ? ms - Date.now() : ms)
}
