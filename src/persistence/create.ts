/** A pool's persistence from its plan, and the memory that its threads share. */
import type { PoolPlan, SitePlan } from '../site/plan.ts'
import { fieldValue } from '../wire/fields.ts'
import { cookie } from './cookie.ts'
import { learned } from './learned.ts'
import { networkOf } from './network.ts'
import type { Persistence } from './persistence.ts'
import { Stamps } from './stamp.ts'
import { Belongings } from './table.ts'
import { tabled } from './tabled.ts'

export interface PersistenceOptions {
  /** As `allocatePersistence` makes it; its own by default. */
  readonly memory?: SharedArrayBuffer | undefined
  /** That cookies are signed with. */
  readonly secret?: string | Buffer | undefined
}

/** Tables by pool, of pools that need one; `key`: see Belongings. */
export function allocatePersistence(
  { pools }: Pick<SitePlan, 'pools'>,
  key: string,
): Record<string, SharedArrayBuffer> {
  const tables: Record<string, SharedArrayBuffer> = {}
  for (const { name, persistence } of Object.values(pools)) {
    if (persistence === undefined || persistence.by === 'cookie') continue
    tables[name] = Belongings.allocate(persistence.entries, key)
  }
  return tables
}

/** Null for a pool without. */
export function createPersistence(
  { name, persistence: plan, servers }: Pick<PoolPlan, 'name' | 'persistence' | 'servers'>,
  options: PersistenceOptions,
): Persistence | null {
  if (plan === undefined) return null
  if (plan.by === 'cookie') {
    if (options.secret === undefined)
      throw new Error(`pool ${name}: no secret to sign cookies with`)
    const names = servers.map((server) => server.name)
    return cookie(plan, new Stamps(options.secret, `${name}\0${plan.name}`, names, plan))
  }
  const memory = options.memory ?? Belongings.allocate(plan.entries)
  const table = new Belongings(memory, plan.timeoutS)
  switch (plan.by) {
    case 'source':
      return tabled(({ peer }) => networkOf(peer.address, plan.mask, plan.maskIpv6), table)
    case 'header':
      return tabled(({ fields }) => fieldValue(fields, plan.header) ?? '', table)
    case 'learned':
      return learned(plan, table)
  }
}
