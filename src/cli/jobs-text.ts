/** How jobs look for people. */
import type { QueueStatus } from '../commons/protocol.ts'
import { harmless, showTime, table } from './show.ts'

/** As the commons tells them to whoever asks for them; the status has ages. */
export interface ShownQueue extends Omit<QueueStatus, 'oldestMs'> {
  readonly oldest: number
}

export interface ShownJob {
  readonly id: string
  readonly queue: string
  readonly name: string
  readonly state: string
  readonly priority: number
  readonly attempt: number
  readonly attempts: number
  readonly put: number
  readonly due: number
  readonly ended: number
  readonly error: string
  readonly result: string | null
  readonly payload: string | null
}

const LONGEST_ERROR = 80

export function queuesText(queues: readonly ShownQueue[], now: number): string {
  if (queues.length === 0) return 'no jobs'
  const aged = queues.map(({ oldest, ...queue }) => ({
    ...queue,
    oldestMs: oldest === 0 ? 0 : now - oldest,
  }))
  return queueTable(aged).join('\n')
}

/** Empty where there is none. */
export function queueTable(queues: readonly QueueStatus[]): string[] {
  if (queues.length === 0) return []
  const rows = queues.map(({ queue, waiting, delayed, running, dead, oldestMs }) => [
    queue,
    ...[waiting, delayed, running, dead].map(String),
    oldestMs === 0 ? '-' : showTime(oldestMs),
  ])
  const head = ['queue', 'waiting', 'delayed', 'running', 'dead', 'oldest']
  return table([head, ...rows], 1)
}

export function jobTable(jobs: readonly ShownJob[], now: number): string {
  if (jobs.length === 0) return 'no jobs'
  const rows = jobs.map((job) => {
    // The last line of a traceback says what it was; JavaScript's frames come after it.
    const lines = job.error.split('\n').filter((line) => !/^\s+at |^$/.test(line))
    const error = shorten(harmless(lines.at(-1) ?? ''))
    const age = showTime(now - job.put)
    const attempts = `${job.attempt}/${job.attempts}`
    return [job.id, job.queue, harmless(job.name), job.state, age, attempts, error]
  })
  const head = ['id', 'queue', 'name', 'state', 'age', 'attempts', 'error']
  return table([head, ...rows], 7).join('\n')
}

function shorten(text: string): string {
  return text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR - 1)}…` : text
}

export function jobText(job: ShownJob, now: number): string {
  const time = (at: number): string =>
    at === 0
      ? '-'
      : `${new Date(at).toISOString()} (${showTime(Math.abs(now - at))} ${at > now ? 'from now' : 'ago'})`
  const facts: [string, string][] = [
    ['id', job.id],
    ['queue', job.queue],
    ['name', harmless(job.name)],
    ['state', job.state],
    ['priority', String(job.priority)],
    ['attempts', `${job.attempt} of ${job.attempts}`],
    ['put', time(job.put)],
    ['due', time(job.due)],
    ['ended', time(job.ended)],
  ]
  if (job.payload !== null) facts.push(['payload', harmless(job.payload)])
  if (job.result !== null) facts.push(['result', harmless(job.result)])
  const lines = facts.map(([name, value]) => `${name.padEnd(10)}${value}`)
  if (job.error === '') return lines.join('\n')
  const error = job.error
    .trimEnd()
    .split('\n')
    .map((line) => `  ${harmless(line)}`)
  return [...lines, 'error', ...error].join('\n')
}
