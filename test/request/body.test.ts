/** Request bodies gathered for applications: where they are kept, and that nothing of them is left. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { discardBody, gatherBody, type WholeBody } from '../../src/request/body.ts'
import { getrlimit, setrlimit } from '../../src/system/libc.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type ListeningSite, listeningSite } from '../gateways/http1/site.ts'
import { sleep, until, Visitor } from '../gateways/http1/visitor.ts'

let folder = ''
let site: ListeningSite | null = null
let bodies: WholeBody[] = []
let failures = 0

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-spool-'))
  bodies = []
  failures = 0
})

afterEach(() => {
  site?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A visitor of a site that gathers every body and answers with its length. */
async function gathering(maxBody = 64 * 1024 * 1024): Promise<Visitor> {
  const gather = handler((exchange) =>
    gatherBody(
      exchange,
      folder,
      (body) => {
        bodies.push(body)
        exchange.respond(OK, Buffer.from(`${body.length}`))
      },
      () => failures++,
    ),
  )
  site = await listeningSite({ routes: { '/': gather }, limits: { body: maxBody } })
  return Visitor.at(site.port)
}

function post(length: number): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`
}

const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Bytes of which each tells where it was. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i + 4 <= length; i += 4) bytes.writeUInt32LE(i, i)
  return bytes
}

test('no body is an empty one, at once', async () => {
  const visitor = await gathering()
  await visitor.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').answers(1)
  await visitor.send(post(0)).answers(2)
  await visitor.send(`${CHUNKED}0\r\n\r\n`).answers(3)
  expect(bodies.map(({ length, path }) => [length, path])).toEqual([
    [0, ''],
    [0, ''],
    [0, ''],
  ])
})

test.for([1, 1000, 65_535, 65_536])('%i bytes stay in memory', async (size) => {
  const visitor = await gathering()
  const sent = pattern(size)
  await visitor.send(post(size)).send(sent).answers(1)
  visitor.send(CHUNKED)
  for (let at = 0; at < size; at += 7000) {
    const part = sent.subarray(at, at + 7000)
    visitor
      .send(`${part.length.toString(16)}\r\n`)
      .send(part)
      .send('\r\n')
  }
  await visitor.send('0\r\n\r\n').answers(2)
  for (const body of bodies) {
    expect(body.path).toBe('')
    expect(body.bytes.equals(sent)).toBe(true)
  }
  expect(readdirSync(folder)).toEqual([])
})

test('a larger one is in a file that only we can read, and is gone when it is discarded', async () => {
  const visitor = await gathering()
  const sent = pattern(3_000_001)
  await visitor.send(post(sent.length)).send(sent).answers(1)
  const [body] = bodies
  expect(body!.length).toBe(sent.length)
  expect(body!.bytes.toString()).toBe(body!.path)
  expect(readFileSync(body!.path).equals(sent)).toBe(true)
  expect(statSync(body!.path).mode & 0o777).toBe(0o600)
  discardBody(body!)
  await until(() => readdirSync(folder).length === 0)
  discardBody(body!)
})

test('a chunked one as well, of any chunks', async () => {
  const visitor = await gathering()
  const sent = pattern(400_000)
  visitor.send(CHUNKED)
  for (let at = 0; at < sent.length; ) {
    const part = sent.subarray(at, at + 1 + ((at * 7919) % 30_000))
    visitor
      .send(`${part.length.toString(16)}\r\n`)
      .send(part)
      .send('\r\n')
    at += part.length
    if (at % 3 === 0) await sleep(1)
  }
  await visitor.send('0\r\nX: y\r\n\r\n').answers(1)
  expect(readFileSync(bodies[0]!.path).equals(sent)).toBe(true)
})

test('many at once keep apart', async () => {
  const first = await gathering()
  const sent = Array.from({ length: 8 }, (_, i) => Buffer.alloc(200_000 + i, i))
  await Promise.all(
    sent.map(async (bytes) => {
      const visitor = await Visitor.at(site!.port)
      for (let at = 0; at < 3; at++) {
        await visitor
          .send(post(bytes.length))
          .send(bytes)
          .answers(at + 1)
      }
      visitor.leave()
    }),
  )
  expect(bodies.length).toBe(24)
  for (const { path, length } of bodies) {
    expect(readFileSync(path).equals(sent[length - 200_000]!)).toBe(true)
  }
  first.leave()
})

test('a body that comes byte by byte costs its bytes, not an object for each', async () => {
  const visitor = await gathering()
  const chunks = '1\r\nx\r\n'.repeat(60_000)
  visitor.send(CHUNKED + chunks)
  await until(() => site!.totals().received >= CHUNKED.length + chunks.length)
  await sleep(50)
  visitor.send('0\r\n\r\n')
  await visitor.answers(1)
  expect(bodies[0]!.bytes.equals(Buffer.alloc(60_000, 'x'))).toBe(true)
})

test('a visitor who leaves in the middle leaves no file', async () => {
  const visitor = await gathering()
  visitor.send(post(1_000_000)).send(pattern(500_000))
  await until(() => readdirSync(folder).length === 1)
  visitor.reset()
  await until(() => failures === 1 && readdirSync(folder).length === 0)
  const another = await Visitor.at(site!.port)
  another.send(post(100)).send('x').end()
  await until(() => failures === 2)
  expect(bodies).toEqual([])
})

test('a visitor who leaves at any moment leaves no file', async () => {
  const first = await gathering()
  const sent = pattern(300_000)
  for (let i = 0; i < 60; i++) {
    const visitor = await Visitor.at(site!.port)
    visitor.send(post(sent.length)).send(sent)
    if (i % 3 > 0) await sleep(i % 5)
    visitor.reset()
  }
  await until(() => site!.totals().open === 1)
  await until(() => bodies.length + failures === site!.totals().requests)
  for (const body of bodies) discardBody(body)
  await until(() => readdirSync(folder).length === 0)
  first.leave()
})

test('a body that turns out too large leaves no file', async () => {
  const visitor = await gathering(200_000)
  const part = 'x'.repeat(50_000)
  visitor.send(CHUNKED)
  for (let i = 0; i < 5; i++) visitor.send(`c350\r\n${part}\r\n`)
  expect((await visitor.answer()).status).toBe(413)
  expect(failures).toBe(1)
  await until(() => readdirSync(folder).length === 0)
})

test('a folder that is not there is 507, and the server goes on', async () => {
  const visitor = await gathering()
  rmSync(folder, { recursive: true })
  const answer = await visitor.send(post(200_000)).send(pattern(200_000)).answer()
  expect(answer.status).toBe(507)
  expect(answer.body.toString()).not.toContain(folder)
  expect(failures).toBe(1)
  const another = await Visitor.at(site!.port)
  await another.send(post(5)).send('hello').answers(1)
  expect(bodies.length).toBe(1)
})

test('a disk that is full in the middle is 507, and the file is removed', async () => {
  const visitor = await gathering()
  const restore = limitFiles(300_000n)
  try {
    const answer = await visitor.send(post(2_000_000)).send(pattern(2_000_000)).answer()
    expect(answer.status).toBe(507)
    expect(failures).toBe(1)
    await until(() => readdirSync(folder).length === 0)
  } finally {
    restore()
  }
  const another = await Visitor.at(site!.port)
  await another.send(post(2_000_000)).send(pattern(2_000_000)).answers(1)
  expect(bodies.length).toBe(1)
})

test('a slow disk holds the visitor back', async () => {
  const visitor = await gathering(512 * 1024 * 1024)
  const size = 300 * 1024 * 1024
  const before = process.memoryUsage().external
  visitor.send(post(size))
  const block = Buffer.alloc(1024 * 1024)
  let most = 0
  for (let sent = 0; sent < size; sent += block.length) {
    await visitor.sent(block)
    most = Math.max(most, process.memoryUsage().external - before)
  }
  await visitor.answers(1)
  expect(bodies[0]!.length).toBe(size)
  expect(most).toBeLessThan(size / 3)
  unlinkSync(bodies[0]!.path)
}, 60_000)

/** No file may grow beyond `bytes`: what a full disk does, without filling one. Returns the undoing. */
function limitFiles(bytes: bigint): () => void {
  const RLIMIT_FSIZE = 1
  const limit = new BigUint64Array(2)
  getrlimit(RLIMIT_FSIZE, limit)
  const [soft, hard] = limit
  setrlimit(RLIMIT_FSIZE, BigUint64Array.of(bytes, hard!))
  return () => setrlimit(RLIMIT_FSIZE, BigUint64Array.of(soft!, hard!))
}
