/** Who the visitor is, behind load balancers and proxies; and visitors that leave. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Haproxy } from './support/haproxy.ts'
import { Nginx } from './support/peers.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { CutShort, Visitor } from './support/visitor.ts'

const APP = `
import json, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(3)
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")
    body = json.dumps({name: environ.get(name) for name in names}).encode()
    if path == "/drip":
        start_response("200 OK", [])
        def drip():
            for _ in range(10):
                time.sleep(0.4)
                yield b"drip"
        return drip()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

let portico: Portico
let proxied: number
beforeAll(async () => {
  portico = await Portico.serve({
    'shop.py': APP,
    'site.yaml': `
listen: ["127.0.0.1:0", { on: "127.0.0.1:0", proxy-protocol: true }]
threads: 1
trusted: [127.0.0.1]
routes: { "/": { app: shop } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 4 } }
`,
  })
  await portico.settled()
  proxied = Number(new URL(portico.urls[1]!).port)
})
afterAll(() => portico?.[Symbol.asyncDispose]())

test.each(['send-proxy', 'send-proxy-v2', 'send-proxy-v2 check inter 100'])(
  'HAProxy before it names them: %s',
  async (how) => {
    await using haproxy = await Haproxy.tcp(`127.0.0.1:${proxied} ${how}`)
    using visitor = await Visitor.to(haproxy.port)
    for (let i = 0; i < 3; i++) {
      const { text } = await visitor.ask('/')
      expect(JSON.parse(text)).toMatchObject({
        REMOTE_ADDR: '127.0.0.1',
        'wsgi.url_scheme': 'http',
      })
    }
  },
)

test('the header names a visitor from elsewhere, in pieces and with the request behind it', async () => {
  using visitor = await Visitor.to(proxied)
  visitor.send('PROXY TCP4 192.0.2.1 198')
  await sleep(20)
  visitor.send('.51.100.7 4711 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(JSON.parse((await visitor.reply()).text)).toMatchObject({ REMOTE_ADDR: '192.0.2.1' })
  const again = await visitor.ask('/', { fields: { 'X-Forwarded-For': '6.6.6.6' } })
  expect(JSON.parse(again.text)).toMatchObject({
    REMOTE_ADDR: '192.0.2.1',
    HTTP_X_FORWARDED_FOR: null,
  })
})

test.each([
  ['plain HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a broken header', 'PROXY TCP9 what\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
])('without its header a connection is closed: %s', async (_, bytes) => {
  using visitor = await Visitor.to(proxied)
  visitor.send(bytes)
  expect((await visitor.end()).toString()).toBe('')
})

test('a trusted proxy names the visitor; what the visitor says of itself does not count', async () => {
  await using nginx = await Nginx.serve(
    (port) => `
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${portico.port};
      proxy_set_header X-Forwarded-For "$http_x_test, 203.0.113.9";
      proxy_set_header X-Forwarded-Proto https;
    }
  }`,
  )
  using visitor = await Visitor.to(nginx.port)
  const { text } = await visitor.ask('/', { fields: { 'X-Test': '6.6.6.6' } })
  expect(JSON.parse(text)).toMatchObject({
    REMOTE_ADDR: '203.0.113.9',
    'wsgi.url_scheme': 'https',
    HTTP_X_FORWARDED_FOR: '6.6.6.6, 203.0.113.9',
  })
  await until('the access log', () => portico.out.includes('203.0.113.9'))
})

test('a visitor that closes its sending side still gets an answer that comes soon', async () => {
  const visitor = await Visitor.to(portico.port)
  visitor.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').socket.end()
  expect((await visitor.reply()).status).toBe(200)
})

test('one that has left is not waited for', async () => {
  const visitor = await Visitor.to(portico.port)
  visitor.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n').socket.end()
  const began = performance.now()
  await expect(visitor.reply()).rejects.toThrow(CutShort)
  expect(performance.now() - began).toBeLessThan(2500)
})

test('an answer that comes in pieces comes whole', async () => {
  const visitor = await Visitor.to(portico.port)
  visitor.send('GET /drip HTTP/1.1\r\nHost: a\r\n\r\n').socket.end()
  expect((await visitor.reply()).text).toBe('drip'.repeat(10))
})
