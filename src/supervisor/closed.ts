/** Which parts of a site are closed for maintenance, as `portico maintenance` has said. Pure. */
import { nearest } from '../site/nearest.ts'
import { WHOLE_SITE } from '../site/plan.ts'

/** Names of hosts as in the site file, or WHOLE_SITE. */
export type Closed = readonly string[]

export interface ClosedResult {
  readonly ok: boolean
  /** Why not; '' where it was done. */
  readonly message: string
  readonly closed: Closed
}

/** `hosts`: those that there are. With the whole site closed, single hosts cannot be opened. */
export function changeClosed(
  closed: Closed,
  on: boolean,
  host: string,
  hosts: readonly string[],
): ClosedResult {
  const no = (message: string): ClosedResult => ({ ok: false, message, closed })
  if (host === WHOLE_SITE) return { ok: true, message: '', closed: on ? [WHOLE_SITE] : [] }
  if (!hosts.includes(host)) {
    const meant = nearest(host, hosts)
    return no(`there is no host ${host}${meant === '' ? '' : `; did you mean ${meant}?`}`)
  }
  if (closed.includes(WHOLE_SITE)) {
    return on ? { ok: true, message: '', closed } : no('the whole site is closed: open that first')
  }
  const others = closed.filter((each) => each !== host)
  return { ok: true, message: '', closed: on ? [...others, host] : others }
}
