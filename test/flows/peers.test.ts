/** Portico among other programs: nginx before it, curl, wrk, nc and an HTTP/1.0 client as visitors. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Load } from './support/load.ts'
import { Nginx, wrk } from './support/peers.ts'
import { Portico, PYTHON, run } from './support/portico.ts'
import { ask, Visitor } from './support/visitor.ts'

const APP = `
import hashlib, json

def application(environ, start_response):
    data = environ["wsgi.input"].read()
    names = ("REQUEST_METHOD", "PATH_INFO", "SERVER_PROTOCOL", "REMOTE_ADDR", "HTTP_X_FORWARDED_FOR")
    facts = {name: environ.get(name) for name in names}
    facts["sha256"] = hashlib.sha256(data).hexdigest()
    body = json.dumps(facts).encode()
    if environ["PATH_INFO"] == "/chunks":
        start_response("200 OK", [])
        return (body[i:i + 10] for i in range(0, len(body), 10))
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

let portico: Portico
beforeAll(async () => {
  portico = await Portico.serve({
    'shop.py': APP,
    'site.yaml': `
listen: ["127.0.0.1:0", "unix:./site.sock"]
threads: 2
trusted: [127.0.0.0/8, unix]
routes: { "/": { app: shop }, "/ping": { respond: pong } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 2 } }
`,
  })
  await portico.settled()
})
afterAll(() => portico?.[Symbol.asyncDispose]())

test.each(['port', 'unix socket'] as const)(
  'nginx before it, with kept-alive connections to its %s',
  async (kind) => {
    const upstream =
      kind === 'port' ? `127.0.0.1:${portico.port}` : `unix:${portico.folder}/site.sock`
    await using nginx = await Nginx.serve(
      (port) => `
  upstream portico { server ${upstream}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass http://portico;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }`,
    )
    const accepted = (await portico.status()).totals.connections.accepted
    await using load = new Load(nginx.port, { kept: 6, fresh: 2 })
    const body = randomBytes(3_000_000)
    const upload = await ask(nginx.port, '/upload', { body })
    expect(JSON.parse(upload.text)).toMatchObject({
      REQUEST_METHOD: 'POST',
      SERVER_PROTOCOL: 'HTTP/1.1',
      HTTP_X_FORWARDED_FOR: '127.0.0.1',
      sha256: sha256(body),
    })
    expect(JSON.parse((await ask(nginx.port, '/chunks')).text)).toMatchObject({
      PATH_INFO: '/chunks',
    })
    // A reload behind it is not seen before it.
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    const { lost, sent, answered, statuses } = await load.stop()
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    expect(Object.keys(statuses)).toEqual(['200'])
    expect(sent).toBeGreaterThan(200)
    expect(nginx.errors).not.toMatch(/\[(error|crit|alert|emerg)\]/)
    const after = (await portico.status()).totals.connections.accepted
    expect(after - accepted).toBeLessThan(sent / 4)
  },
)

test('wrk: no socket error and no bad answer', async () => {
  const url = `http://127.0.0.1:${portico.port}`
  for (const path of ['/', '/ping']) {
    const { requests, bad, socketErrors } = await wrk(`${url}${path}`, '-c32', '-d1s')
    expect({ bad, socketErrors }).toEqual({ bad: 0, socketErrors: 0 })
    expect(requests).toBeGreaterThan(500)
  }
})

test('curl: kept connections, HEAD, a proxy’s request line, HTTP/1.0', async () => {
  const url = `http://127.0.0.1:${portico.port}`
  const curl = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await run('curl', ['-sS', '--max-time', '10', ...args])
    expect({ code, err }).toMatchObject({ code: 0 })
    return out
  }
  const many = await curl('-w', '%{num_connects}\\n', '-o', '/dev/null', `${url}/ping?[1-5]`)
  expect(many).toMatch(/^1\n0\n0\n0\n0\n$|^(1\n|0\n){4}0\n$/)
  expect(await curl('-I', `${url}/`)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: \d+/i)
  expect(JSON.parse(await curl('-x', url, 'http://shop.example/absolute'))).toMatchObject({
    PATH_INFO: '/absolute',
  })
  const old = await curl('--http1.0', '-i', `${url}/chunks`)
  expect(old).toMatch(/^HTTP\/1\.1 200 OK/)
  expect(old).not.toMatch(/transfer-encoding/i)
  expect(JSON.parse(old.slice(old.indexOf('\r\n\r\n')))).toMatchObject({
    SERVER_PROTOCOL: 'HTTP/1.0',
  })
})

test('an HTTP/1.0 client that keeps its connection, as ab -k does', async () => {
  using visitor = await Visitor.to(portico.port)
  for (let i = 0; i < 3; i++) {
    visitor.send(
      'GET /ping HTTP/1.0\r\nConnection: Keep-Alive\r\nUser-Agent: ApacheBench/2.3\r\n\r\n',
    )
    const reply = await visitor.reply()
    expect(reply).toMatchObject({ status: 200, text: 'pong', fields: { connection: 'keep-alive' } })
  }
  visitor.send('GET /ping HTTP/1.0\r\n\r\n')
  expect(await visitor.reply()).toMatchObject({ status: 200, fields: { connection: 'close' } })
  expect(await visitor.end()).toHaveLength(0)
})

test('nc -N ends its side after the requests: both answers come', async () => {
  const input =
    'GET /ping HTTP/1.1\r\nHost: a\r\n\r\n' +
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
  for (const to of [
    ['127.0.0.1', String(portico.port)],
    ['-U', `${portico.folder}/site.sock`],
  ]) {
    const { out } = await run('nc', ['-N', '-w', '5', ...to], { input })
    expect(out.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(2)
    expect(out).toContain(sha256(Buffer.from('abc')))
  }
})

test('requests in one piece are answered in order', async () => {
  using visitor = await Visitor.to(portico.port)
  const paths = Array.from({ length: 50 }, (_, i) => (i % 7 === 3 ? '/ping' : `/${i}`))
  visitor.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  for (const path of paths) {
    const { text } = await visitor.reply()
    if (path === '/ping') expect(text).toBe('pong')
    else expect(JSON.parse(text)).toMatchObject({ PATH_INFO: path })
  }
})
