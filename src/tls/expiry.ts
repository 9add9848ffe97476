/** Which certificates want renewing, said while there is time. Pure. */
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
    const { pem, names, notBefore, notAfter } = certificate
    const what = `certificate ${pem.from} for ${names.join(', ')}`
    if (now >= notAfter) {
      return [
        { level: 'error', message: `${what} has expired: visitors are refused by their browsers` },
      ]
    }
    const soon = Math.min(SOON_DAYS * DAY_MS, (notAfter - notBefore) * SOON_PART)
    if (notAfter - now > soon) return []
    const days = Math.floor((notAfter - now) / DAY_MS)
    return [{ level: 'warn', message: `${what} expires in ${days} days: renew it` }]
  })
}
