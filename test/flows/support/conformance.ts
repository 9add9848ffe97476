/**
 * What a visitor may expect of an application, whatever stands between the two: one suite for every
 * pair of gateway and transport. The application is `apps/conformance.py`; call `conforms` inside a
 * `describe`.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../../supervisor/site.ts'
import { type Ask, ask, CutShort, type Reply, Visitor } from './visitor.ts'

/** What some pair cannot do, for a reason that is not ours. */
export type Feature =
  /** Bodies in chunks, without a length. */
  | 'chunked uploads'
  /** `%2F` in a path is another thing than `/`. */
  | 'encoded slashes'
  /** A path with `%25`, `?` and `#` encoded. */
  | 'encoded delimiters'
  /** A path that is no UTF-8. */
  | 'bytes in paths'
  /** Parts of an answer as they come. */
  | 'streaming'
  /** Fields of an answer with bytes above 0x7f. */
  | 'latin-1 fields'
  /** A body cut short looks like it. */
  | 'cuts'
  /** The Content-Length of an answer. */
  | 'lengths'
  /** A 500 of its own for an application that raises. */
  | 'failures'

export interface Pair {
  /** A port of this machine or a unix socket; asked for when the first test runs. */
  readonly at: () => number | string
  /** The folder that the application has as LEFT in its environment. */
  readonly left: () => string
  /** The Host field; `localhost` by default. */
  readonly host?: string
  /** Path of the application; '' by default. */
  readonly mount?: string
  readonly cannot?: readonly Feature[]
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** From the first part of a drip to the last it takes 750 ms; some of it may pass before the first is seen. */
const DRIP_MS = 100
const PATTERN = Buffer.from(Array.from({ length: 256 }, (_, i) => i))

export function conforms(pair: Pair): void {
  const { host = 'localhost', mount = '' } = pair
  const unable = (feature: Feature): boolean => pair.cannot?.includes(feature) ?? false
  const get = (path: string, request: Ask = {}): Promise<Reply> =>
    ask(pair.at(), mount + path, { ...request, fields: { Host: host, ...request.fields } })
  const report = async (path: string, request: Ask = {}): Promise<Record<string, unknown>> =>
    JSON.parse((await get(path, request)).text)

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    'method %s',
    async (method) => {
      const body = method === 'GET' || method === 'OPTIONS' ? {} : { body: 'abc' }
      expect(await report('/report', { method, ...body })).toMatchObject({
        REQUEST_METHOD: method,
        length: 'body' in body ? 3 : 0,
      })
    },
  )

  test('HEAD has the head of GET and no body', async () => {
    const { status, fields, body } = await get('/sized?size=1000', { method: 'HEAD' })
    expect([status, body.length]).toEqual([200, 0])
    if (!unable('lengths')) expect(fields['content-length']).toBe('1000')
    expect(fields['content-type']).toBe('image/x-test')
  })

  test.each([
    ['/report', '/report', ''],
    ['/report/a%20b+c', '/report/a b+c', ''],
    ['/report/%C3%A9%FF', '/report/\xc3\xa9\xff', '', 'bytes in paths'],
    ["/report/-._~!$&'()*,;=:@", "/report/-._~!$&'()*,;=:@", ''],
    ['/report/x?q=%20+&r&%C3%A9=%2F?#', '/report/x', 'q=%20+&r&%C3%A9=%2F?'],
    ['/report/%3F%23%25?%3F', '/report/?#%', '%3F', 'encoded delimiters'],
    ['/report/a%2Fb', '/report/a/b', '', 'encoded slashes'],
  ] as const)('path %s', async (path, seen, query, feature?: Feature) => {
    if (feature !== undefined && unable(feature)) return
    expect(await report(path.replace('#', ''))).toMatchObject({
      PATH_INFO: seen,
      QUERY_STRING: query,
    })
  })

  test('fields of a request', async () => {
    const seen = await report('/report', {
      fields: {
        'X-Plain': 'a  b',
        'x-lower': '"q", w',
        Cookie: 'a=1; b=2',
        'X-Long': 'x'.repeat(3000),
        Proxy: 'http://evil/',
        Accept: '*/*',
        ...Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`X-${i}`, String(i)])),
      },
    })
    expect(seen).toMatchObject({
      HTTP_X_PLAIN: 'a  b',
      HTTP_X_LOWER: '"q", w',
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_X_LONG: 'x'.repeat(3000),
      HTTP_X_39: '39',
      REMOTE_ADDR: '127.0.0.1',
      scheme: 'http',
    })
    expect(String(seen.HTTP_HOST)).toContain(host)
    expect(seen).not.toHaveProperty('HTTP_PROXY')
  })

  test('fields of an answer', async () => {
    const { fields } = await get(unable('latin-1 fields') ? '/fields' : '/fields?latin=1')
    expect(fields).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'set-cookie': 'a=1; Path=/\nb=2, c; Path=/',
      'x-long': 'x'.repeat(3000),
      ...(unable('latin-1 fields') ? {} : { 'x-latin': '\xe9' }),
    })
    expect(fields.date).toMatch(/GMT$/)
  })

  test.each([
    '200 OK',
    '201 Created',
    '204 No Content',
    '302 Found',
    '304 Not Modified',
    '400 Bad Request',
    '404 Not Found',
    '418 I am a teapot',
    '500 Internal Server Error',
    '503 Service Unavailable',
  ])('status %s', async (status) => {
    const reply = await get(`/status?is=${encodeURIComponent(status)}`)
    expect(reply.status).toBe(Number(status.slice(0, 3)))
    expect(reply.fields['x-status']).toBe(status)
    expect(reply.text).toBe(/^[23]04/.test(status) ? '' : 'body')
  })

  test.each([0, 1, 4_000, 70_000, 3_000_000])('a body of %i bytes both ways', async (size) => {
    const body = randomBytes(size)
    const reply = await get('/echo', { method: 'POST', body })
    if (!unable('lengths')) expect(reply.fields['content-length']).toBe(String(size))
    expect(sha256(reply.body)).toBe(sha256(body))
  })

  test.each([0, 5, 300_000])('a body of %i bytes in chunks', async (size) => {
    if (unable('chunked uploads')) return
    const body = randomBytes(size)
    using visitor = await Visitor.to(pair.at())
    visitor.send(
      `POST ${mount}/report HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const reply = await visitor.sendChunks(body, 70_000).reply('POST')
    expect(JSON.parse(reply.text)).toMatchObject({ length: size, sha256: sha256(body) })
  })

  test.each(['sized', 'unsized'])('an answer of 5 MB, %s', async (kind) => {
    const { body } = await get(`/${kind}?size=5000000`)
    expect(sha256(body)).toBe(sha256(Buffer.alloc(5_000_000, PATTERN)))
  })

  test('parts of an answer come as they are made', async () => {
    if (unable('streaming')) return
    using visitor = await Visitor.to(pair.at())
    visitor.send(`GET ${mount}/drip HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    let seen = ''
    while (!seen.includes('part 0')) seen += (await visitor.read())?.toString() ?? 'part 0 never'
    const first = performance.now()
    expect(seen).not.toContain('part 3')
    while (!seen.includes('part 3')) seen += (await visitor.read())?.toString() ?? 'part 3 never'
    expect(seen).not.toContain('never')
    // Had anybody held them back they would have come together, however busy this machine is.
    expect(performance.now() - first).toBeGreaterThan(DRIP_MS)
  })

  test('an application notices that its visitor has left', async () => {
    const token = randomBytes(8).toString('hex')
    const visitor = await Visitor.to(pair.at())
    visitor.send(`GET ${mount}/endless?token=${token} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    expect(await visitor.read()).not.toBeNull()
    visitor.leave()
    await until('the application to notice', () => existsSync(join(pair.left(), token)), 15_000)
  })

  test('a failure is one, and the next request is not', async () => {
    expect((await get('/raises')).status).toBe(unable('failures') ? 502 : 500)
    expect((await get('/echo', { body: 'on' })).text).toBe('on')
  })

  test('what is cut short does not look whole', async () => {
    if (unable('cuts')) return
    const outcome = await get('/short').catch((error: unknown) => error)
    if (outcome instanceof CutShort) return
    expect(outcome).toMatchObject({ status: expect.toSatisfy((status: number) => status >= 500) })
  })

  test('many on one connection, each with its own answer', async () => {
    using visitor = await Visitor.to(pair.at())
    for (let i = 0; i < 20; i++) {
      const body = i % 3 === 0 ? {} : { body: `body ${i}` }
      const reply = await visitor.ask(`${mount}/report/${i}`, { ...body, fields: { Host: host } })
      expect(JSON.parse(reply.text)).toMatchObject({
        PATH_INFO: `/report/${i}`,
        sha256: sha256(Buffer.from(body.body ?? '')),
      })
    }
  })

  test('many at once, each with its own answer', async () => {
    const bodies = Array.from({ length: 30 }, (_, i) => randomBytes(i * 1500))
    const replies = await Promise.all(bodies.map((body) => get('/echo', { method: 'POST', body })))
    expect(replies.map(({ body }) => sha256(body))).toEqual(bodies.map(sha256))
  })
}
