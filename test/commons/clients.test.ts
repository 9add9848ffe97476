/** Programs that know Redis and memcached, unchanged. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PYTHON, run } from '../flows/support/portico.ts'
import { type Ours, ours } from './support.ts'

const LIBRARY = new URL('../../src/runtimes/python', import.meta.url).pathname
const here = (name: string): string => new URL(`python/${name}`, import.meta.url).pathname

let site: Ours

beforeAll(async () => {
  site = await ours()
})

afterAll(async () => {
  expect(site.complaints).toEqual([])
  await site[Symbol.asyncDispose]()
})

async function python(file: string, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await run(PYTHON, [here(file), ...args], {
    env: {
      ...process.env,
      PYTHONPATH: LIBRARY,
      PORTICO_COMMONS: site.path,
      MEMCACHED: site.memcached,
    },
  })
  expect(code, err).toBe(0)
  return out
}

test.each(['', 'gevent', 'eventlet'])('every function of the Python package: %s', async (mode) => {
  expect(await python('calls.py', mode)).toBe('fine\n')
})

test('every function of the Python package for asyncio', async () => {
  expect(await python('calls_aio.py')).toBe('fine\n')
})

test('outside of Portico the package says so', async () => {
  const lines = (await python('outside.py')).split('\n')
  const word =
    'what applications share is there only when Portico runs them: the environment has no PORTICO_COMMONS. Start the application with `portico serve`'
  expect(lines).toEqual([
    word,
    word,
    'Portico cannot be reached at /nowhere/commons.sock: [Errno 2] No such file or directory',
    '',
  ])
})

test('redis-py: values, pipelines, WATCH, queues, publishing, scanning', async () => {
  expect(await python('redis_py.py')).toBe('fine\n')
})

test('pymemcache: everything that it can ask', async () => {
  expect(await python('pymemcache_client.py')).toBe('fine\n')
})

test('Django’s cache over Redis’s and memcached’s protocol', async () => {
  expect(await python('django_cache.py')).toBe('fine\n')
})

test('PHP’s extensions for Redis and memcached', async () => {
  const { code, out, err } = await run('php', [here('../clients.php')], {
    env: { ...process.env, PORTICO_COMMONS: site.path, MEMCACHED: site.memcached },
  })
  expect(out + err).toBe('fine\n')
  expect(code).toBe(0)
})

test('redis-cli and libmemcached’s programs', async () => {
  const cli = async (...args: readonly string[]): Promise<string> =>
    (await run('redis-cli', ['-s', site.path, ...args])).out
  expect(await cli('set', 'greeting', 'hello')).toBe('OK\n')
  expect(await cli('-3', 'hgetall', 'none')).toBe('\n')
  expect(await cli('info')).toContain('maxmemory_policy:sieve')
  expect(await cli('--scan', '--pattern', 'greet*')).toBe('greeting\n')
  const server = `--servers=${site.memcached}`
  expect((await run('memccat', [server, 'greeting'])).out).toBe('hello\n')
  expect((await run('memcstat', [server])).out).toContain('limit_maxbytes: 67108864')
  expect((await run('memcrm', [server, 'greeting'])).code).toBe(0)
  expect(await cli('exists', 'greeting')).toBe('0\n')
})
