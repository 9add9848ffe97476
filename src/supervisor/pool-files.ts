/** What the files that a pool's `tls` names hold: read by the supervisor, since the server may lack the right. */
import { readFileSync } from 'node:fs'
import type { SitePlan } from '../site/plan.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'

/** By pool, of those that name any. Throws with the reason for one that cannot be read. */
export function readPoolFiles({ pools }: Pick<SitePlan, 'pools'>): Record<string, PoolFiles> {
  const files: Record<string, PoolFiles> = {}
  for (const { name, tls } of Object.values(pools)) {
    if (tls === undefined || (tls.ca === '' && tls.certificate === '')) continue
    const read = (file: string): string => (file === '' ? '' : readPem(name, file))
    files[name] = { ca: read(tls.ca), certificate: read(tls.certificate), key: read(tls.key) }
  }
  return files
}

function readPem(pool: string, file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`pool ${pool}: tls: ${why}`, { cause })
  }
}
