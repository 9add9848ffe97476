/** Automatic certificates for people. */
import type { CertificateStatus } from '../acme/status.ts'
import { calm, showTime, table } from './show.ts'

/** More names in a row are for `--json`. */
const MOST_NAMES = 3

export function certificatesText(all: readonly CertificateStatus[], now: number): string {
  if (all.length === 0) return 'no automatic certificates; `portico status` shows those of files\n'
  const head = ['names', 'state', 'issuer', 'ends in', 'next', 'source']
  const rows = all.map((one) => [
    showNames(one.names),
    showState(one, now),
    one.issuer || '-',
    one.expires === 0 ? '-' : showLeft(one.expires - now),
    one.state === 'ordering' ? 'now' : showLeft(one.renewal - now),
    showSource(one.source),
  ])
  const troubles = all.flatMap(({ names, trouble }) =>
    trouble === null
      ? []
      : [`\n${names[0]}, ${showTime(now - trouble.at)} ago: ${calm(trouble.message)}`],
  )
  return `${[...table([head, ...rows], 6), ...troubles].join('\n')}\n`
}

/** Whether visitors see nothing of it, and will not soon. */
export function isWell({ state, expires, trouble }: CertificateStatus, now: number): boolean {
  return state !== 'missing' && expires > now && trouble === null
}

function showNames(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(' ')
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown
}

function showState({ state, expires, failures }: CertificateStatus, now: number): string {
  const word = state === 'kept' && expires <= now ? 'ended' : state
  return failures === 0 ? word : `${word}, failed ${failures}×`
}

function showLeft(ms: number): string {
  return ms <= 0 ? 'now' : showTime(ms)
}

function showSource(source: string): string {
  if (source === 'local') return 'our own authority'
  return URL.parse(source)?.host ?? '-'
}
