/** Real redis and MariaDB behind a pool of plain connections, with two threads: killed, frozen, cut off. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Daemon } from './support/daemon.ts'
import { MariaDb } from './support/mariadb.ts'
import { freePort } from './support/peers.ts'
import { Portico } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const exec = promisify(execFile)

let redis: Daemon[]
let db: MariaDb
let portico: Portico

const names = ['cache', 'db', 'check'] as const
type Name = (typeof names)[number]
const port = (name: Name): number => Number(new URL(portico.urls[names.indexOf(name)]!).port)

async function redisAt(at: number, name: string): Promise<Daemon> {
  const daemon = await Daemon.start({
    name: 'redis',
    command: () => [
      'redis-server',
      '--port',
      String(at),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
    ],
    ready: async () => (await said(at, 'PING').catch(() => '')) === '+PONG\r\n',
  })
  await said(at, `SET who ${name}`)
  return daemon
}

/** One command on a connection of its own. */
async function said(to: number, command: string): Promise<string> {
  using visitor = await Visitor.to(to)
  return String(await visitor.send(`${command}\r\n`).read())
}

/** Who answers there; '' where nobody does in time. */
async function who(ms = 2_000): Promise<string> {
  using visitor = await Visitor.to(port('cache'))
  const timer = setTimeout(() => visitor.leave(), ms)
  const answer = await visitor.send('GET who\r\n').read()
  clearTimeout(timer)
  return /\$\d+\r\n(\w+)/.exec(String(answer))?.[1] ?? ''
}

async function query(sql: string): Promise<string> {
  const { stdout } = await exec(
    'mariadb',
    [
      '--no-defaults',
      '--protocol=tcp',
      '-h127.0.0.1',
      `-P${port('db')}`,
      '-uroot',
      '-N',
      '-e',
      sql,
    ],
    { maxBuffer: 16_777_216 },
  )
  return stdout
}

beforeAll(async () => {
  const ports = [await freePort(), await freePort(), await freePort()]
  redis = []
  for (const [i, at] of ports.entries()) redis.push(await redisAt(at, `r${i}`))
  db = await MariaDb.with('shop')
  const servers = ports.map((at) => `"tcp://127.0.0.1:${at}"`).join(', ')
  portico = await Portico.serve({
    'site.yaml': `
threads: 2
listen:
  - { on: "tcp://127.0.0.1:0", pool: cache }
  - { on: "tcp://127.0.0.1:0", pool: db }
  - { on: "tcp://127.0.0.1:0", pool: check }
pools:
  cache: { servers: [${servers}], connect-timeout: 500ms }
  check: { servers: [${servers}], check: { redis: true, every: 200ms, timeout: 300ms, fall: 2, rise: 1 } }
  db: { servers: ["tcp://unix:${db.socket}"] }
log: { access: "off" }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  await db?.[Symbol.asyncDispose]()
  for (const one of redis ?? []) await one[Symbol.asyncDispose]()
})

test('MariaDB over its socket, reached by TCP: handshake, statements, a large result', async () => {
  expect(await query('SELECT 6 * 7')).toBe('42\n')
  await query('CREATE TABLE shop.things (id INT PRIMARY KEY, what LONGTEXT)')
  await query("USE shop; INSERT INTO shop.things SELECT seq, REPEAT('x', 200000) FROM seq_1_to_30")
  const { length } = (await query('SELECT what FROM shop.things')).trim()
  expect(length).toBe(30 * 200_001 - 1)
})

test('redis: three in turn; with one killed no visitor notices', async () => {
  const all = await Promise.all(Array.from({ length: 12 }, () => who()))
  for (const name of ['r0', 'r1', 'r2']) expect(all.filter((one) => one === name)).toHaveLength(4)
  await redis[0]!.stop()
  const rest = await Promise.all(Array.from({ length: 20 }, () => who()))
  expect(rest.every((one) => one === 'r1' || one === 'r2')).toBe(true)
  await redis[0]!.start()
  const again = redis[0]!
  expect(again.said).toContain('Ready to accept')
})

test('a connection whose server is killed ends; the next one is somebody else’s', async () => {
  using visitor = await Visitor.to(port('cache'))
  await visitor.send('CLIENT SETNAME x\r\nGET who\r\n').read()
  const began = performance.now()
  for (const one of redis) await one.stop()
  await visitor.end()
  expect(performance.now() - began).toBeLessThan(5_000)
  for (const [i, one] of redis.entries()) {
    await one.start()
    expect(i).toBeLessThan(3)
  }
})

test('a frozen server: a check finds it, and new connections go elsewhere', async () => {
  const at = port('check')
  redis[1]!.signal('SIGSTOP')
  try {
    // The kernel takes connections for it: only somebody who asks finds out.
    await until('the check to find it', async () => {
      const answers = await Promise.all(
        Array.from({ length: 6 }, async () => {
          using visitor = await Visitor.to(at)
          const timer = setTimeout(() => visitor.leave(), 400)
          const answer = await visitor.send('PING\r\n').read()
          clearTimeout(timer)
          return String(answer)
        }),
      )
      return answers.every((answer) => answer === '+PONG\r\n')
    })
  } finally {
    redis[1]!.signal('SIGCONT')
  }
})

test('redis-benchmark, pipelined and not, over a reload', async () => {
  const bench: ChildProcess = spawn('redis-benchmark', [
    '-p',
    String(port('cache')),
    '-t',
    'get',
    '-n',
    '60000',
    '-c',
    '20',
    '-P',
    '8',
    '-q',
  ])
  let out = ''
  bench.stdout?.on('data', (chunk) => {
    out += chunk
  })
  const ended = new Promise((resolve) => bench.on('exit', resolve))
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect((await portico.run('reload')).code).toBe(0)
  expect(await ended).toBe(0)
  expect(out).toMatch(/GET: [\d.]+ requests per second/)
})
