/** Datagrams through the whole Portico with two threads, and real bind9 behind. */
import { execFileSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { bind9, dig, question, questionsFromOnePort } from './support/bind9.ts'
import { connectionLines, lineWhere, nextLine } from './support/connection-lines.ts'
import type { Daemon } from './support/daemon.ts'
import { freePort } from './support/peers.ts'
import { Portico, PYTHON } from './support/portico.ts'

let first: Daemon
let second: Daemon
let echo: Socket
/** Answers twice to each. */
let chatty: Socket
/** Answers nothing. */
let silent: Socket
let heard = 0
let portico: Portico

const names = ['dns', 'hash', 'echo', 'six', 'chatty', 'dead', 'few', 'log', 'two'] as const
type Name = (typeof names)[number]
const port = (name: Name): number => Number(new URL(portico.urls[names.indexOf(name)]!).port)

async function server(
  answer: (socket: Socket, bytes: Buffer, port: number) => void,
): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => answer(socket, bytes, from.port))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

/** Sends, and collects what comes back until `count` have. */
async function say(
  to: number,
  bytes: Uint8Array,
  { count = 1, family = 'udp4' as 'udp4' | 'udp6', ms = 3_000 } = {},
): Promise<Buffer[]> {
  const socket = createSocket(family)
  const heard: Buffer[] = []
  socket.on('message', (answer) => heard.push(answer))
  socket.send(bytes, to, family === 'udp4' ? '127.0.0.1' : '::1')
  try {
    await until('an answer', () => heard.length >= count, ms)
    return heard
  } finally {
    socket.close()
  }
}

beforeAll(async () => {
  const [one, other, gone] = [await freePort(), await freePort(), await freePort()]
  ;[first, second] = await Promise.all([bind9(one, 'first'), bind9(other, 'second')])
  echo = await server((socket, bytes, from) => socket.send(bytes, from, '127.0.0.1'))
  silent = await server(() => heard++)
  chatty = await server((socket, bytes, from) => {
    socket.send(bytes, from, '127.0.0.1')
    setTimeout(() => socket.send(bytes, from, '127.0.0.1'), 100)
  })
  const at = (socket: Socket): string => `udp://127.0.0.1:${socket.address().port}`
  portico = await Portico.serve({
    'site.yaml': `
threads: 2
listen:
  - { on: "udp://127.0.0.1:0", pool: dns, responses: 1 }
  - { on: "udp://127.0.0.1:0", pool: hash, idle: 1s }
  - { on: "udp://127.0.0.1:0", pool: "${at(echo)}", idle: 1s }
  - { on: "udp://[::1]:0", pool: "${at(echo)}", idle: 1s }
  - { on: "udp://127.0.0.1:0", pool: "${at(chatty)}", responses: 2 }
  - { on: "udp://127.0.0.1:0", pool: "127.0.0.1:${gone}", responses: 1 }
  - { on: "udp://127.0.0.1:0", pool: "${at(echo)}", max-connections: 2 }
  - { on: "udp://127.0.0.1:0", pool: "${at(silent)}", responses: 0 }
  - { on: "udp://127.0.0.1:0", pool: turns, requests: 2, idle: 1s }
pools:
  dns: { servers: ["udp://127.0.0.1:${one}", "127.0.0.1:${other}"], connect-timeout: 400ms }
  turns: { servers: ["127.0.0.1:${one}", "127.0.0.1:${other}"] }
  hash: { servers: ["127.0.0.1:${one}", "127.0.0.1:${other}"], schedule: source-hash }
log: { access: stdout, format: json }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  echo?.close()
  chatty?.close()
  silent?.close()
  for (const daemon of [first, second]) await daemon?.[Symbol.asyncDispose]()
})

describe('names', () => {
  test('each question is a session, and servers take turns', async () => {
    const from = connectionLines(portico).length
    const heard: string[] = []
    for (let i = 0; i < 6; i++) heard.push(await question(port('dns')))
    expect(heard.filter((who) => who === 'first')).toHaveLength(3)
    expect(heard.filter((who) => who === 'second')).toHaveLength(3)
    expect(await nextLine(portico, from)).toMatchObject({
      protocol: 'udp',
      end: 'done',
      address: '127.0.0.1',
    })
    expect((await portico.status()).totals.connections.open).toBe(0)
  })

  test('with one port, too, as every question is answered', async () => {
    expect(new Set(await questionsFromOnePort(port('dns'), 6))).toEqual(
      new Set(['first', 'second']),
    )
  })

  test('by source hash it is always the same server', async () => {
    const heard = new Set<string>()
    for (let i = 0; i < 6; i++) heard.add(await question(port('hash')))
    expect(heard.size).toBe(1)
  })

  test('a large answer', () => {
    const answer = dig(port('dns'), '+bufsize=4096', 'TXT', 'large.example.test')
    expect(answer.match(/x{200}/g)).toHaveLength(12)
    expect(answer).toContain('status: NOERROR')
  })

  test('the question of a server that is gone goes to the next one at once', async () => {
    await first.stop()
    for (let i = 0; i < 8; i++) expect(await question(port('dns'), 1_500)).toBe('second')
    await first.start()
  })

  test('a frozen server costs a question its time, not its answer', async () => {
    second.signal('SIGSTOP')
    try {
      for (let i = 0; i < 4; i++) expect(await question(port('dns'), 3_000)).toBe('first')
    } finally {
      second.signal('SIGCONT')
    }
  })
})

describe('sessions', () => {
  test('the largest datagram there is, both ways', async () => {
    const bytes = Buffer.alloc(65_507, 'x')
    const [answer] = await say(port('echo'), bytes)
    expect(answer?.equals(bytes)).toBe(true)
  })

  test('an empty datagram is one', async () => {
    const [answer] = await say(port('echo'), Buffer.alloc(0))
    expect(answer).toHaveLength(0)
  })

  test('IPv6 before, IPv4 behind', async () => {
    expect(String(await say(port('six'), Buffer.from('hello'), { family: 'udp6' }))).toBe('hello')
  })

  test('as many answers as there are to be', async () => {
    const from = connectionLines(portico).length
    expect(await say(port('chatty'), Buffer.from('hello'), { count: 2 })).toHaveLength(2)
    const line = await lineWhere(portico, from, ({ received }) => received === 5)
    expect(line).toMatchObject({ sent: 10, end: 'done' })
  })

  test('where nobody answers, a session is over when its datagram is sent', async () => {
    const from = connectionLines(portico).length
    const sender = createSocket('udp4')
    for (let i = 0; i < 20; i++) sender.send('line', port('log'), '127.0.0.1')
    await until('all of them', () => heard === 20)
    sender.close()
    const line = await lineWhere(portico, from, ({ received }) => received === 4)
    expect(line).toMatchObject({ end: 'done', sent: 0 })
  })

  test('so many datagrams are a session, then another server may be next', async () => {
    const [a, b, c, d] = await questionsFromOnePort(port('two'), 4)
    expect([a, c]).toEqual([b, d])
    expect(new Set([a, c]).size).toBe(2)
  })

  test('silence ends one', async () => {
    const from = connectionLines(portico).length
    await say(port('echo'), Buffer.from('hello'))
    const line = await lineWhere(portico, from, ({ received }) => received === 5)
    expect(line).toMatchObject({ sent: 5, end: 'idle' })
  })

  test('nobody there', async () => {
    const from = connectionLines(portico).length
    await expect(say(port('dead'), Buffer.from('hello'), { ms: 300 })).rejects.toThrow()
    await lineWhere(portico, from, ({ end }) => end === 'unreachable')
  })

  test('whoever says that it has no port gets no answer, and ends nothing', async () => {
    const from = connectionLines(portico).length
    const before = portico.log.length
    // RFC 768: a source port of 0. No socket of the system's sends one, forgers do.
    const forged = `import socket, struct
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack('!HHHH', 0, ${port('echo')}, 13, 0) + b'hello', ('127.0.0.1', 0))`
    execFileSync(PYTHON, ['-c', forged])
    const line = await lineWhere(portico, from, ({ received }) => received === 5)
    expect(line).toMatchObject({ end: 'idle' })
    expect(portico.log.slice(before).filter(({ level }) => level === 'error')).toEqual([])
  })

  test('no more of them than there may be', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 5 }, () => say(port('few'), Buffer.from('x'), { ms: 500 })),
    )
    expect(all.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(2)
  })
})

test('a reload loses no question', async () => {
  let asking = true
  let asked = 0
  const failed: unknown[] = []
  const load = (async () => {
    while (asking) {
      asked++
      await question(port('dns'), 2_000).catch((error) => failed.push(error))
    }
  })()
  for (let i = 0; i < 2; i++) expect((await portico.run('reload')).code).toBe(0)
  asking = false
  await load
  expect(asked).toBeGreaterThan(5)
  expect(failed).toEqual([])
})
