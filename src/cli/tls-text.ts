/** What a running site serves over TLS, for people. */
import type { SiteStatus } from '../supervisor/status.ts'
import { table } from './show.ts'

/** More names of one certificate are for `--json`. */
const MOST_NAMES = 3

export function showHandshakes({
  handshakes,
  resumed,
  failed,
}: NonNullable<SiteStatus['totals']['tls']>): string {
  const part = handshakes === 0 ? 0 : Math.round((100 * resumed) / handshakes)
  return `${handshakes} handshakes, ${part}% resumed; ${failed} failed`
}

export function certificateTable(certificates: SiteStatus['certificates']): string[] {
  if (certificates === undefined || certificates.length === 0) return []
  const rows = certificates.map(({ from, names, issuer, days }) => [
    showNames(names),
    showDays(days),
    issuer,
    from,
  ])
  return table([['certificate', 'left', 'issuer', 'from'], ...rows], 4)
}

function showDays(days: number): string {
  if (days < 0) return 'expired'
  if (days === 0) return 'under a day'
  return days === 1 ? '1 day' : `${days} days`
}

function showNames(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(' ')
  return names.length > MOST_NAMES ? `${shown} +${names.length - MOST_NAMES}` : shown
}
