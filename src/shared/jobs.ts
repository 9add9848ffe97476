/**
 * Work that is done after the answer, and kept until it is done. `apps.NAME.jobs` in the site file has it
 * done by processes of the application's own, which do what its module exports as `jobs`:
 *
 *     export const sendMail = job({ queue: 'mail', retries: 5 }, async function sendMail(to: string) { … })
 *     export const jobs = { sendMail }
 *
 *     const id = await sendMail.enqueue('a@b.c')            // has it done
 *     await enqueue('shop.mail.send', ['a@b.c'])            // by whoever does jobs of that name
 *     await result(id, 10_000)                              // what it returned
 *
 * A job may run more than once: after its worker was killed nobody knows how far it had come. Times are ms.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Reply, textOf } from '../wire/resp.ts'
import { asBytes, Unavailable } from './connection.ts'
import { askJobs } from './job-connections.ts'

const QUEUE = 'default'
/** How long a job is put again when Portico is away for a moment. */
const PATIENCE_MS = 10_000
const AGAIN_MS = 50
const FIRST_LOOK_MS = 5
const LONGEST_LOOK_MS = 200

/** What is left out is as the site file has it for the queue. */
export interface JobOptions {
  /** The queue; without it `default`. */
  readonly queue?: string
  /** 0 to 9, 9 first. */
  readonly priority?: number
  /** Attempts after a failed first one. */
  readonly retries?: number
  /** The wait before it is tried again, twice as long each time. */
  readonly backoff?: number
  /** Longest it may run. */
  readonly deadline?: number
  /** How long its result can be asked for. */
  readonly keep?: number
}

export interface JobSettings extends JobOptions {
  /** Default: the name of the function. */
  readonly name?: string
  /** The function gets the payload's bytes, and may return bytes. */
  readonly raw?: boolean
}

export interface EnqueueOptions extends JobOptions {
  /** It begins so much later. */
  readonly delay?: number
  /** It begins then. */
  readonly at?: Date
  /** While a job with the same key waits, no other is put: the id is that of the one that waits. */
  readonly key?: string
}

/** The job in hand, as its function is told of it. */
export interface CurrentJob {
  readonly id: string
  readonly name: string
  readonly queue: string
  /** From 1, of `attempts`. */
  readonly attempt: number
  readonly attempts: number
}

export type JobFunction<Payload, Result> = (
  payload: Payload,
  job: CurrentJob,
) => Result | Promise<Result>

export interface Job<Payload = unknown, Result = unknown> {
  /** Calls the function, as ever. */
  (payload: Payload, job: CurrentJob): Result | Promise<Result>
  /** Has it called by a job worker; the id. */
  enqueue(payload: Payload, options?: EnqueueOptions): Promise<string>
  readonly settings: JobSettings
  /** Its name where it has none of its own; Portico tells that of the property of `jobs`. */
  called(name: string): void
}

/** By name, of this process: their options count where it puts them by name. */
const declared = new Map<string, JobOptions>()

/** Makes a function something that has options as a job, and can be put by itself. */
export function job<Payload, Result>(
  settings: JobSettings,
  run: JobFunction<Payload, Result>,
): Job<Payload, Result> {
  const { name, raw: _, ...usual } = settings
  const whole = { ...settings, name: name ?? run.name }
  const call = (payload: Payload, current: CurrentJob): Result | Promise<Result> =>
    run(payload, current)
  const put = (payload: Payload, options: EnqueueOptions = {}): Promise<string> => {
    if (whole.name === '') throw new TypeError('a job without a name: job({ name: … }, …)')
    return enqueue(whole.name, payload, { ...usual, ...options })
  }
  const called = (property: string): void => {
    whole.name ||= property
    declared.set(property, usual)
    declared.set(whole.name, usual)
  }
  if (whole.name !== '') called(whole.name)
  return Object.assign(call, { enqueue: put, settings: whole, called })
}

/** Thrown by a job: it has failed, and is to be tried again after so long. */
export class Retry extends Error {
  readonly afterMs: number

  constructor(afterMs: number, reason = 'asked to be tried again') {
    super(reason)
    this.name = 'Retry'
    this.afterMs = afterMs
  }
}

/** Thrown by a job: it has failed for good, no further attempt makes sense. */
export class Dead extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'Dead'
  }
}

/** The job has not ended yet. */
export class Pending extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Pending'
  }
}

/** The job has failed for good; the message says why. */
export class Failed extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Failed'
  }
}

/** No such job is known: there never was one, or its result has been forgotten. */
export class Unknown extends Error {
  constructor(id: string) {
    super(`no job ${id} is known`)
    this.name = 'Unknown'
  }
}

/**
 * Puts a job for whoever does those of this name; its id. Options that it was declared with count where
 * this process has loaded it. It is kept when this resolves. `payload`: what
 * JSON can say, or bytes. Rejects with Refused, or with Unavailable when Portico is away for long.
 */
export async function enqueue(
  name: string,
  payload: unknown = null,
  options: EnqueueOptions = {},
): Promise<string> {
  const wish = { ...declared.get(name), ...options }
  const { queue = QUEUE, at, key } = wish
  const bytes = asBytes(payload instanceof Uint8Array ? payload : JSON.stringify(payload))
  // Named here, so that one that is put again after a lost answer is still one.
  const id = `${Date.now().toString(16)}-${randomBytes(9).toString('hex')}`
  const command = ['PORTICO.JOB.PUT', asBytes(queue), asBytes(name), bytes, 'ID', id]
  for (const word of ['delay', 'backoff', 'deadline', 'keep', 'priority', 'retries'] as const) {
    const value = wish[word]
    if (value !== undefined) command.push(word.toUpperCase(), String(Math.round(value)))
  }
  if (at !== undefined) command.push('AT', String(at.getTime()))
  if (key !== undefined) command.push('KEY', asBytes(key))
  const patientUntil = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return textOf((await askJobs(command)) as string)
    } catch (error) {
      if (!(error instanceof Unavailable) || performance.now() > patientUntil) throw error
      await sleep(AGAIN_MS)
    }
  }
}

/** What is known of a job. Times are ms since 1970. */
export interface JobFacts {
  readonly id: string
  readonly queue: string
  readonly name: string
  readonly state: 'waiting' | 'delayed' | 'running' | 'dead' | 'done' | 'cancelled'
  readonly priority: number
  readonly attempt: number
  readonly attempts: number
  readonly put: number
  readonly due: number
  /** 0: it has not ended. */
  readonly ended: number
  /** Of its last failed attempt; '' for none. */
  readonly error: string
  /** Of a job that is done; null: none was kept. */
  readonly result: string | null
}

/** Null when nothing is known of it. */
export async function jobFacts(id: string): Promise<JobFacts | null> {
  const reply = await askJobs(['PORTICO.JOB.GET', asBytes(id)])
  if (!Array.isArray(reply)) return null
  return namedText(reply) as unknown as JobFacts
}

/** Names and values in turn; bytes as the text that they are. */
function namedText(reply: readonly Reply[]): Record<string, unknown> {
  const pairs: [string, unknown][] = []
  for (let at = 0; at < reply.length; at += 2) {
    const value = reply[at + 1]
    pairs.push([String(reply[at]), typeof value === 'string' ? textOf(value) : value])
  }
  return Object.fromEntries(pairs)
}

/** What the job returned, waiting for it up to `waitMs`. Rejects with Pending, Failed or Unknown. */
export async function result(id: string, waitMs = 0): Promise<unknown> {
  const until = performance.now() + waitMs
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(LONGEST_LOOK_MS, pause * 1.5)) {
    const facts = await jobFacts(id)
    if (facts?.state === 'done') return facts.result ? JSON.parse(facts.result) : null
    if (facts?.state === 'dead') throw new Failed(facts.error)
    if (facts?.state === 'cancelled') throw new Failed('it was cancelled')
    const left = until - performance.now()
    if (left <= 0) {
      throw facts === null ? new Unknown(id) : new Pending(`${id} is ${facts.state}`)
    }
    await sleep(Math.min(left, pause))
  }
}

/** Whether it will not begin: false when it has. */
export async function cancel(id: string): Promise<boolean> {
  return (await askJobs(['PORTICO.JOB.CANCEL', asBytes(id)])) === 1
}
