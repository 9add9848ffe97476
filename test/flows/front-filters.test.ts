/** What belongs in front of applications, on a whole Portico of two threads, with real ones behind. */
import { once } from 'node:events'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, run } from './support/portico.ts'
import { talk } from './support/talk.ts'
import { type Ask, ask, type Reply, Visitor } from './support/visitor.ts'

const BARE: string = new URL('../apps', import.meta.url).pathname
const TEXT = 'All work and no play makes Jack a dull boy.\n'.repeat(200)

let behind: Server
let asked: IncomingMessage[] = []
let portico: Portico

beforeAll(async () => {
  behind = createServer((request, response) => {
    asked.push(request)
    const { pathname } = new URL(request.url!, 'http://a')
    if (pathname === '/verify') {
      const may = request.headers.cookie === 'sid=ann'
      return response.writeHead(may ? 200 : 401, { 'Remote-User': 'ann' }).end('who are you?')
    }
    if (pathname === '/gone') return response.writeHead(404).end('theirs')
    if (pathname === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      let left = 5
      const timer = setInterval(() => {
        response.write(`data: ${left}\n\n`)
        if (--left > 0) return
        clearInterval(timer)
        response.end()
      }, 60)
      return
    }
    response.writeHead(200, { 'Content-Type': 'text/html', 'X-Powered-By': 'me' })
    response.end(request.method === 'POST' ? `${request.url} got it` : `${request.url} ${TEXT}`)
  }).listen(0, '127.0.0.1')
  await once(behind, 'listening')
  const to = `"http://127.0.0.1:${(behind.address() as AddressInfo).port}`
  const files = {
    'files/a.txt': TEXT,
    'files/large.txt': TEXT.repeat(200),
    '404.html': '<h1>nothing here</h1>',
    'down.html': '<h1>down</h1>',
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
log: { access: off }
filters:
  compress: true
  headers: { X-Frame-Options: DENY, X-Powered-By: "", X-Host: $host }
  hosts: { closing.example: { maintenance: { page: ./down.html, retry-after: 90s } } }
hosts:
  closing.example: { /: { respond: open } }
routes:
  /files/: { files: ./files, errors: { 404: ./404.html } }
  /behind/: { proxy: ${to}", rewrite: { strip: /behind }, errors: { 404: ./404.html, intercept: true } }
  /plain/: { proxy: ${to}", compress: off, headers: { X-Own: a } }
  /told/: { proxy: ${to}", request-headers: { X-From: $remote_addr, Cookie: "" } }
  /asks/: { app: bare, auth: { forward: ${to}/verify", copy: [Remote-User], user: Remote-User } }
  /api/: { app: bare, cors: { origins: "https://app.example", credentials: true }, limit: { rate: 2/h } }
  /old/: { respond: never, rewrite: [{ match: "^/old/(.*)$", to: "/behind/$1", again: true }] }
  /small/: { app: bare, body: 10B }
  /large/: { respond: never, rewrite: [{ match: "^/large/(.*)$", to: "/small/$1", again: true }] }
  /loop/: { respond: never, rewrite: [{ match: "^/loop/", to: /loop/, again: true }] }
  /inside/: { respond: never, request-headers: { Host: closing.example }, rewrite: [{ match: "^/inside/", to: /always, again: true }] }
  /round/: { cgi: ./round.sh, request-headers: { X-Round: a } }
  /slow/: { respond: slow, rewrite: { "^/slow/(a+)+$": /b } }
  /closed/: { respond: open, maintenance: { when: file, exists: ./closed, text: Back soon } }
  /app/: { app: bare }
  /health: { health: live }
  /always: { respond: always, maintenance: false }
apps:
  bare: { python: "asgi_cases:application", dir: ${BARE}, interpreter: ${PYTHON}, workers: 1, deadline: 5s }
`,
  }
  const prepare = (folder: string): Record<string, string> => {
    writeFileSync(join(folder, 'round.sh'), '#!/bin/sh\necho Location: /round/\necho\n', {
      mode: 0o755,
    })
    // Programs of root's run as nobody.
    chmodSync(folder, 0o755)
    return {}
  }
  portico = await Portico.serve(files, { prepare })
  await portico.settled()
}, 60_000)

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  behind?.close()
})

const get = (path: string, more?: Ask): Promise<Reply> => ask(portico.port, path, more)
const zstd = { fields: { 'Accept-Encoding': 'gzip, zstd' } }

describe('compress', () => {
  test('files, large files, and what servers behind say', async () => {
    for (const [path, text] of [
      ['/files/a.txt', TEXT],
      ['/files/large.txt', TEXT.repeat(200)],
      ['/behind/x', `/x ${TEXT}`],
    ] as const) {
      for (let i = 0; i < 2; i++) {
        const { fields, body } = await get(path, zstd)
        expect([path, fields['content-encoding'], fields.vary]).toEqual([
          path,
          'zstd',
          'Accept-Encoding',
        ])
        expect(zstdDecompressSync(body).toString() === text).toBe(true)
      }
      expect((await get(path)).text === text).toBe(true)
    }
    expect((await get('/plain/x', zstd)).fields).not.toHaveProperty('content-encoding')
  })

  test('a compressed file is known by its ETag, and a range is of the file itself', async () => {
    const { etag } = (await get('/files/a.txt', zstd)).fields
    const fields = { ...zstd.fields, 'If-None-Match': etag! }
    expect((await get('/files/a.txt', { fields })).status).toBe(304)
    const range = { ...zstd.fields, Range: 'bytes=0-7' }
    expect(await get('/files/a.txt', { fields: range })).toMatchObject({
      status: 206,
      text: 'All work',
    })
    const conditional = { ...range, 'If-Range': etag! }
    expect((await get('/files/a.txt', { fields: conditional })).status).toBe(200)
  })

  test('events are not held back', async () => {
    const { fields, body, chunks } = await get('/behind/events', zstd)
    expect(fields['content-encoding']).toBe('zstd')
    expect(zstdDecompressSync(body).toString()).toBe(
      [5, 4, 3, 2, 1].map((n) => `data: ${n}\n\n`).join(''),
    )
    expect(chunks.length).toBeGreaterThanOrEqual(5)
    expect(chunks[4]! - chunks[0]!).toBeGreaterThan(180)
  })

  test('curl understands all of them', async () => {
    for (const coding of ['gzip', 'br', 'zstd']) {
      const url = `http://127.0.0.1:${portico.port}/files/large.txt`
      const { out } = await run('curl', [
        '-s',
        '-H',
        `Accept-Encoding: ${coding}`,
        '-D-',
        '-o',
        '/dev/null',
        url,
      ])
      expect(out.toLowerCase()).toContain(`content-encoding: ${coding}`)
    }
    const reply = await get('/files/a.txt', { fields: { 'Accept-Encoding': 'gzip' } })
    expect(gunzipSync(reply.body).toString()).toBe(TEXT)
  })
})

test('HTTP/2 is the same to all of them', async () => {
  const url = `http://127.0.0.1:${portico.port}`
  const over2 = async (path: string, ...more: string[]): Promise<string> =>
    (await run('curl', ['-s', '-i', '--http2-prior-knowledge', ...more, `${url}${path}`])).out
  const small = await over2('/files/a.txt', '--compressed')
  expect(small).toMatch(/^HTTP\/2 200/)
  expect(small.toLowerCase()).toMatch(/content-encoding: (br|gzip|zstd).*x-frame-options: deny/s)
  expect(small.endsWith(TEXT)).toBe(true)
  const large = await over2('/files/large.txt', '--compressed')
  expect(large.endsWith(`\n${TEXT}`) && large.length > TEXT.length * 200).toBe(true)
  expect(await over2('/old/a', '-d', 'x'.repeat(50_000))).toMatch(/\/a got it$/)
  expect(await over2('/files/none')).toMatch(/^HTTP\/2 404.*nothing here/s)
  expect(await over2('/asks/scope')).toMatch(/^HTTP\/2 401.*who are you\?$/s)
})

test('WebSockets pass all of them', async () => {
  const { socket } = await talk(`ws://127.0.0.1:${portico.port}/app/echo`)
  socket.close()
})

describe('headers', () => {
  test('on answers of every kind, and a route’s own in their place', async () => {
    for (const path of ['/files/a.txt', '/behind/x', '/none', '/always']) {
      const { fields } = await get(path)
      const known = path === '/none' ? undefined : 'DENY'
      expect([path, fields['x-frame-options'], fields['x-powered-by']]).toEqual([
        path,
        known,
        undefined,
      ])
    }
    expect((await get('/plain/x')).fields).toMatchObject({ 'x-own': 'a', 'x-powered-by': 'me' })
    expect((await get('/always', { fields: { Host: 'A.example:1' } })).fields['x-host']).toBe(
      'a.example',
    )
  })

  test('of requests', async () => {
    asked = []
    await get('/told/', { fields: { Cookie: 'a=b', 'X-From': 'me' } })
    expect(asked[0]!.headers).toMatchObject({ 'x-from': '127.0.0.1' })
    expect(asked[0]!.headers).not.toHaveProperty('cookie')
  })
})

describe('rewrite', () => {
  test('another route, with its own filters, and the body goes along', async () => {
    const { text, fields } = await get('/old/a%2Fb?c=d', { body: 'x'.repeat(100_000) })
    expect([text, fields['x-frame-options']]).toEqual(['/a/b?c=d got it', 'DENY'])
    expect((await get('/old/gone')).text).toBe('<h1>nothing here</h1>')
  })

  test('a server behind knows what the path has lost', async () => {
    asked = []
    await get('/behind/x', { fields: { 'X-Forwarded-Prefix': '/theirs' } })
    expect([asked[0]!.url, asked[0]!.headers['x-forwarded-prefix']]).toEqual(['/x', '/behind'])
  })

  test('a Host for servers behind is not the one that was asked for', async () => {
    expect((await get('/inside/')).text).toBe('always')
  })

  test('the new route’s body limit holds, however long the body says it is', async () => {
    const body = 'x'.repeat(1000)
    expect((await get('/large/echo', { body })).status).toBe(413)
    using visitor = await Visitor.to(portico.port)
    visitor.send(
      'POST /large/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    visitor.sendChunks(Buffer.from(body), 100)
    expect((await visitor.reply()).status).toBe(413)
  })

  test('circles end', async () => {
    expect((await get('/loop/x')).status).toBe(508)
    expect((await get('/round/')).status).toBe(508)
  })

  test('no path keeps a thread busy', async () => {
    const began = performance.now()
    const replies = await Promise.all(
      Array.from({ length: 4 }, () => get(`/slow/${'a'.repeat(2000)}!`)),
    )
    expect(replies.map(({ text }) => text)).toEqual(['slow', 'slow', 'slow', 'slow'])
    expect(performance.now() - began).toBeLessThan(3000)
  })
})

test('forward auth lets in whom the other server knows', async () => {
  const refused = await get('/asks/scope')
  expect([refused.status, refused.text]).toEqual([401, 'who are you?'])
  const reply = await get('/asks/scope', { fields: { Cookie: 'sid=ann', 'Remote-User': 'root' } })
  const { headers } = JSON.parse(reply.text)
  expect(headers.filter(([name]: [{ bytes: string }]) => name.bytes === 'remote-user')).toEqual([
    [{ bytes: 'remote-user' }, { bytes: 'ann' }],
  ])
})

test('a page may read that it came too often', async () => {
  const fields = { Origin: 'https://app.example' }
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) {
    const reply = await get('/api/scope', { fields })
    statuses.push(reply.status)
    expect(reply.fields['access-control-allow-origin']).toBe('https://app.example')
  }
  expect(statuses).toEqual([200, 200, 429, 429])
  const preflight = { ...fields, 'Access-Control-Request-Method': 'PUT' }
  expect((await get('/api/scope', { method: 'OPTIONS', fields: preflight })).status).toBe(204)
})

describe('maintenance', () => {
  const page = async (path: string, host = 'localhost'): Promise<[number, string]> => {
    const { status, text } = await get(path, { fields: { Host: host } })
    return [status, text]
  }

  test('while a file is there', async () => {
    expect(await page('/closed/')).toEqual([200, 'open'])
    const file = join(portico.folder, 'closed')
    writeFileSync(file, '')
    const shut = await until('the page', async () => {
      const reply = await get('/closed/')
      return reply.text === 'Back soon\n' && reply
    })
    expect([shut.status, shut.fields['retry-after']]).toEqual([503, '300'])
    rmSync(file)
    await until('the site', async () => (await page('/closed/'))[0] === 200)
  })

  test('when it is said, over a reload, and not for who looks after the site', async () => {
    const on = await command('on')
    expect([on.code, on.out]).toEqual([0, 'closed for maintenance: the whole site\n'])
    expect(await page('/files/a.txt')).toEqual([
      503,
      'Down for maintenance. Please come again later.\n',
    ])
    expect((await get('/files/a.txt')).fields['x-frame-options']).toBe('DENY')
    expect(await page('/', 'closing.example')).toEqual([503, '<h1>down</h1>'])
    expect((await get('/', { fields: { Host: 'closing.example' } })).fields['retry-after']).toBe(
      '90',
    )
    expect([(await page('/health'))[0], await page('/always')]).toEqual([200, [200, 'always']])
    expect((await portico.run('reload')).code).toBe(0)
    for (let i = 0; i < 10; i++) expect((await page('/files/a.txt'))[0]).toBe(503)
    const { server } = await portico.status()
    process.kill(server.pid, 'SIGKILL')
    await until('another server', async () => (await portico.status()).server.pid !== server.pid)
    const answer = await until('an answer', () => page('/files/a.txt').catch(() => false as const))
    expect(answer[0]).toBe(503)
    expect((await portico.run('status')).out).toMatch(/closed +the whole site/)
    const off = await command('off')
    expect([off.code, off.out]).toEqual([0, 'the site is open\n'])
    expect((await page('/files/a.txt'))[0]).toBe(200)
  }, 30_000)

  test('one host alone', async () => {
    const wrong = await command('on', '--host', 'closing.exmaple')
    expect([wrong.code, wrong.err]).toEqual([
      1,
      'there is no host closing.exmaple; did you mean closing.example?\n',
    ])
    expect((await command('on', '--host', 'closing.example')).code).toBe(0)
    expect(await page('/', 'closing.example')).toEqual([503, '<h1>down</h1>'])
    expect((await page('/files/a.txt'))[0]).toBe(200)
    expect((await command('off')).code).toBe(0)
    expect(await page('/', 'closing.example')).toEqual([200, 'open'])
  })

  async function command(state: string, ...more: string[]) {
    const admin = portico.log.findLast((line) => line.admin !== undefined)!.admin!
    const launcher = new URL('../../bin/portico', import.meta.url).pathname
    return run(process.execPath, [launcher, 'maintenance', state, '--admin', admin, ...more])
  }
})
