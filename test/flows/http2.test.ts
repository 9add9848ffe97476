/** HTTP/2 before the whole of Portico: clients that people have, WebSockets, uploads, reloads, the log. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, run } from './support/portico.ts'

const BARE: string = new URL('../apps', import.meta.url).pathname

let site: Portico
let behind: Portico

beforeAll(async () => {
  behind = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
routes: { /: { respond: "from behind" }, /behind/: { app: bare } }
apps:
  bare: { python: "asgi_cases:application", dir: ${BARE}, interpreter: ${PYTHON}, workers: 1 }
`,
  })
  site = await Portico.serve({
    'www/index.html': 'hello\n',
    'www/large': randomBytes(3_000_000),
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
routes:
  /: { app: bare }
  /files/: { files: ./www }
  /metrics: { metrics: true }
  /proxy: { proxy: "127.0.0.1:${behind.port}" }
  /behind/: { proxy: "127.0.0.1:${behind.port}" }
apps:
  bare: { python: "asgi_cases:application", dir: ${BARE}, interpreter: ${PYTHON}, workers: 2 }
`,
  })
  await site.settled()
}, 60_000)
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await behind[Symbol.asyncDispose]()
})

const url = (path: string): string => `http://127.0.0.1:${site.port}${path}`

async function whole(stream: ClientHttp2Stream): Promise<{ status: number; body: Buffer }> {
  let status = 0
  const parts: Buffer[] = []
  stream.on('response', (head) => {
    status = Number(head[':status'])
  })
  stream.on('data', (part: Buffer) => parts.push(part))
  await once(stream, 'end')
  return { status, body: Buffer.concat(parts) }
}

async function session(): Promise<ClientHttp2Session> {
  const made = connect(url('/'))
  made.on('error', () => {})
  await once(made, 'connect')
  return made
}

test('curl, knowing it', async () => {
  const asked = ['-s', '-i', '--http2-prior-knowledge']
  const { out } = await run('curl', [...asked, url('/files/')])
  expect(out).toMatch(/^HTTP\/2 200 \r\n[\s\S]*hello\n$/)
  const body = randomBytes(2_000_000)
  const { out: digest } = await run(
    'curl',
    ['-s', '--http2-prior-knowledge', '--data-binary', '@-', url('/digest')],
    { input: body },
  )
  expect(digest).toMatch(/^2000000 /)
  expect((await run('curl', ['-s', '--http2-prior-knowledge', url('/proxy')])).out).toBe(
    'from behind',
  )
  expect((await run('curl', ['-s', '--http1.1', url('/proxy')])).out).toBe('from behind')
})

test('the log has its version, and so does the application', async () => {
  const { out } = await run('curl', ['-s', '--http2-prior-knowledge', url('/scope')])
  expect(JSON.parse(out).http_version).toBe('2')
  await until('the log', () => site.out.includes('"request":"GET /scope HTTP/2.0"'))
})

test('nghttp, with bodies, padding and upgrades of windows', async () => {
  const args = ['--no-dep', '--stat', '-w', '10', '-W', '12', '-b', '200']
  const { code, err, out } = await run('nghttp', [...args, url('/files/large'), url('/files/')])
  expect(code, err).toBe(0)
  expect(out.length).toBeGreaterThan(3_000_000)
})

test('h2load: all are answered', async () => {
  const { out } = await run('h2load', [
    '-n',
    '20000',
    '-c',
    '10',
    '-m',
    '50',
    url('/files/index.html'),
  ])
  expect(out).toContain('20000 succeeded, 0 failed, 0 errored, 0 timeout')
})

test('node:http2: many at once, each with its own answer', async () => {
  const client = await session()
  const bodies = Array.from({ length: 60 }, (_, i) => randomBytes(i * 5_000))
  const digests = await Promise.all(
    bodies.map(async (body) => {
      const stream = client.request({ ':path': '/digest', ':method': 'POST' })
      stream.end(body)
      return (await whole(stream)).body.toString()
    }),
  )
  for (const [i, body] of bodies.entries())
    expect(digests[i]).toMatch(new RegExp(`^${body.length} `))
  client.close()
})

describe('a WebSocket in a stream', () => {
  /** A text message, masked as those of visitors are. */
  function said(text: string): Buffer {
    const key = [1, 2, 3, 4]
    const payload = Buffer.from(text).map((byte, i) => byte ^ key[i % 4]!)
    return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, ...key]), payload])
  }

  test.each(['/echo', '/behind/echo'])(
    'echoes beside requests on the same connection: %s',
    async (path) => {
      const client = await session()
      if (client.remoteSettings.enableConnectProtocol !== true) await once(client, 'remoteSettings')
      const stream = client.request({
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':path': path,
        'sec-websocket-version': '13',
      })
      const [head] = await once(stream, 'response')
      expect(head[':status']).toBe(200)
      let heard = Buffer.alloc(0)
      stream.on('data', (part: Buffer) => {
        heard = Buffer.concat([heard, part])
      })
      stream.write(said('over HTTP/2'))
      await until('the echo', () => heard.includes('over HTTP/2'))
      expect((await whole(client.request({ ':path': '/proxy' }))).body.toString()).toBe(
        'from behind',
      )
      stream.end()
      client.close()
    },
  )
})

test('the figures tell of it', async () => {
  const client = await session()
  await whole(client.request({ ':path': '/proxy' }))
  const { totals } = await site.status()
  expect(totals.http2).toMatchObject({ open: 1, refused: 0, faults: 0 })
  expect(totals.http2!.requests).toBeGreaterThan(20_000)
  expect(totals.http2!.accepted).toBeLessThan(totals.connections.accepted)
  expect((await site.run('status')).out).toMatch(
    /^http\/2 +1 connected, \d+ so far, \d+ requests$/m,
  )
  const metrics = await whole(client.request({ ':path': '/metrics' }))
  expect(metrics.body.toString()).toMatch(/^portico_http2_connections 1$/m)
  client.close()
})

test('reloads under load lose nothing', { timeout: 60_000 }, async () => {
  let stopping = false
  const outcomes: Record<string, number> = {}
  const visitor = async (): Promise<void> => {
    while (!stopping) {
      const client = await session()
      let leaving = false
      client.on('goaway', () => {
        leaving = true
      })
      while (!stopping && !leaving && !client.closed && !client.destroyed) {
        const streams = Array.from({ length: 5 }, () => client.request({ ':path': '/files/' }))
        const told = await Promise.all(
          streams.map((stream) =>
            whole(stream).then(
              ({ status, body }) => `${status} ${body.toString().trim()}`,
              ({ message }: Error) => message,
            ),
          ),
        )
        // Node refuses by itself what it was about to send when it read that the server leaves.
        for (const one of told.filter((each) => !each.includes('REFUSED_STREAM'))) {
          outcomes[one] = (outcomes[one] ?? 0) + 1
        }
      }
      client.close()
    }
  }
  const visitors = Array.from({ length: 6 }, visitor)
  for (let i = 0; i < 4; i++) {
    const { code, err } = await site.run('reload')
    expect(code, err).toBe(0)
  }
  stopping = true
  await Promise.all(visitors)
  expect(Object.keys(outcomes)).toEqual(['200 hello'])
  expect(outcomes['200 hello']).toBeGreaterThan(100)
})
