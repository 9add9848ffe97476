/** What people ask about jobs in a Redis. */
import { bytesOf, Pairs, type Reply, textOf } from '../../wire/resp.ts'
import type { JobFacts, JobState, QueueFacts, Records, Which } from '../engine.ts'
import { decodeHead } from '../head.ts'
import type { ScriptName } from './scripts.ts'

/** Dead letters that one step moves: Redis answers nobody else meanwhile. */
const AT_ONCE = 1000
const NOTHING = new Uint8Array()

export interface RedisScripts {
  run(name: ScriptName, args: readonly string[]): Promise<Reply>
  /** Everything about a job. */
  hash(id: string): Promise<Reply>
}

export function redisRecords(redis: RedisScripts): Records {
  return {
    find: async (id): Promise<JobFacts | null> => factsOf(await redis.hash(id)),
    cancel: async (id): Promise<boolean> => (await redis.run('cancel', [bytesOf(id)])) === 1,
    queues: async (): Promise<readonly QueueFacts[]> =>
      queueFacts((await redis.run('queues', [])) as readonly Reply[]),
    async list(queue, state, most): Promise<readonly JobFacts[]> {
      const ids = await redis.run('list', [bytesOf(queue), state, String(most)])
      const found = (ids as readonly Reply[]).map((id) => redis.hash(textOf(String(id))))
      return (await Promise.all(found)).map(factsOf).filter((facts) => facts !== null)
    },
    revive: (which): Promise<number> => moveDead(redis, 'revive', which),
    drop: (which): Promise<number> => moveDead(redis, 'drop', which),
  }
}

async function moveDead(redis: RedisScripts, what: string, which: Which): Promise<number> {
  const [queue, id] = 'id' in which ? ['', which.id] : [which.queue, '']
  const args = [what, bytesOf(queue), bytesOf(id), String(AT_ONCE)]
  let sum = 0
  for (;;) {
    const moved = Number(await redis.run('dead', args))
    sum += moved
    if (moved < AT_ONCE) return sum
  }
}

function factsOf(reply: Reply): JobFacts | null {
  const items = reply instanceof Pairs ? reply.items : []
  const fields = new Map<string, string>()
  for (let at = 0; at < items.length; at += 2) fields.set(String(items[at]), String(items[at + 1]))
  const field = (name: string): string => fields.get(name) ?? ''
  const attempts = Number(field('attempts'))
  const job = decodeHead(textOf(field('head')), NOTHING, attempts)
  if (job === null) return null
  return {
    id: job.id,
    queue: job.queue,
    name: job.name,
    state: field('state') as JobState,
    priority: job.priority,
    attempts,
    maxAttempts: job.maxAttempts,
    putAt: job.putAt,
    dueAt: Number(field('due')),
    endedAt: Number(field('ended')),
    error: textOf(field('error')),
    result: fields.has('result') ? Buffer.from(field('result'), 'latin1') : null,
    payload: fields.has('payload') ? Buffer.from(field('payload'), 'latin1') : null,
  }
}

/** Six values each: the queue, four counts, and the heads of those that may be the oldest. */
function queueFacts(items: readonly Reply[]): QueueFacts[] {
  const facts: QueueFacts[] = []
  for (let at = 0; at < items.length; at += 6) {
    const [queue, waiting, delayed, running, dead, heads] = items.slice(at, at + 6)
    const times = (heads as readonly Reply[])
      .map((head) => decodeHead(textOf(String(head)), NOTHING, 0)?.putAt ?? 0)
      .filter((time) => time > 0)
    facts.push({
      queue: textOf(String(queue)),
      waiting: Number(waiting),
      delayed: Number(delayed),
      running: Number(running),
      dead: Number(dead),
      oldestAt: times.length === 0 ? 0 : Math.min(...times),
    })
  }
  return facts.sort((one, other) => (one.queue < other.queue ? -1 : 1))
}
