/** The quarters of all applications of a generation, and what the server process has to do with them. */
import { chmodSync, chownSync } from 'node:fs'
import { join } from 'node:path'
import type { QuartersInServer } from '../server/protocol.ts'
import type { SitePlan } from '../site/plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { RunDir } from '../supervisor/run-dir.ts'
import { isAlive } from '../system/alive.ts'
import { Cgroups, removeAbandonedGroups } from '../system/cgroup.ts'
import type { Credentials } from '../system/users.ts'
import { privateGroups } from './private-groups.ts'
import { Quarters } from './quarters.ts'

export interface SettleOptions {
  readonly plan: SitePlan
  readonly generation: number
  readonly runDir: RunDir
  /** Where the server's threads listen for the workers of applications without quarters of their own. */
  readonly linkDir: string
  /** The site's. */
  readonly credentials: Credentials | null
  readonly logger: Logger
}

export interface Settled {
  readonly of: ReadonlyMap<string, Quarters>
  /** By application; those that the server meets as any other are left out. */
  readonly inServer: Readonly<Record<string, QuartersInServer>>
  /** Whom the server runs as, so that it can meet them all. */
  readonly server: Credentials | null
}

/** One for the life of the process: in version 2's tree, it moves us once. */
let cgroups: Cgroups | null = null

export function settle(options: SettleOptions): Settled {
  const { plan, generation, runDir, linkDir, credentials, logger } = options
  const apps = Object.values(plan.apps)
  const isolated = apps.some(({ isolation }) => isolation !== undefined)
  const groups = isolated ? privateGroups() : null
  if (cgroups === null) {
    cgroups = new Cgroups()
    if (isolated) removeAbandonedGroups(isAlive)
  }
  if (groups !== null) openToSite(runDir.commonsSocket, credentials, groups.site)
  const of = new Map(
    apps.map((app, number) => [
      app.name,
      new Quarters({
        app,
        threads: plan.threads,
        credentials,
        links: Array.from({ length: plan.threads }, (_, i) => join(linkDir, `link-${i}.sock`)),
        log: runDir.logSocket,
        commons: runDir.commonsSocket,
        folder: runDir.quarters(generation, number),
        spool: () => runDir.spool(plan.spool),
        groups,
        cgroups: cgroups!,
        name: `portico-${process.pid}-${generation}-${app.name}`,
        logger,
      }),
    ]),
  )
  const met = [...of].flatMap(([name, { server }]) => (server === null ? [] : [[name, server]]))
  const more = groups === null || credentials === null ? [] : [groups.server]
  return {
    of,
    inServer: Object.fromEntries(met),
    server: credentials && { ...credentials, groups: [...credentials.groups, ...more] },
  }
}

/** Applications of other users than the site's are let in, too. */
function openToSite(socket: string, credentials: Credentials | null, group: number): void {
  try {
    chownSync(socket, credentials?.uid ?? 0, group)
    chmodSync(socket, 0o660)
  } catch {
    // There are no commons.
  }
}
