/** Portico before Debian's uWSGI, by each of its protocols: one contract for all of them. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Backend, uwsgi } from './support/backends.ts'
import { Portico } from './support/portico.ts'
import { type Ask, ask, type Reply, Visitor } from './support/visitor.ts'

const PROTOCOLS = ['uwsgi', 'puwsgi', 'fastcgi', 'scgi'] as const
type Protocol = (typeof PROTOCOLS)[number]

let backend: Backend
let portico: Portico
/** A socket on which web servers are believed. */
let trusting: string

beforeAll(async () => {
  backend = await uwsgi()
  const hosts = PROTOCOLS.map(
    (name) => `
  ${name}.test:
    /: { proxy: "${name}://unix:${backend.path(name)}", send-files: { /kept/: ./kept }, body: 0 }
    /mounted/: { proxy: "${name}://unix:${backend.path(name)}", params: { X_OWN: "é" }, body: 0 }`,
  )
  portico = await Portico.serve({
    'kept/a b.txt': 'what was kept',
    'site.yaml': `
listen: ["127.0.0.1:0", "unix:./trusted.sock"]
trusted: [unix]
threads: 1
hosts: ${hosts.join('')}
  "*":
    /websocket: { proxy: "uwsgi://unix:${backend.path('uwsgi')}" }
`,
  })
})

beforeAll(() => {
  trusting = `${portico.folder}/trusted.sock`
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  await backend?.[Symbol.asyncDispose]()
})

describe.each(PROTOCOLS)('%s', (protocol: Protocol) => {
  const get = (path: string, request: Ask = {}): Promise<Reply> =>
    ask(portico.port, path, { ...request, fields: { Host: `${protocol}.test`, ...request.fields } })

  test('answers, one after another on one connection', async () => {
    using visitor = await Visitor.to(portico.port)
    for (let i = 0; i < 5; i++) {
      const reply = await visitor.ask('/hello', { fields: { Host: `${protocol}.test` } })
      expect([reply.status, reply.text, reply.fields['content-type']]).toEqual([
        200,
        'hello',
        'text/plain',
      ])
    }
  })

  const [kept, others] = protocol === 'puwsgi' ? [test, null] : [null, test]

  others?.('answers without a length, with fields that repeat', async () => {
    const reply = await get('/unsized')
    expect(reply.text).toBe('without a length')
    expect(reply.fields['set-cookie']).toBe('a=1\nb=2')
  })

  test('is told of the request as CGI has it', async () => {
    const path = '/mounted/environ/%C3%A9%20%2F?q=%20&r'
    const reply = await get(path, {
      method: 'DELETE',
      fields: {
        'X-Two': 'a',
        'x-two': 'b',
        Proxy: 'evil',
        X_Under: 'forged',
        Cookie: 'c=d',
        Connection: 'x-mine',
        'X-Mine': '1',
        TE: 'trailers',
      },
    })
    const told = JSON.parse(reply.text)
    expect(told).toMatchObject({
      REQUEST_METHOD: 'DELETE',
      SCRIPT_NAME: '/mounted',
      // WSGI has bytes as latin-1.
      PATH_INFO: '/environ/\xc3\xa9 /',
      QUERY_STRING: 'q=%20&r',
      REQUEST_URI: path,
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: `${protocol}.test`,
      SERVER_PORT: String(portico.port),
      REMOTE_ADDR: '127.0.0.1',
      HTTP_HOST: `${protocol}.test`,
      HTTP_COOKIE: 'c=d',
      X_OWN: '\xc3\xa9',
    })
    expect(told.HTTP_X_TWO).toMatch(/^(a, b|b)$/)
    for (const hidden of [
      'HTTP_PROXY',
      'HTTP_X_UNDER',
      'HTTP_TE',
      'HTTP_CONNECTION',
      'HTTP_X_MINE',
      'HTTPS',
    ]) {
      expect(told).not.toHaveProperty(hidden)
    }
  })

  // uWSGI reads no bodies there, and spins when it is sent one.
  const bodies = protocol === 'puwsgi' ? [] : [1, 3, 70_000, 300_000, 5_000_000]

  kept?.('is not sent a body', async () => {
    expect((await get('/echo', { body: 'x' })).status).toBe(501)
  })

  test.each(bodies)('takes %i bytes of a known length', async (size) => {
    const body = randomBytes(size)
    const reply = await get('/echo', { body })
    expect(reply.fields['x-length']).toBe(String(size))
    expect(sha256(reply.body)).toBe(sha256(body))
  })

  test.each([0, ...bodies])('takes %i bytes in chunks', async (size) => {
    const body = randomBytes(size)
    using visitor = await Visitor.to(portico.port)
    visitor.send(
      `POST /echo HTTP/1.1\r\nHost: ${protocol}.test\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const reply = await visitor.sendChunks(body, 50_000).reply('POST')
    expect(reply.fields['x-length']).toBe(String(size))
    expect(sha256(reply.body)).toBe(sha256(body))
  })

  test('sends 20 MB whole', async () => {
    const reply = await get('/big?size=20000000')
    const expected = Buffer.alloc(20_000_000, Buffer.from(Array.from({ length: 256 }, (_, i) => i)))
    expect(sha256(reply.body)).toBe(sha256(expected))
  })

  test('streams', async () => {
    using visitor = await Visitor.to(portico.port)
    visitor.send(`GET /drip HTTP/1.1\r\nHost: ${protocol}.test\r\n\r\n`)
    const began = performance.now()
    const parts: number[] = []
    for (let text = ''; !text.endsWith('drips'); ) {
      text += (await visitor.read())?.toString('latin1') ?? ''
      parts.push(performance.now() - began)
    }
    expect(parts.length).toBeGreaterThanOrEqual(5)
    expect(parts.at(-1)! - parts[0]!).toBeGreaterThan(250)
  })

  test('has its status passed on', async () => {
    const teapot = await get('/status?is=418+Short+and+stout')
    expect(teapot.status).toBe(418)
    expect((await get('/status?is=204+No+Content')).status).toBe(204)
    expect((await get('/status?is=304+Not+Modified')).status).toBe(304)
  })

  test('answers HEAD without a body', async () => {
    const reply = await get('/hello', { method: 'HEAD' })
    expect([reply.status, reply.text]).toEqual([200, ''])
    expect(reply.fields['content-length'] ?? '5').toBe('5')
  })

  test('hears that a visitor has left', async () => {
    using visitor = await Visitor.to(portico.port)
    visitor.send(`GET /endless HTTP/1.1\r\nHost: ${protocol}.test\r\n\r\n`)
    await visitor.read()
    const began = performance.now()
    visitor.leave()
    expect(await backend.wrote('left')).toBe('left')
    expect(performance.now() - began).toBeLessThan(2_000)
    backend.remove('left')
  })

  test('has files sent by X-Accel-Redirect and X-Sendfile', async () => {
    const kept = `${portico.folder}/kept/a b.txt`
    for (const query of [
      'by=X-Accel-Redirect&path=/kept/a%2520b.txt',
      `by=X-Sendfile&path=${kept.replaceAll(' ', '%20')}`,
    ]) {
      const reply = await get(`/send?${query}`)
      expect([reply.status, reply.text]).toEqual([200, 'what was kept'])
      expect(reply.fields).toMatchObject({
        'content-type': 'text/x-backend',
        'content-disposition': 'attachment; filename=x',
        'set-cookie': 'a=1\nb=2',
        'cache-control': 'private',
      })
      expect(Object.keys(reply.fields).filter((name) => /^x-(accel|sendfile)/.test(name))).toEqual(
        [],
      )
      const part = await get(`/send?${query}`, { fields: { Range: 'bytes=5-7' } })
      expect([part.status, part.text]).toEqual([206, 'was'])
      const etag = reply.fields.etag ?? ''
      expect(etag).not.toContain('backend')
      const again = await get(`/send?${query}`, { fields: { 'If-None-Match': etag } })
      expect(again.status).toBe(304)
    }
    const refused = await get('/send?by=X-Accel-Redirect&path=/kept/../site.yaml')
    expect(refused.status).toBe(404)
    await portico.logged(/X-Accel-Redirect .*none of the folders/)
    // A route that names no folders lets neither happen.
    const plain = await get('/mounted/send?by=X-Sendfile&path=/etc/hostname')
    expect([plain.status, plain.text]).toEqual([200, 'dropped'])
    expect(plain.fields).not.toHaveProperty('x-sendfile')
    expect(plain.fields).not.toHaveProperty('x-accel-buffering')
  })

  test('that dies in a request is a 502, and the next one answers', async () => {
    expect((await get('/die')).status).toBe(502)
    await expect
      .poll(() => get('/hello').then(({ status }) => status), { timeout: 5_000 })
      .toBe(200)
  })
})

test('uwsgi carries WebSockets', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${portico.port}/websocket`)
  const echoed = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send('hello')
    socket.onmessage = ({ data }) => resolve(data)
    socket.onerror = () => reject(new Error('no WebSocket'))
  })
  expect(echoed).toBe('hello')
  socket.close()
})

test('a web server in front is told what is for web servers', async () => {
  const fields = { Host: 'uwsgi.test', 'X-Forwarded-For': '192.0.2.1' }
  const told = await ask(trusting, '/mounted/send?by=X-Accel-Redirect&path=/a', { fields })
  expect(told.fields).toMatchObject({ 'x-accel-redirect': '/a', 'x-accel-buffering': 'no' })
  const plain = await ask(portico.port, '/mounted/send?by=X-Accel-Redirect&path=/a', { fields })
  expect(plain.fields).not.toHaveProperty('x-accel-redirect')
  const kept = await ask(trusting, '/send?by=X-Accel-Redirect&path=/kept/a%2520b.txt', { fields })
  expect(kept.text).toBe('what was kept')
})

test('a killed server is a 502 at once, and serves again when it is back', async () => {
  await backend.killAll()
  for (const protocol of PROTOCOLS) {
    const began = performance.now()
    const reply = await ask(portico.port, '/hello', { fields: { Host: `${protocol}.test` } })
    expect(reply.status).toBe(502)
    expect(performance.now() - began).toBeLessThan(1_000)
  }
  await backend.start()
  for (const protocol of PROTOCOLS) {
    const reply = await ask(portico.port, '/hello', { fields: { Host: `${protocol}.test` } })
    expect(reply.text).toBe('hello')
  }
})

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
