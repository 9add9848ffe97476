/** examples/sessions: baskets in Redis and in memcached, behind a pool that keeps no visitor with anybody. */
import { type ChildProcess, spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RedisServer } from '../jobs/servers.ts'
import { until } from '../supervisor/site.ts'
import { freePort } from './support/peers.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, type Reply, Visitor } from './support/visitor.ts'

const EXAMPLE = new URL('../../examples/sessions', import.meta.url).pathname
const PATH = `${PYTHON.replace(/\/python3$/, '')}:${process.env.PATH}`

let redis: RedisServer
let memcached: ChildProcess
let memcachedPort = 0

beforeAll(async () => {
  redis = await RedisServer.start()
  memcachedPort = await freePort()
  const args = ['-l', '127.0.0.1', '-p', String(memcachedPort), '-U', '0', '-u', 'root']
  memcached = spawn('memcached', args, { stdio: 'ignore' })
  await until('memcached', async () => {
    const visitor = await Visitor.to(memcachedPort).catch(() => undefined)
    visitor?.leave()
    return visitor !== undefined
  })
})

afterAll(async () => {
  memcached.kill('SIGKILL')
  await redis[Symbol.asyncDispose]()
})

function machine(name: string, store: string): Promise<Portico> {
  const args = [
    '--listen',
    '127.0.0.1:0',
    '--admin',
    `/tmp/portico-example-${process.pid}-${name}.sock`,
  ]
  const env = { PATH, MACHINE: name, SESSION_STORE: store }
  return Portico.serve({}, { target: EXAMPLE, args, env })
}

interface Shown {
  readonly machine: string
  readonly basket: readonly string[]
}

describe.each(['redis', 'memcached'])('baskets in %s', (kind) => {
  it('are the same on every machine, and outlive any of them', async () => {
    const store =
      kind === 'redis' ? redis.url.replace(/0$/, '1') : `memcached://127.0.0.1:${memcachedPort}`
    await using one = await machine('one', store)
    await using two = await machine('two', store)
    await using front = await Portico.serve(
      {},
      {
        target: `${EXAMPLE}/front.yaml`,
        env: { FRONT: '127.0.0.1:0', ONE: `127.0.0.1:${one.port}`, TWO: `127.0.0.1:${two.port}` },
      },
    )
    let cookie = ''
    const visit = async (path: string): Promise<Shown> => {
      const answer: Reply = await ask(front.port, path, { fields: { Cookie: cookie } })
      expect(answer.status, answer.text).toBe(200)
      cookie = answer.fields['set-cookie']?.split(';')[0] ?? cookie
      return JSON.parse(answer.text)
    }
    const machines = new Set<string>()
    const wanted = ['tea', 'milk', 'cups', 'spoons']
    for (const [index, thing] of wanted.entries()) {
      const shown = await visit(`/basket?add=${thing}`)
      machines.add(shown.machine)
      expect(shown.basket).toEqual(wanted.slice(0, index + 1))
    }
    expect(machines).toEqual(new Set(['one', 'two']))
    await one[Symbol.asyncDispose]()
    for (let i = 0; i < 4; i++) {
      expect(await visit('/basket')).toEqual({ machine: 'two', basket: wanted })
    }
    // Somebody else has another one.
    cookie = ''
    expect((await visit('/basket')).basket).toEqual([])
  })
})
