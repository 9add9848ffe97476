/** Whether a token lets its bearer in (RFC 7519 §4.1, RFC 8725). Pure but for the keys' mathematics. */
import type { JwtPlan } from '../../../site/filters-plan.ts'
import type { Key } from './keys.ts'
import type { Token } from './token.ts'

export type Verdict =
  | { readonly good: true /** Seconds since 1970. */; readonly until: number }
  /** `unknownKey`: others may know better. `forbidden`: it is known who it is, and that is not enough. */
  | {
      readonly good: false
      readonly why: string
      readonly unknownKey: boolean
      readonly forbidden: boolean
    }

/** Keys without a name that are tried for one token. */
const MOST_TRIED = 8

function no(why: string, more: { unknownKey?: boolean; forbidden?: boolean } = {}): Verdict {
  return { good: false, why, unknownKey: false, forbidden: false, ...more }
}

/** `now`: seconds since 1970. */
export function judgeToken(
  token: Token,
  keys: readonly Key[],
  plan: JwtPlan,
  now: number,
): Verdict {
  const { algorithm, keyId, claims } = token
  if (plan.algorithms.length > 0 && !plan.algorithms.includes(algorithm)) {
    return no('its algorithm is not one of those that count')
  }
  const fitting = keys.filter(({ algorithms }) => algorithms.includes(algorithm))
  const named = fitting.filter(({ id }) => keyId !== '' && id === keyId)
  // A key without a name may be any; where all have one, the token has to say which.
  const tried = named.length > 0 ? named : fitting.filter(({ id }) => keyId === '' || id === '')
  if (tried.length === 0)
    return no('it is signed with a key that is not known', { unknownKey: true })
  if (!tried.slice(0, MOST_TRIED).some((key) => key.verify(token))) {
    return no('its signature is wrong')
  }
  const { exp, nbf, iss, aud } = claims
  const { leewaySeconds: leeway } = plan
  if (exp === undefined ? plan.expires : !isTime(exp)) return no('it does not say when it expires')
  if (isTime(exp) && exp + leeway <= now) return no('it has expired')
  if (nbf !== undefined && !(isTime(nbf) && nbf - leeway <= now)) return no('it is not valid yet')
  if (plan.issuer.length > 0 && !(typeof iss === 'string' && plan.issuer.includes(iss))) {
    return no('its issuer is not one of those that count')
  }
  if (plan.audience.length > 0 && !plan.audience.some((each) => holds(aud, each, false))) {
    return no('it is for somebody else')
  }
  for (const [claim, value] of Object.entries(plan.require)) {
    const has = Object.hasOwn(claims, claim) ? claims[claim] : undefined
    if (has === undefined || has === null || !(value === '*' || holds(has, value, true))) {
      return no(`it lacks the claim ${claim}`, { forbidden: true })
    }
  }
  return { good: true, until: isTime(exp) ? exp + leeway : Number.POSITIVE_INFINITY }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** `words`: the words of a text count as its members, as in `scope` (RFC 8693 §4.2). */
function holds(value: unknown, wanted: string, words: boolean): boolean {
  if (Array.isArray(value)) return value.some((each) => isPlain(each) && String(each) === wanted)
  if (typeof value === 'string')
    return value === wanted || (words && value.split(' ').includes(wanted))
  return isPlain(value) && String(value) === wanted
}

/** What has one text. An object may have anything in place of its own `toString`. */
export function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
