/** Filters before real applications and servers, on a server of two threads. */
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hashSync } from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { talk } from './support/talk.ts'
import { type Ask, ask, type Reply } from './support/visitor.ts'

const BARE: string = new URL('../apps', import.meta.url).pathname

let behind: Server
/** Requests that the server behind has in hand, and the most that it had. */
let inHand = 0
let most = 0
/** What the last request to it had. */
let authorization: string | undefined
let portico: Portico

const WHO = `#!/bin/sh
echo Content-Type: text/plain
echo
echo "$REMOTE_USER $AUTH_TYPE [$HTTP_AUTHORIZATION]"
`

function prepare(folder: string): Record<string, string> {
  writeFileSync(`${folder}/who.sh`, WHO, { mode: 0o755 })
  // Programs of root's run as nobody.
  chmodSync(folder, 0o755)
  return {}
}

beforeAll(async () => {
  behind = createServer((request, answer) => {
    authorization = request.headers.authorization
    most = Math.max(most, ++inHand)
    setTimeout(() => {
      inHand--
      answer.end('behind')
    }, 2)
  }).listen(0, '127.0.0.1')
  await once(behind, 'listening')
  const { port } = behind.address() as AddressInfo
  portico = await Portico.serve(
    {
      'files/a.txt': 'a file',
      htpasswd: `ann:${hashSync('right', 6)}\n`,
      'site.yaml': `
listen: ["127.0.0.1:0", "unix:./front.sock"]
trusted: [unix]
threads: 2
log: { access: off }
routes:
  /often/: { proxy: "127.0.0.1:${port}", limit: { rate: 500/h, by: everyone, share: often } }
  /too: { respond: too, limit: { rate: 500/h, by: everyone, share: often } }
  /visitors/: { files: ./files, limit: { rate: 2/h, answer: 503 } }
  /named/: { respond: named, limit: { rate: 1/h, by: "header:X-Key", tell: true } }
  /slow/: { respond: slow, limit: { rate: 20/s, burst: 5, delay: 1 } }
  /many/: { proxy: "127.0.0.1:${port}", limit: { concurrency: 3, by: everyone } }
  /inside/: { files: ./files, allow: [192.0.2.0/24, unix], deny: 192.0.2.66 }
  /secret/: { app: bare, auth: { basic: ./htpasswd } }
  /cgi/: { cgi: ./who.sh, auth: { basic: ./htpasswd } }
  /passed/: { proxy: "127.0.0.1:${port}", auth: { basic: ./htpasswd }, deny: all, allow: unix }
  /either/: { proxy: "127.0.0.1:${port}", auth: { basic: ./htpasswd, satisfy: any }, allow: unix }
  /app/: { app: bare, limit: [ 1000/s, { concurrency: 1 } ] }
apps:
  bare: { python: "asgi_cases:application", dir: ${BARE}, interpreter: ${PYTHON}, workers: 1, deadline: 2s }
`,
    },
    { prepare },
  )
  await portico.settled()
}, 60_000)

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  behind?.close()
})

const get = (path: string, more?: Ask): Promise<Reply> => ask(portico.port, path, more)

describe('limit', () => {
  test('is exact over two threads under load, and over routes that share it', async () => {
    const began = performance.now()
    const load = new Load(portico.port, {
      kept: 24,
      fresh: 4,
      request: (n) => `GET ${n % 3 === 0 ? '/too' : '/often/'} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    })
    await until('enough answers', () => load.answered > 3000)
    const { statuses, lost } = await load.stop()
    expect(lost).toEqual([])
    // One more for every 7.2 s.
    const more = Math.floor((performance.now() - began) / 7200) + 1
    expect(statuses[200]).toBeGreaterThanOrEqual(500)
    expect(statuses[200]).toBeLessThanOrEqual(500 + more)
    expect(Object.keys(statuses)).toEqual(['200', '429'])
  })

  test('concurrency is exact over two threads under load', async () => {
    most = 0
    const load = new Load(portico.port, {
      kept: 20,
      fresh: 4,
      request: () => 'GET /many/ HTTP/1.1\r\nHost: localhost\r\n\r\n',
    })
    await until('enough answers', () => load.answered > 3000)
    const { statuses, lost } = await load.stop()
    expect(lost).toEqual([])
    expect(most).toBe(3)
    expect(statuses[200]).toBeGreaterThan(100)
    expect((await get('/many/')).status).toBe(200)
  })

  test('is by the address that a trusted proxy tells, an IPv6 network as one', async () => {
    const from = async (address: string): Promise<number> => {
      const fields = { 'X-Forwarded-For': address }
      return (await ask(`${portico.folder}/front.sock`, '/visitors/a.txt', { fields })).status
    }
    const statuses: number[] = []
    for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'])
      statuses.push(await from(address))
    for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::ffff', '2001:db8:0:1::1'])
      statuses.push(await from(address))
    expect(statuses).toEqual([200, 200, 503, 200, 200, 200, 503, 200])
    // From somebody whom nobody trusts the field is nothing.
    const direct = [1, 2, 3].map((n) =>
      get('/visitors/a.txt', { fields: { 'X-Forwarded-For': `198.51.100.${n}` } }),
    )
    const answers = await Promise.all(direct)
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 503])
    const refused = answers.find(({ status }) => status === 503)
    expect(Number(refused?.fields['retry-after'])).toBeGreaterThan(1700)
  })

  test('is by a header, and by address for who sends none', async () => {
    const by = async (key?: string): Promise<number> =>
      (await get('/named/', key === undefined ? {} : { fields: { 'X-Key': key } })).status
    expect([await by('a'), await by('a'), await by('b')]).toEqual([200, 429, 200])
    expect([await by(), await by(), await by('127.0.0.1')]).toEqual([200, 429, 200])
    const { fields } = await get('/named/')
    expect(fields).toMatchObject({ 'ratelimit-limit': '1', 'ratelimit-remaining': '0' })
    expect(fields['ratelimit-reset']).toBe(fields['retry-after'])
  })

  test('delays a burst to the rate', async () => {
    const began = performance.now()
    const replies = await Promise.all(Array.from({ length: 7 }, () => get('/slow/')))
    const took = performance.now() - began
    const statuses = replies.map(({ status }) => status).sort()
    expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200])
    expect(statuses.at(-1)).toBe(429)
    expect(took).toBeGreaterThan(190)
  })

  test('counts WebSockets while they are open', async () => {
    const url = `ws://127.0.0.1:${portico.port}/app/echo`
    const { socket } = await talk(url)
    expect((await get('/app/hello')).status).toBe(429)
    socket.close()
    await until('its place to be free', async () => (await get('/app/hello')).status !== 429)
  })
})

test('allow and deny know who is behind a trusted proxy, and nobody can pretend', async () => {
  const from = async (address: string, where: number | string): Promise<number> =>
    (await ask(where, '/inside/a.txt', { fields: { 'X-Forwarded-For': address } })).status
  const front = `${portico.folder}/front.sock`
  expect(await from('192.0.2.7', front)).toBe(200)
  expect(await from('192.0.2.66', front)).toBe(403)
  expect(await from('198.51.100.1', front)).toBe(403)
  expect(await from('192.0.2.7', portico.port)).toBe(403)
  expect((await ask(front, '/inside/a.txt')).status).toBe(200)
})

describe('auth', () => {
  const fields = { Authorization: `Basic ${Buffer.from('ann:right').toString('base64')}` }

  test('applications and programs know who it is, and no password', async () => {
    expect((await get('/secret/scope')).status).toBe(401)
    const scope = JSON.parse((await get('/secret/scope', { fields })).text)
    const names = scope.headers.map(([name]: [{ bytes: string }]) => name.bytes)
    expect(scope.headers).toContainEqual([{ bytes: 'remote-user' }, { bytes: 'ann' }])
    expect(names).not.toContain('authorization')
    expect((await get('/cgi/', { fields })).text).toBe('ann Basic []\n')
  })

  test('a server behind gets no password; allow has to let in as well, or instead', async () => {
    const front = `${portico.folder}/front.sock`
    expect((await ask(front, '/passed/')).status).toBe(401)
    expect(await ask(front, '/passed/', { fields })).toMatchObject({ status: 200, text: 'behind' })
    expect(authorization).toBeUndefined()
    expect((await get('/passed/', { fields })).status).toBe(403)
    expect((await ask(front, '/either/')).status).toBe(200)
    expect((await get('/either/')).status).toBe(401)
    expect((await get('/either/', { fields })).status).toBe(200)
  })
})
