/**
 * Does jobs: what the module exports as `jobs`. The thread beside it takes them, keeps them and says what
 * became of them (job-taker.ts): that goes on while a job has this one in its hands.
 */
import { resolve } from 'node:path'
import { member } from '../../../fetch/handler.ts'
import { stackOf } from '../../../fetch/server.ts'
import { nearest } from '../../../site/nearest.ts'
import { type KnownJob, knownJobs } from '../known-jobs.ts'
import type { JobInHand, JobOutcome } from '../orders.ts'
import type { RoleProcess } from './role.ts'
import { load } from './target.ts'

/** Characters of an error that are kept with a failed job. */
const LONGEST_ERROR = 8_000

export async function jobs({ app, role, thread }: RoleProcess): Promise<void> {
  let known: ReadonlyMap<string, KnownJob> = new Map()
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
  process.on('uncaughtException', (error) => {
    thread.tell({ type: 'broken', error: stackOf(error).slice(0, LONGEST_ERROR) })
  })
  thread.hold()
  thread.tell({ type: 'ready' })
}

/** The process ends where there are none, or what is none. */
function jobsOf(exports: object, file: string): ReadonlyMap<string, KnownJob> {
  try {
    const known = knownJobs(exports)
    if (known.size > 0) return known
    console.error(`${file} exports no jobs: \`export const jobs = { name: async (payload) => … }\``)
  } catch (error) {
    console.error(`${file}: ${(error as Error).message}`)
  }
  process.exit(1)
}

async function perform(
  known: ReadonlyMap<string, KnownJob>,
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
    return failed(`its payload is no JSON: ${(error as Error).message}`, -1, true)
  }
  try {
    const result = await found.run(given, job)
    const isBytes = found.raw && result instanceof Uint8Array
    const bytes = isBytes ? result : Buffer.from(JSON.stringify(result) ?? 'null')
    return { kind: 'done', result: bytes }
  } catch (error) {
    if (!(error instanceof Error)) return failed(stackOf(error), -1, false)
    // By their names: the application may have brought a Portico of its own.
    const { name, message, cause } = error
    const afterMs = member(error, 'afterMs')
    if (name === 'Retry' && typeof afterMs === 'number') {
      return failed(message, Math.max(0, afterMs), false)
    }
    if (name === 'Dead' && cause === undefined) return failed(message, -1, true)
    return failed(stackOf(error), -1, name === 'Dead')
  }
}

function failed(error: string, retryMs: number, forGood: boolean): JobOutcome {
  return { kind: 'failed', error: error.slice(0, LONGEST_ERROR), retryMs, forGood }
}

function missing(name: string, known: ReadonlyMap<string, KnownJob>): JobOutcome {
  const meant = nearest(name, known.keys())
  const hint = meant === '' ? '' : `; did you mean '${meant}'?`
  const there = [...known.keys()].sort().join(', ')
  return failed(`no function does the job '${name}'; there is ${there}${hint}`, -1, true)
}
