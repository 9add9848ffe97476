/** The jobs that an application's module exports: `export const jobs = { sendMail: job({ … }, …), … }`. */
import { defaultExport, member } from '../../fetch/handler.ts'
import type { JobInHand } from './orders.ts'

const QUEUE = 'default'

export interface KnownJob {
  readonly run: (payload: unknown, job: JobInHand) => unknown
  /** It gets the payload's bytes. */
  readonly raw: boolean
  /** Where it is put when nobody says otherwise. */
  readonly queue: string
  /** Made by `job()`: what else a module calls `jobs` may be something of its own. */
  readonly declared: boolean
}

/**
 * By their names: those of the properties, and those that they have themselves. One that has none learns
 * it. Throws an Error when one is no function.
 */
export function knownJobs(exports: object): Map<string, KnownJob> {
  const found = member(exports, 'jobs') ?? member(defaultExport(exports), 'jobs')
  const known = new Map<string, KnownJob>()
  if (typeof found !== 'object' || found === null) return known
  for (const [key, run] of Object.entries(found)) {
    if (typeof run !== 'function') throw new Error(`jobs.${key} is no function`)
    const called = member(run, 'called')
    // By its form: the application may have brought a Portico of its own.
    if (typeof called === 'function') called.call(run, key)
    const settings = member(run, 'settings')
    const job: KnownJob = {
      run: (payload, current) => Reflect.apply(run, found, [payload, current]),
      raw: member(settings, 'raw') === true,
      queue: String(member(settings, 'queue') ?? QUEUE),
      declared: typeof called === 'function',
    }
    known.set(key, job)
    const name = member(settings, 'name')
    if (typeof name === 'string' && !known.has(name)) known.set(name, job)
  }
  return known
}
