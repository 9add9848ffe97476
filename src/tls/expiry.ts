/** Which certificates want renewing, said while there is time, and which are not valid. Pure. */
import type { Certificate } from './read-certificate.ts'

const DAY_MS = 86_400_000
/** Whatever renews certificates should have done so by then; certificates of a few days have less. */
const SOON_DAYS = 14
const SOON_PART = 1 / 4

export interface Expiring {
  readonly level: 'warn' | 'error'
  readonly message: string
}

/** `now`: in ms since 1970. */
export function expiring(certificates: readonly Certificate[], now: number): Expiring[] {
  return certificates.flatMap((certificate): Expiring[] => {
    const { notBefore, notAfter } = certificate
    const wrong = invalid(certificate, now)
    if (wrong !== null) return [{ level: 'error', message: wrong }]
    const soon = Math.min(SOON_DAYS * DAY_MS, (notAfter - notBefore) * SOON_PART)
    if (notAfter - now > soon) return []
    const days = Math.floor((notAfter - now) / DAY_MS)
    const message = `${nameOf(certificate)} expires in ${days} days: renew it`
    return [{ level: 'warn', message }]
  })
}

/** Why nobody relies on it now, and the remedy; null: somebody may. */
export function invalid(certificate: Certificate, now: number): string | null {
  const { notBefore, notAfter } = certificate
  const result = 'browsers turn back, and it is served all the same'
  const date = (ms: number): string => new Date(ms).toISOString()
  if (now >= notAfter) {
    return `${nameOf(certificate)} has expired on ${date(notAfter)}: ${result}; renew it, or put a valid one in its place`
  }
  if (now < notBefore) {
    return `${nameOf(certificate)} is not valid before ${date(notBefore)}: ${result}; look at the clock of this machine, or put a valid one in its place`
  }
  return null
}

function nameOf({ pem, names }: Certificate): string {
  return `certificate ${pem.from} for ${names.join(', ')}`
}
