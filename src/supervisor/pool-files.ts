/** What the files of pools hold: read by the supervisor, since the server may lack the right. */
import { readFileSync } from 'node:fs'
import type { SitePlan } from '../site/plan.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { siteSecret } from './pool-secret.ts'

/** Shorter secrets can be guessed, bytes. */
const LEAST_SECRET = 16

/** By pool, of those that have any. Throws with the reason for one that cannot be read. */
export function readPoolFiles(
  { pools, state }: Pick<SitePlan, 'pools' | 'state'>,
  complain: (line: string) => void,
): Record<string, PoolFiles> {
  const files: Record<string, PoolFiles> = {}
  let common: string | null = null
  for (const { name, tls, persistence } of Object.values(pools)) {
    const read = (key: string, file = ''): string => (file === '' ? '' : contentOf(name, key, file))
    const signs = persistence?.by === 'cookie'
    if (tls === undefined && !signs) continue
    let secret = ''
    if (signs && persistence.secret === '') secret = common ??= siteSecret(state, complain)
    else if (signs) secret = ownSecret(name, read('persistence', persistence.secret))
    files[name] = {
      ca: read('tls', tls?.ca),
      certificate: read('tls', tls?.certificate),
      key: read('tls', tls?.key),
      secret,
    }
  }
  return files
}

function ownSecret(pool: string, content: string): string {
  const secret = content.trim()
  if (secret.length >= LEAST_SECRET) return secret
  throw new Error(`pool ${pool}: persistence: the secret is shorter than ${LEAST_SECRET} bytes`)
}

function contentOf(pool: string, key: string, file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`pool ${pool}: ${key}: ${why}`, { cause })
  }
}
