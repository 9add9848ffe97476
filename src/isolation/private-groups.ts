/**
 * Groups that nobody else on this machine is in: who has one was given it by us. The numbers are of a
 * range that systemd's "Users, Groups, UIDs and GIDs" lists as unused, two for each process that may be a
 * supervisor.
 */
import { findTool, works } from '../system/tools.ts'

const FIRST = 0x7000_0000

export interface PrivateGroups {
  /** The server alone has it: it meets applications in their own folders. */
  readonly server: number
  /** Every application of the site has it: they meet in the commons. */
  readonly site: number
}

/** Null where this process cannot give groups away, or nothing knows of them (in a user namespace). */
export function privateGroups(): PrivateGroups | null {
  if (process.getuid?.() !== 0) return null
  const groups = { server: FIRST + 2 * process.pid, site: FIRST + 2 * process.pid + 1 }
  const setpriv = findTool('setpriv')
  return works(setpriv, [`--groups=${groups.server},${groups.site}`, 'true']) ? groups : null
}
