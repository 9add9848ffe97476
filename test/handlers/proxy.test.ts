/** The reverse proxy before node:http and nginx, over real sockets. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { get, httpBackend, raw, rawBackend, sleep, until } from '../transports/backends.ts'
import { front, poolPlan, target } from '../transports/front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

const HUGE = 100 * 1024 * 1024
/** V8 lets some 64 MB of freed buffers gather before it collects them; a body held whole would be above. */
const MOST_GROWTH = 90 * 1024 * 1024

function sha(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A front in a process of its own; `peak` tells the most memory it ever had, bytes. */
async function frontProcess(backend: number): Promise<{ port: number; peak(): Promise<number> }> {
  const child = fork(join(import.meta.dirname, '../transports/front-process.ts'), [String(backend)])
  keep({ close: () => child.kill() })
  const answer = async (key: string): Promise<number> => {
    const [message]: unknown[] = await once(child, 'message')
    return Number(Reflect.get(Object(message), key))
  }
  return {
    port: await answer('port'),
    peak: () => {
      child.send('peak')
      return answer('peak')
    },
  }
}

describe('before node:http', () => {
  /** Tells what it was sent. */
  async function mirror(): Promise<number> {
    const backend = keep(
      await httpBackend((req, res) => {
        const hash = createHash('sha256')
        let length = 0
        req.on('data', (part: Buffer) => {
          hash.update(part)
          length += part.length
        })
        req.on('end', () => {
          const { method, url, headers, trailers } = req
          res.setHeader('Content-Type', 'application/json')
          res.end(
            JSON.stringify({ method, url, headers, trailers, length, sha: hash.digest('hex') }),
          )
        })
      }),
    )
    return keep(await front(poolPlan([target(backend.port)]))).port
  }

  it.each([0, 1, 1000, 65_535, 65_536, 65_537, 1_000_000])(
    'a body of %i bytes arrives, with a length and in chunks',
    async (size) => {
      const port = await mirror()
      const body = randomBytes(size)
      for (const headers of [
        { 'Content-Length': String(size) },
        { 'Transfer-Encoding': 'chunked' },
      ]) {
        const seen = JSON.parse((await get(port, '/x', { method: 'POST', headers, body })).body)
        expect(seen).toMatchObject({ method: 'POST', url: '/x', length: size, sha: sha(body) })
        const framing = 'Content-Length' in headers ? 'content-length' : 'transfer-encoding'
        expect(seen.headers[framing]).toBe(Object.values(headers)[0])
      }
    },
  )

  it('a body in the tiniest chunks arrives, with its trailers', async () => {
    const port = await mirror()
    const text = 'the quick brown fox '.repeat(500)
    const chunks = [...text].map((letter) => `1\r\n${letter}\r\n`).join('')
    const answer = await raw(
      port,
      `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${chunks}0\r\nX-Sum: 7\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n`,
    )
    const seen = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1))
    expect(seen).toMatchObject({ length: text.length, sha: sha(text), trailers: { 'x-sum': '7' } })
    expect(Object.keys(seen.trailers)).toEqual(['x-sum'])
  })

  it('an expectation is met by us, once, and not passed on', async () => {
    const port = await mirror()
    let continued = 0
    const got = await get(port, '/', {
      method: 'POST',
      headers: { Expect: '100-continue', 'Content-Length': '5' },
      body: 'hello',
      prepare: (req) => req.on('continue', () => continued++),
    })
    const seen = JSON.parse(got.body)
    expect(seen).toMatchObject({ length: 5, sha: sha('hello') })
    expect(seen.headers.expect).toBeUndefined()
    expect(continued).toBe(1)
  })

  it('visitors of HTTP/1.0 get chunks unwrapped', async () => {
    const backend = keep(
      await httpBackend((_req, res) => {
        res.write('one ')
        setTimeout(() => res.end('two'), 20)
      }),
    )
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    const answer = await raw(port, 'GET / HTTP/1.0\r\n\r\n')
    expect(answer).not.toMatch(/transfer-encoding/i)
    expect(answer).toMatch(/\r\n\r\none two$/)
  })

  it('an early refusal reaches the visitor, whose body goes nowhere', async () => {
    const backend = keep(
      await httpBackend((_req, res) => {
        res.writeHead(403, { Connection: 'close' })
        res.end('no')
      }),
    )
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    const got = await get(port, '/', { method: 'POST', body: randomBytes(100_000) })
    expect(got).toMatchObject({ status: 403, body: 'no' })
  })

  it('100 MB come down and go up whole, in little memory', async () => {
    const block = randomBytes(1024 * 1024)
    const expected = createHash('sha256')
    for (let i = 0; i < HUGE / block.length; i++) expected.update(block)
    const hash = expected.digest('hex')
    let uploaded = ''
    const backend = keep(
      await httpBackend((req, res) => {
        if (req.method === 'PUT') {
          const seen = createHash('sha256')
          req.on('data', (part: Buffer) => seen.update(part))
          req.on('end', () => {
            uploaded = seen.digest('hex')
            res.end('thanks')
          })
          return
        }
        if (req.url === '/length') res.setHeader('Content-Length', HUGE)
        let left = HUGE / block.length
        const more = (): void => {
          while (left-- > 0) if (!res.write(block)) return void res.once('drain', more)
          res.end()
        }
        more()
      }),
    )
    const { port, peak } = await frontProcess(backend.port)
    const before = await peak()
    for (const path of ['/length', '/chunked']) {
      const req = request({ host: '127.0.0.1', port, path, agent: false }).end()
      const [res]: IncomingMessage[] = await once(req, 'response')
      const seen = createHash('sha256')
      for await (const part of res!) seen.update(part)
      expect(seen.digest('hex')).toBe(hash)
    }
    for (const headers of [{ 'Content-Length': HUGE }, { 'Transfer-Encoding': 'chunked' }]) {
      uploaded = ''
      const req = request({ host: '127.0.0.1', port, method: 'PUT', headers, agent: false })
      for (let i = 0; i < HUGE / block.length; i++) {
        if (!req.write(block)) await once(req, 'drain')
      }
      req.end()
      const [res]: IncomingMessage[] = await once(req, 'response')
      res!.resume()
      await once(res!, 'end')
      expect(uploaded).toBe(hash)
    }
    expect((await peak()) - before).toBeLessThan(MOST_GROWTH)
  }, 60_000)

  it('a slow visitor holds the backend back, a slow backend the visitor', async () => {
    let written = 0
    let read = 0
    let reader: IncomingMessage | null = null
    const block = Buffer.alloc(1_000_000)
    const backend = keep(
      await httpBackend((req, res) => {
        if (req.method === 'PUT') {
          reader = req
          return
        }
        const more = (): void => {
          while (written < 80_000_000) {
            written += block.length
            if (!res.write(block)) return void res.once('drain', more)
          }
          res.end()
        }
        more()
      }),
    )
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    const down = request({ host: '127.0.0.1', port, agent: false }).end()
    const [res]: IncomingMessage[] = await once(down, 'response')
    res!.pause()
    await sleep(500)
    expect(written).toBeLessThan(30_000_000)
    for await (const part of res!) read += part.length
    expect(read).toBe(80_000_000)

    const up = request({
      host: '127.0.0.1',
      port,
      method: 'PUT',
      agent: false,
      headers: { 'Content-Length': 80_000_000 },
    })
    up.on('error', () => {})
    for (let i = 0; i < 80; i++) up.write(block)
    await until(() => reader !== null)
    await sleep(500)
    expect(up.socket!.bytesWritten - up.socket!.writableLength).toBeLessThan(30_000_000)
    let taken = 0
    for await (const part of reader!) taken += part.length
    expect(taken).toBe(80_000_000)
    up.destroy()
  }, 30_000)
})

const nginxAt =
  ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path)) ??
  ''

describe('before nginx', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-nginx-'))
  const socket = join(folder, 'nginx.sock')
  const file = randomBytes(3_000_000)
  let nginx: ChildProcess | null = null

  beforeAll(async () => {
    // Its workers may run as another user.
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'www'))
    writeFileSync(join(folder, 'www', 'file'), file)
    writeFileSync(join(folder, 'www', 'page.html'), '<p>hello</p>'.repeat(1000))
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
       events { worker_connections 64; }
       http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
         types { text/html html; } default_type application/octet-stream;
         server { listen unix:${socket}; root ${folder}/www; keepalive_requests 3; client_max_body_size 1k;
           location / { gzip on; gzip_proxied any; gzip_http_version 1.0; }
           location = /hello { return 200 "hello $http_x_forwarded_for $http_x_forwarded_proto $http_host"; }
           location = /gone { return 444; } } }`,
    )
    nginx = spawn(nginxAt, ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' })
    await until(() => existsSync(socket), 5_000)
    await sleep(50)
  })
  afterAll(async () => {
    if (nginx !== null && nginx.exitCode === null) {
      nginx.kill()
      await once(nginx, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })

  async function inFront(): Promise<number> {
    return keep(await front(poolPlan([target({ kind: 'unix', path: socket })]))).port
  }

  it('requests are answered, also when it closes after every third', async () => {
    const port = await inFront()
    for (let i = 0; i < 20; i++) {
      expect((await get(port, '/hello', { headers: { Host: 'www.example.com' } })).body).toBe(
        'hello 127.0.0.1 http www.example.com',
      )
    }
    const many = await Promise.all(Array.from({ length: 60 }, () => get(port, '/hello')))
    expect(many.map(({ status }) => status)).toEqual(Array(60).fill(200))
  })

  it('files, ranges, conditions and compression pass', async () => {
    const port = await inFront()
    const whole = await get(port, '/file')
    expect(sha(Buffer.from(whole.body, 'latin1'))).toBe(sha(file))
    const part = await get(port, '/file', { headers: { Range: 'bytes=100-199' } })
    expect(part.status).toBe(206)
    expect(part.body).toBe(file.subarray(100, 200).toString('latin1'))
    const same = await get(port, '/file', {
      headers: { 'If-None-Match': String(whole.headers.etag) },
    })
    expect(same).toMatchObject({ status: 304, body: '' })
    const head = await get(port, '/file', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, body: '' })
    expect(head.headers['content-length']).toBe(String(file.length))
    const packed = await get(port, '/page.html', { headers: { 'Accept-Encoding': 'gzip' } })
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip' })
    expect(packed.cut).toBe(false)
  })

  it('refusals and silent closes come as they should', async () => {
    const port = await inFront()
    expect((await get(port, '/nowhere')).status).toBe(404)
    expect((await get(port, '/', { method: 'POST', body: 'x'.repeat(5_000) })).status).toBe(413)
    expect((await get(port, '/gone')).status).toBe(502)
  })
})

describe('visitors', () => {
  it('never see anything of one another, whatever the backend does', async () => {
    /** Answers each request with its own path, in every shape, right and wrong. */
    const backend = keep(
      await rawBackend((socket) => {
        let text = ''
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1')
          for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
            const [, path = ''] = text.split(' ', 2)
            text = text.slice(end + 4)
            misbehave(socket, path)
          }
        })
      }),
    )
    const { port } = keep(
      await front(poolPlan([target(backend.port)], { keepAlive: 8, responseTimeoutMs: 300 })),
    )
    let whole = 0
    let failed = 0
    const visitor = async (name: string): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const path = `/${name}-${i}-${randomBytes(4).toString('hex')}`
        const got = await get(port, path).catch(() => null)
        if (got === null || got.status >= 500) failed++
        else {
          const owners = got.body.match(/\/[a-z]+-[0-9]+-[0-9a-f]{8}/g) ?? []
          expect(owners.filter((owner) => owner !== path)).toEqual([])
          if (got.cut) failed++
          else {
            expect(got.headers['x-path']).toBe(path)
            whole++
          }
        }
      }
    }
    await Promise.all('abcdefghijklmnop'.split('').map((letter) => visitor(`v${letter}`)))
    expect(whole).toBeGreaterThan(100)
    expect(failed).toBeGreaterThan(100)
  }, 60_000)

  it('that leave at any moment disturb nobody, and leave nothing behind', async () => {
    const backend = keep(
      await httpBackend((req, res) => {
        const hash = createHash('sha256')
        req.on('data', (part: Buffer) => hash.update(part))
        req.on('end', () => res.end(`${req.url} ${hash.digest('hex')} `.repeat(3_000)))
      }),
    )
    let connections = 0
    backend.server.on('connection', (socket) => {
      connections++
      socket.on('close', () => connections--)
    })
    const { port } = keep(await front(poolPlan([target(backend.port)], { keepAlive: 4 })))
    const body = randomBytes(300_000)
    const leaver = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const wait = Math.random() * 20
        await raw(
          port,
          `PUT /leaver HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`,
          (visitor) => {
            visitor.write(body.subarray(0, Math.random() * 2 * body.length))
            setTimeout(() => visitor.resetAndDestroy(), wait)
          },
        )
      }
    }
    const stayer = async (name: string): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const got = await get(port, `/${name}`, { method: 'PUT', body })
        expect(got).toMatchObject({ status: 200, cut: false })
        expect(got.body === `/${name} ${sha(body)} `.repeat(3_000)).toBe(true)
      }
    }
    await Promise.all([...Array.from({ length: 10 }, leaver), ...['a', 'b', 'c', 'd'].map(stayer)])
    await until(() => connections <= 4)
  }, 60_000)
})

/** One answer that names only `path`, or something that is no answer. */
function misbehave(socket: Socket, path: string): void {
  const head = `HTTP/1.1 200 OK\r\nX-Path: ${path}\r\n`
  const body = `${path} `.repeat(1 + Math.floor(Math.random() * 200))
  const whole = `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  const half = Math.floor(Math.random() * whole.length)
  const chunks = `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  switch (Math.floor(Math.random() * 12)) {
    case 0:
      return void socket.write(whole + whole)
    case 1:
      return void socket.write(`${whole}garbage`)
    case 2:
      return void socket.end(whole.slice(0, half))
    case 3:
      socket.write(whole.slice(0, half))
      return void setTimeout(() => socket.resetAndDestroy(), Math.random() * 5)
    case 4:
      socket.write(whole.slice(0, half))
      return void setTimeout(() => socket.write(whole.slice(half)), Math.random() * 5)
    case 5:
      return void socket.write(`${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n${body}`)
    case 6:
      return void socket.end(`${head}\r\n${body}`)
    case 7:
      return void socket.write(`${head}Content-Length: ${body.length + 1}\r\n\r\n${body}`)
    case 8:
      return void socket.write(
        `${chunks}HTTP/1.1 200 OK\r\nX-Path: ${path}\r\nContent-Length: 0\r\n\r\n`,
      )
    case 9:
      return void socket.end()
    default:
      return void socket.write(Math.random() < 0.5 ? whole : chunks)
  }
}
