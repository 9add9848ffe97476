/**
 * Does jobs: what the module exports as `jobs`. The thread beside it takes them, keeps them and says what
 * became of them (job-taker.ts): that goes on while a job has this one in its hands.
 */
import { resolve } from 'node:path'
import { member } from '../../../fetch/handler.ts'
import { stackOf } from '../../../fetch/server.ts'
import { nearest } from '../../../site/nearest.ts'
import type { JobInHand, JobOutcome } from '../orders.ts'
import type { RoleProcess } from './role.ts'
import { exportOf, load } from './target.ts'

/** Characters of an error that are kept with a failed job. */
const LONGEST_ERROR = 8_000

interface Known {
  readonly run: (payload: unknown, job: JobInHand) => unknown
  readonly raw: boolean
}

export async function jobs({ app, role, thread }: RoleProcess): Promise<void> {
  let known: ReadonlyMap<string, Known> = new Map()
  process.on('SIGTERM', () => thread.tell({ type: 'leave' }))
  thread.obey((order) => {
    if (order.type === 'exit') process.exit(order.code)
    if (order.type !== 'job') return
    // Out of this turn, so that stacks begin with the job.
    queueMicrotask(async () => {
      const outcome = await perform(known, order.job, order.payload)
      thread.tell({ type: 'ended', outcome })
    })
  })
  const file = resolve(app.dir, String(role.module || app.file))
  known = jobsOf(await load(file), file)
  if (known.size === 0) {
    console.error(`${file} exports no jobs: \`export const jobs = { name: async (payload) => … }\``)
    process.exit(1)
  }
  process.on('uncaughtException', (error) => {
    thread.tell({ type: 'broken', error: stackOf(error).slice(0, LONGEST_ERROR) })
  })
  thread.hold()
  thread.tell({ type: 'ready' })
}

/** By their names: those of the properties, and those that they have themselves. */
function jobsOf(exports: object, file: string): Map<string, Known> {
  const found = exportOf(exports, 'jobs')
  const known = new Map<string, Known>()
  if (typeof found !== 'object' || found === null) return known
  for (const [key, run] of Object.entries(found)) {
    if (typeof run !== 'function') {
      console.error(`${file}: jobs.${key} is no function`)
      process.exit(1)
    }
    const settings = member(run, 'settings')
    const name = member(settings, 'name')
    const job: Known = {
      run: (payload, current) => Reflect.apply(run, found, [payload, current]),
      raw: member(settings, 'raw') === true,
    }
    known.set(key, job)
    if (typeof name === 'string' && name !== '' && !known.has(name)) known.set(name, job)
  }
  return known
}

async function perform(
  known: ReadonlyMap<string, Known>,
  job: JobInHand,
  payload: Uint8Array,
): Promise<JobOutcome> {
  const found = known.get(job.name)
  if (found === undefined) return missing(job.name, known)
  let given: unknown = payload
  try {
    if (!found.raw)
      given = payload.length === 0 ? null : JSON.parse(new TextDecoder().decode(payload))
  } catch (error) {
    return failed(`the payload is no JSON: ${(error as Error).message}`, -1, true)
  }
  try {
    const result = await found.run(given, job)
    const isBytes = found.raw && result instanceof Uint8Array
    const bytes = isBytes ? result : Buffer.from(JSON.stringify(result) ?? 'null')
    return { kind: 'done', result: bytes }
  } catch (error) {
    // By their names: the application may have brought a Portico of its own.
    const name = error instanceof Error ? error.name : ''
    const afterMs = member(error, 'afterMs')
    if (name !== 'Retry' || typeof afterMs !== 'number') {
      return failed(stackOf(error), -1, name === 'Dead')
    }
    return failed((error as Error).message, Math.max(0, afterMs), false)
  }
}

function failed(error: string, retryMs: number, forGood: boolean): JobOutcome {
  return { kind: 'failed', error: error.slice(0, LONGEST_ERROR), retryMs, forGood }
}

function missing(name: string, known: ReadonlyMap<string, Known>): JobOutcome {
  const meant = nearest(name, known.keys())
  const hint = meant === '' ? '' : `; did you mean '${meant}'?`
  const there = [...known.keys()].sort().join(', ')
  return failed(`no function does the job '${name}'; there is ${there}${hint}`, -1, true)
}
