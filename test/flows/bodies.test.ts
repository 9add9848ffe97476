/** Bodies in both directions: large files, streams, slow visitors, uploads, all through an application. */
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, run } from './support/portico.ts'
import { ask, Visitor } from './support/visitor.ts'

const MB = 1_048_576

const APP = `
import hashlib, json, time

def application(environ, start_response):
    name = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if name == "/file":
        return environ["wsgi.file_wrapper"](open("large.bin", "rb"))
    if name == "/steps":
        return steps()
    if name == "/flood":
        return (b"x" * 65536 for _ in range(320))
    if name == "/mount":
        return [json.dumps({key: environ[key] for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")}).encode()]
    found, size = hashlib.sha256(), 0
    for chunk in iter(lambda: environ["wsgi.input"].read(100000), b""):
        found.update(chunk)
        size += len(chunk)
    return [("%s %s %d %s" % (environ["REQUEST_METHOD"], environ.get("CONTENT_LENGTH"), size, found.hexdigest())).encode()]

def steps():
    for number in range(4):
        yield b"%d;" % number
        time.sleep(0.25)
`

const SITE = `
listen: "127.0.0.1:0"
spool: .
routes:
  /: { app: shop }
  /deep/café/: { app: shop }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1 }
`

const large = randomBytes(24 * MB)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

let portico: Portico
beforeAll(async () => {
  portico = await Portico.serve({ 'site.yaml': SITE, 'shop.py': APP, 'large.bin': large })
  await portico.settled()
})
afterAll(() => portico?.[Symbol.asyncDispose]())

/** Resident memory of the server process and of all workers, bytes. */
function memory(): { server: number; workers: number } {
  const sum = (name: RegExp): number =>
    portico
      .processes()
      .filter((process) => name.test(process.command))
      .reduce((total, process) => total + process.memory, 0)
  return { server: sum(/server\/main\.ts/), workers: sum(/portico_worker/) }
}

test('wsgi.file_wrapper: a large file arrives whole and costs no memory', async () => {
  await ask(portico.port, '/file')
  const before = memory()
  using visitor = await Visitor.to(portico.port)
  for (let i = 0; i < 4; i++) {
    const { status, fields, body } = await visitor.ask('/file')
    expect({ status, length: fields['content-length'] }).toEqual({
      status: 200,
      length: String(large.length),
    })
    expect(sha256(body)).toBe(sha256(large))
  }
  const after = memory()
  expect(after.server - before.server).toBeLessThan(30 * MB)
  expect(after.workers - before.workers).toBeLessThan(10 * MB)
})

test('a file that is handed over keeps no worker', async () => {
  using slow = await Visitor.to(portico.port)
  slow.send('GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await slow.read()
  // The one worker is free for others while that visitor takes its time.
  expect((await ask(portico.port, '/mount')).status).toBe(200)
})

test('a stream is seen chunk by chunk', async () => {
  using visitor = await Visitor.to(portico.port)
  const startedAt = performance.now()
  const { text, chunks } = await visitor.ask('/steps')
  expect(text).toBe('0;1;2;3;')
  const at = chunks.map((time) => time - startedAt)
  expect(at.length).toBe(4)
  expect(at[0]).toBeLessThan(200)
  expect(at[1]! - at[0]!).toBeGreaterThan(150)
  expect(at[3]! - at[0]!).toBeGreaterThan(600)
})

test('a slow visitor of 20 MB costs bounded memory, and gets all of it', async () => {
  const before = memory()
  using visitor = await Visitor.to(portico.port)
  visitor.send('GET /flood HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  let received = 0
  for (let i = 0; i < 20; i++) {
    received += (await visitor.read())?.length ?? 0
    await sleep(50)
  }
  expect(received).toBeLessThan(10 * MB)
  const during = memory()
  expect(during.server - before.server).toBeLessThan(16 * MB)
  expect(during.workers - before.workers).toBeLessThan(8 * MB)
  received += (await visitor.end()).length
  expect(received).toBeGreaterThan(20 * MB)
})

test('a visitor that leaves in the middle of a stream frees the worker', async () => {
  using visitor = await Visitor.to(portico.port)
  visitor.send('GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await visitor.read()
  visitor.leave()
  await until('the worker to be idle', async () => (await portico.status()).apps.shop?.busy === 0)
  expect((await ask(portico.port, '/mount')).status).toBe(200)
})

test('HEAD of a file and of a stream: the head alone, and the connection goes on', async () => {
  using visitor = await Visitor.to(portico.port)
  const file = await visitor.ask('/file', { method: 'HEAD' })
  expect(file).toMatchObject({ status: 200, text: '' })
  expect(file.fields['content-length']).toBe(String(large.length))
  expect(await visitor.ask('/steps', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  expect((await visitor.ask('/mount')).status).toBe(200)
})

test('curl uploads 20 MB in chunks, and with Expect: 100-continue', async () => {
  const body = large.subarray(0, 20 * MB)
  const path = portico.write('upload.bin', body)
  const url = `http://127.0.0.1:${portico.port}/`
  const common = ['--silent', '--show-error', '--max-time', '20']
  const chunked = await run(
    'curl',
    [
      ...common,
      ...['-T', '-', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', '-X', 'PUT', url],
    ],
    { input: body },
  )
  expect(chunked).toEqual({
    code: 0,
    err: '',
    out: `PUT ${body.length} ${body.length} ${sha256(body)}`,
  })

  const expecting = await run('curl', [
    ...common,
    '-v',
    '-H',
    'Expect: 100-continue',
    '-T',
    path,
    url,
  ])
  expect(expecting).toMatchObject({
    code: 0,
    out: `PUT ${body.length} ${body.length} ${sha256(body)}`,
  })
  expect(expecting.err).toMatch(/< HTTP\/1\.1 100 Continue[\s\S]*< HTTP\/1\.1 200 OK/)
})

test('an upload larger than the limit is refused before it is sent', async () => {
  using visitor = await Visitor.to(portico.port)
  const { status, interim } = await visitor.ask('/', {
    method: 'PUT',
    fields: { Expect: '100-continue', 'Content-Length': String(200 * MB) },
  })
  expect({ status, interim }).toEqual({ status: 413, interim: [] })
})

test('a slow upload keeps no worker', async () => {
  using slow = await Visitor.to(portico.port)
  slow.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n')
  slow.send('x'.repeat(99_000))
  await sleep(100)
  expect((await ask(portico.port, '/mount')).status).toBe(200)
  slow.send('x'.repeat(1_000))
  expect((await slow.reply()).text).toBe(
    `POST 100000 100000 ${sha256(Buffer.from('x'.repeat(100_000)))}`,
  )
})

test('mounted under a prefix: SCRIPT_NAME and PATH_INFO', async () => {
  const at = async (target: string): Promise<unknown> =>
    JSON.parse((await ask(portico.port, target)).text)
  expect(await at('/deep/caf%C3%A9/mount?a=%41')).toEqual({
    SCRIPT_NAME: '/deep/cafÃ©',
    PATH_INFO: '/mount',
    QUERY_STRING: 'a=%41',
  })
  expect(await at('/mount')).toEqual({ SCRIPT_NAME: '', PATH_INFO: '/mount', QUERY_STRING: '' })
  expect((await ask(portico.port, '/deep/caf%C3%A9?x=1')).fields.location).toBe(
    '/deep/caf%C3%A9/?x=1',
  )
})

test('spooled bodies leave no file behind', async () => {
  const spool = (await readdir(portico.folder)).filter((name) => name.startsWith('portico-'))
  expect(spool.length).toBe(1)
  await until('the last body to go', async () => {
    return (await readdir(join(portico.folder, spool[0]!))).length === 0
  })
})
