/**
 * Nothing is lost while job workers, and what keeps the jobs, die. `npm run bench` has it in large:
 * PORTICO_JOBS says how many jobs.
 */
import { expect, test } from 'vitest'
import { type EnduranceResult, endure } from './endurance.ts'
import { RabbitServer, RedisServer } from './servers.ts'

const jobs = Number(process.env.PORTICO_JOBS ?? 2_000)
/** One of four: each lives 2 s on the average, which is longer than what counts as a failed start. */
const killEveryMs = 500
const LONGEST_MS = 120_000 + jobs * 5

function judge(engine: string, result: EnduranceResult): void {
  console.log(engine, result)
  expect(result).toMatchObject({ done: jobs, lost: 0, restarts: 2 })
  expect(result.workersKilled).toBeGreaterThan(1)
  // A job is repeated whose worker died, or whose broker did, between its end and the word about it.
  expect(result.duplicates).toBeLessThanOrEqual(result.workersKilled + 2 * 4)
}

test(
  'no job is lost when workers and the process with the local store are killed',
  async () => {
    judge('local', await endure({ engine: 'local', jobs, killEveryMs, restart: null }))
  },
  LONGEST_MS,
)

test(
  'no job is lost when workers and Redis are killed',
  async () => {
    await using redis = await RedisServer.start()
    const restart = async (): Promise<void> => {
      await redis.stop()
      await redis.start()
    }
    judge('redis', await endure({ engine: redis.url, jobs, killEveryMs, restart }))
  },
  LONGEST_MS,
)

test(
  'no job is lost when workers and RabbitMQ are killed',
  async () => {
    await using rabbit = await RabbitServer.start()
    const restart = async (): Promise<void> => {
      await rabbit.stop()
      await rabbit.start()
    }
    judge('rabbitmq', await endure({ engine: rabbit.url, jobs, killEveryMs, restart }))
  },
  LONGEST_MS,
)
