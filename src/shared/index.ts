/**
 * What the workers of a site share, for programs that Portico runs: `import { cache } from 'portico/shared'`.
 * Without Portico every call rejects with Unavailable.
 */
import { textOf } from '../wire/resp.ts'
import {
  asBytes,
  ask,
  askAlone,
  Connection,
  connection,
  TIMEOUT_MS,
  type Value,
} from './connection.ts'

export { Cache, type CacheOptions, cache } from './cache.ts'
export { Refused, Unavailable, type Value } from './connection.ts'
export {
  type CurrentJob,
  cancel,
  Dead,
  type EnqueueOptions,
  enqueue,
  Failed,
  type Job,
  type JobFacts,
  type JobFunction,
  type JobOptions,
  type JobSettings,
  job,
  jobFacts,
  Pending,
  Retry,
  result,
  Unknown,
} from './jobs.ts'

/** The longest that the commons wait, ms. */
const FOR_EVER_MS = 2 ** 31 - 1

/** A number that never goes for want of memory. */
export interface Counter {
  incr(by?: number): Promise<number>
  get(): Promise<number>
  set(to: number): Promise<void>
}

const COUNTERS = 'portico:counters'

export function counter(name: string): Counter {
  const field = asBytes(name)
  return {
    incr: async (by = 1) => Number(await ask('HINCRBY', COUNTERS, field, String(by))),
    get: async () => Number((await ask('HGET', COUNTERS, field)) ?? 0),
    async set(to) {
      await ask('HSET', COUNTERS, field, String(Math.trunc(to)))
    },
  }
}

/** First in, first out. What is taken is gone, and all goes with Portico. */
export interface Queue {
  /** How many there are now. */
  put(...values: readonly Value[]): Promise<number>
  /** The first one; null where none comes within `waitMs` (0: none is waited for). */
  get(waitMs?: number): Promise<string | null>
  length(): Promise<number>
}

export function queue(name: string): Queue {
  const key = `portico:queue:${asBytes(name)}`
  return {
    put: async (...values) => (await ask('RPUSH', key, ...values.map(asBytes))) as number,
    async get(waitMs = 0) {
      if (waitMs === 0) {
        const value = (await ask('LPOP', key)) as string | null
        return value === null ? null : textOf(value)
      }
      const wait = Math.min(waitMs, FOR_EVER_MS - TIMEOUT_MS)
      const reply = await askAlone(['BLPOP', key, String(wait / 1000)], wait)
      return Array.isArray(reply) ? textOf(reply[1] as string) : null
    },
    length: async () => (await ask('LLEN', key)) as number,
  }
}

/** A lock that is held: `await using held = await lock('name')`. It ends with the process that holds it. */
export interface Held extends AsyncDisposable {
  /** Larger than that of whoever held it before. */
  readonly fence: number
  /** False when it was lost meanwhile: its time was over. */
  release(): Promise<boolean>
}

export interface LockOptions {
  /** ms after which it is released in any case. */
  readonly ttl?: number
  /** ms after which nobody waits for it any more. */
  readonly wait?: number
}

/** Waits for the lock. Rejects when it is not to be had within `wait`. */
export async function lock(name: string, { ttl = 0, wait }: LockOptions = {}): Promise<Held> {
  const key = asBytes(name)
  // It is released with its connection.
  const own = new Connection()
  try {
    const waits = wait === 0 ? [] : ['WAIT', String(Math.round(wait ?? FOR_EVER_MS))]
    const command = ['PORTICO.LOCK', key, String(Math.round(ttl)), ...waits]
    const fence = await own.ask(command, wait === undefined ? 0 : wait + TIMEOUT_MS)
    if (typeof fence !== 'number') throw new Error(`the lock ${name} was not to be had in time`)
    const release = async (): Promise<boolean> => {
      try {
        return (await own.ask(['PORTICO.UNLOCK', key])) === 1
      } finally {
        own.close()
      }
    }
    return {
      fence,
      release,
      async [Symbol.asyncDispose]() {
        if (own.isOpen) await release()
      },
    }
  } catch (error) {
    own.close()
    throw error
  }
}

/** Raises a signal; how many processes listen. */
export async function signal(name: string, data: Value = ''): Promise<number> {
  return (await ask('PORTICO.SIGNAL', asBytes(name), asBytes(data))) as number
}

const CHANNEL = 'portico:signal:'
const AGAIN_MS = 1_000

/** Has `handler` called for each signal of that name, until what is returned is called. */
export function listen(name: string, handler: (data: string) => void): () => void {
  let over = false
  let own: Connection | null = null
  const begin = (): void => {
    if (over) return
    own = new Connection()
    own.onPush = ([kind, , data]) => {
      if (kind === 'message') handler(textOf(data as string))
    }
    own.onClose = () => setTimeout(begin, AGAIN_MS).unref()
    own.ask(['HELLO', '3']).catch(() => {})
    own.tell(['SUBSCRIBE', CHANNEL + asBytes(name)])
  }
  begin()
  return () => {
    over = true
    own?.close()
  }
}

type Labels = Readonly<Record<string, string | number>>

function report(kind: string, name: string, value: number, labels: Labels): void {
  const pairs = Object.entries(labels).flatMap(([label, text]) => [
    asBytes(label),
    asBytes(String(text)),
  ])
  // Metrics are not worth a failed request.
  try {
    connection()
      .ask(['PORTICO.METRIC', asBytes(name), kind, String(value), ...pairs])
      .catch(() => {})
  } catch {
    // Not run by Portico.
  }
}

/** Metrics of the application, beside Portico's own. Nobody waits for them. */
export const metrics = {
  /** Adds to a number that only grows. */
  counter: (name: string, by = 1, labels: Labels = {}): void => report('counter', name, by, labels),
  /** A number as it is now. */
  gauge: (name: string, value: number, labels: Labels = {}): void =>
    report('gauge', name, value, labels),
  /** How long something took, in seconds. */
  timing: (name: string, seconds: number, labels: Labels = {}): void =>
    report('timing', name, seconds, labels),
} as const
