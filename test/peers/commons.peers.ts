/** The newest Django, redis-py (RESP3 by default since 6) and pymemcache of PyPI against what applications share. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ours, ours } from '../commons/support.ts'
import { run } from '../flows/support/portico.ts'
import { makeVenv } from './venv.ts'

const here = (name: string): string =>
  new URL(`../commons/python/${name}`, import.meta.url).pathname

let place: { folder: string; venv: string }
let site: Ours

beforeAll(async () => {
  place = makeVenv(['django', 'redis', 'hiredis', 'pymemcache'])
  site = await ours()
}, 180_000)

afterAll(async () => {
  await site[Symbol.asyncDispose]()
  rmSync(place.folder, { recursive: true, force: true })
})

test.each(['redis_py.py', 'pymemcache_client.py', 'django_cache.py'])('%s', async (file) => {
  const env = {
    ...process.env,
    PORTICO_COMMONS: site.path,
    MEMCACHED: site.memcached,
    DJANGO_REDIS: 'django.core.cache.backends.redis.RedisCache',
  }
  const { out, err } = await run(join(place.venv, 'bin', 'python'), [here(file)], { env })
  expect(out, err).toBe('fine\n')
})
