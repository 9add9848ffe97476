/** A pool of three nginx under load behind the whole Portico, and what visitors notice when they fail. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { NginxServer } from './support/nginx-server.ts'
import { Portico } from './support/portico.ts'
import { ask } from './support/visitor.ts'

let servers: NginxServer[]
let portico: Portico

beforeAll(async () => {
  servers = await NginxServer.start('a', 'b', 'c')
  portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
log: { access: "off" }
routes: { /: { proxy: three } }
pools:
  three:
    servers: [${servers.map(({ address }) => `"${address}"`).join(', ')}]
    schedule: least-connections
    retry: { each: 500ms, time: 2s }
    passive: { failures: 3, rest: 1s, longest: 2s }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  for (const server of servers) await server[Symbol.asyncDispose]()
})

afterEach(async () => {
  for (const server of servers) {
    server.thaw()
    if (!server.runs) await server.start()
  }
  await until('all to be asked again', async () => {
    const names = new Set<string>()
    for (let i = 0; i < 12; i++) names.add((await ask(portico.port, '/')).text)
    return names.size === 3
  })
})

/** Under load, with what it saw of each server since. */
function begin(): { load: Load; seen: Record<string, number> } {
  const seen: Record<string, number> = { a: 0, b: 0, c: 0 }
  const load = new Load(portico.port, {
    kept: 12,
    fresh: 4,
    pauseMs: 1,
    answered: (_n, _status, body) => {
      seen[body] = (seen[body] ?? 0) + 1
    },
  })
  return { load, seen }
}

async function more(load: Load, count: number): Promise<void> {
  const from = load.answered
  await until('load', () => load.answered > from + count, 20_000)
}

test('one is killed: no visitor notices', async () => {
  const { load, seen } = begin()
  await more(load, 500)
  await servers[1]!.end('SIGKILL')
  // What it had answered is still on its way.
  await more(load, 200)
  seen.b = 0
  await more(load, 1_000)
  expect(seen.b).toBe(0)
  await servers[1]!.start()
  await until('b', () => seen.b! > 50, 10_000)
  const { lost, statuses } = await load.stop()
  expect([lost, Object.keys(statuses)]).toEqual([[], ['200']])
})

test('one is frozen: nobody waits longer than the deadline, and nobody fails', async () => {
  const { load, seen } = begin()
  await more(load, 500)
  servers[2]!.freeze()
  await sleep(2_500)
  await more(load, 500)
  servers[2]!.thaw()
  seen.c = 0
  await until('c', () => seen.c! > 50, 10_000)
  const { lost, statuses, slowestMs } = await load.stop()
  expect([lost, Object.keys(statuses)]).toEqual([[], ['200']])
  expect(slowestMs).toBeLessThan(2_000)
  await portico.logged(/^pool three: 127\.0\.0\.1:\d+ fails, and is left out for \d+s$/)
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'all are restarted in turn by %s: no visitor notices',
  async (signal) => {
    const { load } = begin()
    for (let round = 0; round < 2; round++) {
      for (const server of servers) {
        await more(load, 200)
        await server.end(signal)
        await more(load, 100)
        await server.start()
      }
    }
    const { lost, statuses } = await load.stop()
    expect([lost, Object.keys(statuses)]).toEqual([[], ['200']])
  },
)
