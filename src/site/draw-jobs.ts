/** `jobs:` → the Plan's jobs. */
import { join } from 'node:path'
import { parseRabbitAddress } from '../jobs/rabbitmq/address.ts'
import { parseRedisAddress } from '../jobs/redis/address.ts'
import { absolutePath, type Drawing } from './drawing.ts'
import type { JobsPlan, JobWorkersPlan, QueuePlan } from './jobs-plan.ts'
import type { PythonSettings } from './settings/apps.ts'
import type { Settings } from './settings.ts'

type QueueSettings = Settings['jobs']['queues'][string]

const PERIODS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/** As the settings of a queue have it by default. */
const USUAL: QueueSettings = {
  concurrency: 0,
  rate: '',
  retries: 3,
  backoff: 1000,
  keep: 3_600_000,
  deadline: 0,
  run: [],
  workers: 1,
}

/** Without any settings. `state` is the site's folder for what outlives it. */
export function usualJobs(state: string): JobsPlan {
  return {
    engine: 'local',
    folder: join(state, 'jobs'),
    size: 4 * 1024 ** 3,
    payload: 1024 ** 2,
    queues: {},
    usual: drawQueue(USUAL, ''),
  }
}

export function drawJobs(drawing: Drawing, state: string): JobsPlan {
  const { engine, size, payload, queues } = drawing.settings.jobs
  checkEngine(drawing, engine)
  const drawn = Object.entries(queues).map(([name, settings]): [string, QueuePlan] => [
    name,
    drawQueue(settings, absolutePath(drawing, ['jobs', 'queues', name], '.')),
  ])
  return { ...usualJobs(state), engine, size, payload, queues: Object.fromEntries(drawn) }
}

function drawQueue(settings: QueueSettings, dir: string): QueuePlan {
  const { concurrency, rate, retries, backoff, keep, deadline, run, workers } = settings
  const [count = '0', period = 's'] = rate.split('/')
  return {
    concurrency,
    rate: Number(count),
    perMs: PERIODS[period]!,
    retries,
    backoffMs: backoff,
    keepMs: keep,
    deadlineMs: deadline,
    run,
    workers,
    dir,
  }
}

/** What an address may hold, the engine itself knows. */
function checkEngine({ report }: Drawing, engine: string): void {
  try {
    if (/^rediss?:/.test(engine)) parseRedisAddress(engine)
    if (/^amqps?:/.test(engine)) parseRabbitAddress(engine)
  } catch (error) {
    const reason = error instanceof TypeError ? 'no address' : (error as Error).message
    const expected = 'local, redis://host:6379/0 or amqp://host:5672'
    report.problem(['jobs', 'engine'], reason, { expected })
  }
}

/** Empty: it has none. */
export function drawJobWorkers({ jobs }: Pick<PythonSettings, 'jobs'>): {
  readonly jobs?: JobWorkersPlan
} {
  if (jobs === undefined) return {}
  const { workers, queues, deadline, recycle } = jobs
  return { jobs: { workers, queues, deadlineMs: deadline, recycle } }
}
