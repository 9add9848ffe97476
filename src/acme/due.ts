/** When to renew, and when to try again. Pure: knows no clock and no chance. */

/** Of its life, a certificate lives so much before it is renewed: time for trouble is left. */
const SHARE = 2 / 3
/** At most so much of its life earlier, so that many machines do not ask at once. */
const JITTER = 1 / 30
/** However late a CA suggests it, at least so much of a life is left. */
const LEAST_LEFT = 1 / 12

export interface Life {
  /** Both in ms since 1970. */
  readonly notBefore: number
  readonly notAfter: number
}

/** What a CA suggests (RFC 9773), ms since 1970. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** `chance`: 0 to 1, the same for as long as the certificate is. */
export function renewalTime(life: Life, window: Window | null, chance: number): number {
  const { notBefore, notAfter } = life
  const length = notAfter - notBefore
  if (window === null) return notBefore + length * (SHARE - JITTER * chance)
  const suggested = window.start + (window.end - window.start) * chance
  return Math.min(suggested, notAfter - length * LEAST_LEFT)
}

const MINUTE_MS = 60_000
/** After one failure, two, three … */
const WAITS_MIN = [1, 3, 10, 20, 30, 60, 120, 240, 360] as const

/** After so many failures in a row; `unit`: what stands for a minute, ms. */
export function retryWait(failures: number, chance: number, unit: number = MINUTE_MS): number {
  const at = Math.min(Math.max(failures, 1), WAITS_MIN.length) - 1
  return WAITS_MIN[at]! * unit * (0.9 + 0.2 * chance)
}
