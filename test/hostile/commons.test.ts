/** Clients of the commons that mean harm: the process lives on, small, and answers others. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import type { FromCommons } from '../../src/commons/protocol.ts'
import { openUnix } from '../../src/listen/open.ts'
import { renderUserMetrics } from '../../src/stats/user-metrics.ts'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { encodeCommand, Failure, OK } from '../../src/wire/resp.ts'
import { Client, Folder, ours } from '../commons/support.ts'
import { until } from '../supervisor/site.ts'

const MAIN = fileURLToPath(new URL('../../src/commons/main.ts', import.meta.url))
const MB = 1024 ** 2
const NO_JOBS = { engine: { kind: 'local' }, folder: '/nowhere', queues: {} }

interface RealProcess extends AsyncDisposable {
  readonly path: string
  readonly memcached: string
  readonly signals: string[]
  lives(): boolean
}

/** The process itself, with 16 MB for what is kept and the heap that the supervisor gives it. */
async function realProcess(): Promise<RealProcess> {
  const folder = new Folder()
  const paths = ['redis', 'memcached'].map((name) => `${folder.path}/${name}`)
  const fds = paths.map((path) => openUnix(path, 0o600, 1024).fd)
  const child = spawn(process.execPath, ['--max-old-space-size=120', MAIN], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc', ...fds],
  })
  for (const fd of fds) closeSync(fd)
  const signals: string[] = []
  child.on('message', (message: FromCommons) => {
    if (message.type === 'signal') signals.push(message.name)
  })
  child.send({
    type: 'start',
    limits: { size: 16 * MB, item: MB, connections: 1000 },
    jobs: NO_JOBS,
    listeners: [
      { fd: 4, speaks: 'resp', backlog: 1024 },
      { fd: 5, speaks: 'memcached', backlog: 1024 },
    ],
    accepted: [],
    become: null,
  })
  await once(child, 'message')
  return {
    path: paths[0]!,
    memcached: paths[1]!,
    signals,
    lives: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await exited
      }
      folder[Symbol.dispose]()
    },
  }
}

/** Never reads what it is told. */
function deaf(path: string): Socket {
  const socket = connect(path).pause()
  socket.on('error', () => {})
  return socket
}

function reading(path: string): Socket {
  return connect(path)
    .resume()
    .on('error', () => {})
}

function send(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => resolve()
    socket.once('close', done)
    socket.write(text, 'latin1', done)
  })
}

const attacks: Record<string, (site: RealProcess) => Promise<unknown>> = {
  async 'one value, asked for many times in one command'({ path }) {
    const client = await Client.connect(path)
    await client.ask('SET', 'k', 'x'.repeat(MB - 100))
    expect(await client.ask('MGET', ...Array<string>(200).fill('k'))).toBeInstanceOf(Failure)
    await client.end()
  },
  async 'the same in a transaction'({ path }) {
    const client = await Client.connect(path)
    await client.ask('SET', 'k', 'x'.repeat(MB - 100))
    await client.ask('MULTI')
    for (let i = 0; i < 200; i++) client.send('GET', 'k')
    for (let i = 0; i < 200; i++) await client.next()
    expect(await client.ask('EXEC')).toHaveLength(200)
    await client.end()
  },
  async 'the same over memcached’s protocol'({ memcached }) {
    const socket = deaf(memcached)
    await send(socket, `set k 0 0 ${MB}\r\n${'x'.repeat(MB)}\r\nget${' k'.repeat(200)}\r\n`)
  },
  async 'keys in lines of 64 KB'({ path }) {
    const socket = reading(path)
    const pad = ' '.repeat(65_000)
    for (let i = 0; i < 2000; i++) {
      const key = String(i).padStart(20, 'k')
      await send(socket, `SET${pad}${key} value-of-some-length\r\n`)
    }
    socket.destroy()
  },
  async 'large keys to watch'({ path }) {
    const socket = reading(path)
    for (let i = 0; i < 140; i++) {
      await send(socket, encodeCommand(['WATCH', String(i).padEnd(MB - 100)]))
    }
    socket.destroy()
  },
  async 'large commands, left unfinished by many'({ path }) {
    const part = `$${MB - 100}\r\n${'x'.repeat(MB - 100)}\r\n`
    for (let i = 0; i < 20; i++) await send(deaf(path), `*20\r\n$4\r\nMSET\r\n${part.repeat(7)}`)
  },
  async 'large names of many clients'({ path }) {
    const hello = encodeCommand(['HELLO', '2', 'SETNAME', 'x'.repeat(MB - 100)])
    for (let i = 0; i < 140; i++) await send(deaf(path), hello)
  },
  async 'many who ask for all of a list, and do not read it'({ path }) {
    const client = await Client.connect(path)
    for (let i = 0; i < 12; i++) await client.ask('RPUSH', 'list', 'x'.repeat(MB - 100))
    await client.end()
    for (let i = 0; i < 40; i++)
      await send(deaf(path), encodeCommand(['LRANGE', 'list', '0', '-1']))
  },
}

const site = await realProcess()
afterAll(() => site[Symbol.asyncDispose]())

test.each(Object.keys(attacks))('%s', async (name) => {
  await attacks[name]!(site)
  const other = await Client.connect(site.path)
  expect(await other.ask('ECHO', 'still here')).toBe('still here')
  expect(site.lives()).toBe(true)
  await other.end()
})

test('signals without end: the supervisor hears some of them', async () => {
  const socket = reading(site.path)
  const flood = encodeCommand(['PORTICO.SIGNAL', 'again']).repeat(1000)
  for (let i = 0; i < 50; i++) await send(socket, flood)
  await send(socket, encodeCommand(['PORTICO.SIGNAL', 'last']))
  await until('the last one to come', () => site.signals.includes('last'))
  expect(site.signals.length).toBeLessThan(2000)
  socket.destroy()
})

test('a lock that hundreds wait for is given on and on', async () => {
  await using site = await ours({ connections: 1000 })
  const first = await Client.connect(site.path)
  await first.ask('PORTICO.LOCK', 'l', '0')
  const others: Client[] = []
  for (let i = 0; i < 500; i++) {
    const client = await Client.connect(site.path)
    client.send('PORTICO.LOCK', 'l', '0', 'WAIT', '60000')
    client.send('PORTICO.UNLOCK', 'l')
    others.push(client)
  }
  await until('all to wait', async () => {
    const locks = await first.ask('PORTICO.LOCKS')
    return Array.isArray(locks) && locks[0]?.[3] === 500
  })
  await first.ask('PORTICO.UNLOCK', 'l')
  for (const client of others) {
    expect(await client.next()).toBeTypeOf('number')
    expect(await client.next()).toBe(1)
  }
  expect(site.complaints).toEqual([])
  for (const client of [first, ...others]) await client.end()
})

test('patterns that take for ever are refused, and one client’s commands do not hold up others', async () => {
  await using site = await ours()
  const [hostile, other] = [await Client.connect(site.path), await Client.connect(site.path)]
  await hostile.ask('SET', 'a'.repeat(MB - 100), 'x')
  const pattern = `*${'a'.repeat(300_000)}b`
  for (const words of [
    ['KEYS', pattern],
    ['SCAN', '0', 'MATCH', pattern],
    ['PSUBSCRIBE', pattern],
    ['PUBSUB', 'CHANNELS', pattern],
    ['PUBLISH', 'x'.repeat(100_000), 'x'],
  ]) {
    expect(await hostile.ask(...words)).toBeInstanceOf(Failure)
  }
  for (let i = 0; i < 50; i++) await hostile.ask('RPUSH', 'l', ...Array<string>(10_000).fill('x'))
  for (let i = 0; i < 200; i++) hostile.send('LREM', 'l', '1', 'y')
  const began = performance.now()
  await other.ask('PING')
  await other.ask('PING')
  expect(performance.now() - began).toBeLessThan(1000)
  await hostile.end()
  await other.end()
})

test('jobs in a transaction are refused: their replies would come when nobody expects them', async () => {
  const client = await Client.connect(site.path)
  await client.ask('MULTI')
  await client.ask('PORTICO.JOB.QUEUES')
  await client.ask('PORTICO.JOB.LEASE', '10', '1000', 'q')
  expect(await client.ask('EXEC')).toEqual([expect.any(Failure), expect.any(Failure)])
  expect(await client.ask('ECHO', 'the next')).toBe('the next')
  await client.end()
})

test('metrics that would spoil the whole page of metrics', async () => {
  await using site = await ours()
  const client = await Client.connect(site.path)
  const report = (...words: string[]): Promise<unknown> => client.ask('PORTICO.METRIC', ...words)
  expect(await report('a.b', 'counter', '1', 'x', '1', 'y', '2')).toEqual(OK)
  expect(await report('a.b', 'counter', '1', 'y', '2', 'x', '1')).toEqual(OK)
  expect(await report('a_b', 'counter', '1', 'x', '1', 'y', '2')).toEqual(OK)
  for (const label of ['__proto__', '__name__', 'le']) {
    expect(await report('c', 'timing', '1', label, '1')).toBeInstanceOf(Failure)
  }
  expect(await report('c', 'gauge', '1', 'x', '1', 'x', '2')).toBeInstanceOf(Failure)
  expect(await report('d', 'counter', '1e308')).toEqual(OK)
  expect(await report('d', 'counter', '1e308')).toBeInstanceOf(Failure)
  const metrics = site.server.commons.metrics()
  const page = renderUserMetrics({ commons: { metrics } } as unknown as SiteStatus)
  expect(page.match(/^a_b_total.*$/gm)).toEqual(['a_b_total{x="1",y="2"} 2'])
  expect(page).not.toMatch(/null|Infinity/)
  await client.end()
})
