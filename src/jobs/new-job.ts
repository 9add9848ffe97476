/** What somebody asks for becomes a job, or a reason why it does not. */
import { randomBytes } from 'node:crypto'
import type { JobsPlan } from '../site/jobs-plan.ts'
import { HIGHEST_PRIORITY, type Job, JobError } from './engine.ts'

/** What may be left out is undefined. Times are ms. */
export interface JobWish {
  readonly queue: string
  readonly name: string
  readonly payload: Uint8Array
  readonly id?: string
  readonly delayMs?: number
  /** Since 1970. */
  readonly at?: number
  readonly priority?: number
  readonly retries?: number
  readonly backoffMs?: number
  readonly deadlineMs?: number
  readonly keepMs?: number
  readonly key?: string
}

export const QUEUE_NAME: RegExp = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}$/
const ID = /^[A-Za-z0-9_.:-]{1,64}$/
const LONGEST_NAME = 200
const LONGEST_KEY = 500
const LONGEST_DELAY_MS = 5 * 365 * 86_400_000
const LONGEST_TIME_MS = 30 * 86_400_000
const MOST_RETRIES = 1000

/** Throws a JobError that says what is wrong. */
export function newJob(wish: JobWish, plan: JobsPlan, now: number): Job {
  const { queue, name, payload, key = '', at, delayMs = 0 } = wish
  if (!QUEUE_NAME.test(queue)) {
    invalid(`a queue is named by letters, digits, _ . : and -, 100 at most`)
  }
  if (name === '' || name.length > LONGEST_NAME || /[\x00-\x1f\x7f]/.test(name)) {
    invalid(`a job is named by 1 to ${LONGEST_NAME} characters`)
  }
  if (payload.length > plan.payload) {
    invalid(
      `a payload of ${payload.length} bytes is longer than ${plan.payload}; raise jobs.payload`,
    )
  }
  if (key.length > LONGEST_KEY || /[\x00-\x1f\x7f]/.test(key)) {
    invalid(`a key has at most ${LONGEST_KEY} characters`)
  }
  if (wish.id !== undefined && !ID.test(wish.id)) {
    invalid('an id is 1 to 64 letters, digits, _ . : and -')
  }
  const usual = plan.queues[queue] ?? plan.usual
  const dueAt = at ?? (delayMs === 0 ? 0 : now + delayMs)
  if (!(dueAt >= 0 && dueAt <= now + LONGEST_DELAY_MS)) invalid('a job is due within five years')
  return {
    id: wish.id ?? newId(now),
    queue,
    name,
    payload,
    priority: within(wish.priority ?? 0, HIGHEST_PRIORITY, 'a priority'),
    putAt: now,
    dueAt: Math.round(dueAt),
    attempts: 0,
    maxAttempts: 1 + within(wish.retries ?? usual.retries, MOST_RETRIES, 'retries'),
    backoffMs: within(wish.backoffMs ?? usual.backoffMs, LONGEST_TIME_MS, 'a backoff in ms'),
    deadlineMs: within(wish.deadlineMs ?? usual.deadlineMs, LONGEST_TIME_MS, 'a deadline in ms'),
    keepMs: within(wish.keepMs ?? usual.keepMs, LONGEST_TIME_MS, 'a time to keep in ms'),
    key,
  }
}

/** Sorts by time. */
function newId(now: number): string {
  return `${now.toString(36)}-${randomBytes(9).toString('hex')}`
}

function within(value: number, most: number, what: string): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    invalid(`${what} is a whole number from 0 to ${most}`)
  }
  return value
}

function invalid(message: string): never {
  throw new JobError('INVALID', message)
}
