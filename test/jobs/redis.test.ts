/** Jobs in a real Redis: the promises of every engine, and what is Redis's own. */
import { afterAll, beforeAll, describe } from 'vitest'
import type { JobEngine } from '../../src/jobs/engine.ts'
import { openRedis } from '../../src/jobs/redis/engine.ts'
import { engineSuite } from './engines.ts'
import { RedisServer } from './servers.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis[Symbol.asyncDispose]())

describe('the Redis engine', () => {
  engineSuite({
    looksInside: true,
    single: false,
    async open(events) {
      const engine = openRedis(redis.url, { work() {}, warn() {}, ...events })
      // Connected, and subscribed to the news.
      await engine.records.queues()
      return engine
    },
    // Its life ends: what a machine without power does after 15 s.
    async crash(engine: JobEngine) {
      await engine.close()
    },
  })
})
