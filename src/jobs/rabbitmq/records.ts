/** What people ask about jobs in a RabbitMQ: dead letters, counts, and what the ledger knows. */
import type { GetMessage } from 'amqplib'
import type { Job, JobFacts, QueueFacts, Records, Which } from '../engine.ts'
import type { StoreFile } from '../local/file.ts'
import type { Broker } from './broker.ts'
import type { InHand } from './engine.ts'
import { jobOf, optionsOf } from './message.ts'
import { jobQueue } from './names.ts'
import type { News } from './news.ts'
import type { Session } from './session.ts'

/** Dead letters that are looked through for one. */
const MOST_DEAD = 100_000
/** A job that was cancelled is remembered for so long: it may be delayed, ms. */
const CANCELLED_MS = 30 * 86_400_000

export function rabbitRecords(
  broker: Broker,
  ledger: StoreFile,
  news: News,
  inHand: ReadonlyMap<string, InHand>,
  queues: ReadonlySet<string>,
): Records {
  const isHeld = (id: string): boolean => [...inHand.values()].some((one) => one.job.id === id)
  return {
    async find(id): Promise<JobFacts | null> {
      const known = await ledger.ask<JobFacts | null>({ op: 'find', id })
      if (known !== null) return known
      for (const held of inHand.values()) {
        if (held.job.id === id) return factsOf(held.message, 'running')
      }
      for (const queue of queues) {
        const found = (await listDead(broker, queue, MOST_DEAD)).find((dead) => dead.id === id)
        if (found !== undefined) return found
      }
      return null
    },

    async cancel(id): Promise<boolean> {
      if (isHeld(id)) return false
      if ((await ledger.ask<JobFacts | null>({ op: 'find', id })) !== null) return false
      await news.ended(broker.session, cancelled(id), 'cancelled', null)
      return true
    },

    queues: (): Promise<readonly QueueFacts[]> =>
      broker.run((session) =>
        Promise.all([...queues].sort().map((queue) => count(session, queue, inHand))),
      ),

    list: async (queue, state, most): Promise<readonly JobFacts[]> => {
      if (state === 'dead') return listDead(broker, queue, most)
      if (state !== 'running') return []
      const held = [...inHand.values()].filter((one) => one.job.queue === queue)
      return held.flatMap(({ message }) => factsOf(message, 'running') ?? []).slice(0, most)
    },

    revive: (which): Promise<number> =>
      eachDead(broker, queues, which, async (session, job) => {
        const { names } = session
        const fresh = { ...job, attempts: 0, dueAt: 0, key: '' }
        await session.publish(names.jobs, job.queue, job.payload, optionsOf(fresh, ''))
        news.tellWork(session, job.queue)
      }),

    drop: (which): Promise<number> => eachDead(broker, queues, which, async () => {}),
  }
}

async function count(
  session: Session,
  queue: string,
  inHand: ReadonlyMap<string, InHand>,
): Promise<QueueFacts> {
  const { channel, names } = session
  await session.queue(queue)
  const [waiting, dead] = await Promise.all([
    session.guard(channel.assertQueue(names.queue(queue), jobQueue(session.address.quorum))),
    session.guard(channel.assertQueue(names.dead(queue), { durable: true })),
  ])
  return {
    queue,
    waiting: waiting.messageCount,
    delayed: 0,
    running: [...inHand.values()].filter((one) => one.job.queue === queue).length,
    dead: dead.messageCount,
    oldestAt: 0,
  }
}

function listDead(broker: Broker, queue: string, most: number): Promise<JobFacts[]> {
  return broker.run(async (session) => {
    const found: JobFacts[] = []
    await browse(session, queue, async (message) => {
      const facts = factsOf(message, 'dead')
      if (facts !== null) found.push(facts)
      return found.length < most ? 'keep' : 'enough'
    })
    return found
  })
}

/** Goes through dead letters; `each` is done before one is let go. */
async function eachDead(
  broker: Broker,
  queues: ReadonlySet<string>,
  which: Which,
  each: (session: Session, job: Job) => Promise<void>,
): Promise<number> {
  let sum = 0
  for (const queue of 'queue' in which ? [which.queue] : queues) {
    sum += await broker.run(async (session) => {
      let here = 0
      await browse(session, queue, async (message) => {
        const found = jobOf(message)
        if (found === null || ('id' in which && found.job.id !== which.id)) return 'keep'
        await each(session, found.job)
        here += 1
        return 'remove'
      })
      return here
    })
    if (sum > 0 && 'id' in which) break
  }
  return sum
}

/** Over a channel of its own: what it keeps goes back to its place when that closes. */
async function browse(
  session: Session,
  queue: string,
  look: (message: GetMessage) => Promise<'keep' | 'remove' | 'enough'>,
): Promise<void> {
  await session.queue(queue)
  const channel = await session.guard(session.model.createChannel())
  // Its end with the session is told by that.
  channel.on('error', () => {})
  try {
    for (let seen = 0; seen < MOST_DEAD; seen++) {
      const message = await session.guard(channel.get(session.names.dead(queue)))
      if (message === false) return
      const what = await look(message)
      if (what === 'remove') channel.ack(message)
      if (what === 'enough') return
    }
  } finally {
    await channel.close().catch(() => {})
  }
}

function factsOf(message: GetMessage, state: 'dead' | 'running'): JobFacts | null {
  const found = jobOf(message)
  if (found === null) return null
  const { job, error, diedAt } = found
  const { id, queue, name, priority, maxAttempts, putAt, dueAt } = job
  const attempts = job.attempts + (state === 'running' ? 1 : 0)
  return {
    ...{ id, queue, name, state, priority, attempts, maxAttempts, putAt, dueAt },
    endedAt: state === 'dead' ? diedAt : 0,
    error,
    result: null,
    payload: job.payload,
  }
}

/** No more than its id is known. */
function cancelled(id: string): Job {
  const now = Date.now()
  return {
    ...{ id, queue: '', name: '', payload: new Uint8Array(), priority: 0, putAt: now, dueAt: 0 },
    ...{ attempts: 0, maxAttempts: 1, backoffMs: 0, deadlineMs: 0, keepMs: CANCELLED_MS, key: '' },
  }
}
