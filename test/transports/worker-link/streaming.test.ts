/** Bodies in pieces between visitors and a worker that takes them so. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FrameType, INITIAL_GRANT, INITIAL_WINDOW, REQUEST_MORE } from '../../../src/wire/frames.ts'
import { ask, CutShort, Visitor } from '../../flows/support/visitor.ts'
import { until } from '../../supervisor/site.ts'
import { AppSite, FakeWorker } from './worker.ts'

const { BODY, BODY_END, CANCEL, WINDOW } = FrameType

const post = (length: number | 'chunked'): string =>
  `POST /up HTTP/1.1\r\nHost: a\r\n${length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n\r\n`

test('a request without a body, and one whose body is here, are one frame each', async () => {
  await using site = await AppSite.open()
  const { worker } = site
  using visitor = await Visitor.to(site.port)
  for (const body of [undefined, 'all of it']) {
    const answer = visitor.ask('/', body === undefined ? {} : { body })
    const request = await worker.next()
    expect([request.flags, request.whole.toString()]).toEqual([0, body ?? ''])
    expect(request.contentLength).toBe(body === undefined ? '' : '9')
    request.respond(200, 'fine')
    expect((await answer).text).toBe('fine')
    expect(request.frames).toEqual([])
  }
  // A chunked one has no length, whenever it comes.
  visitor.send(`${post('chunked')}3\r\nabc\r\n0\r\n\r\n`)
  const request = await worker.next()
  expect([request.flags, request.whole.toString(), request.contentLength]).toEqual([0, 'abc', ''])
  request.respond(200)
  expect((await visitor.reply()).status).toBe(200)
})

test.each([true, false])('the head comes before the body; chunked: %s', async (chunked) => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send(post(chunked ? 'chunked' : 6))
  const request = await site.worker.next()
  expect(request.flags).toBe(REQUEST_MORE)
  expect(request.contentLength).toBe(chunked ? '' : '6')
  expect(request.whole).toHaveLength(0)
  visitor.send(chunked ? '3\r\nabc\r\n' : 'abc')
  await request.got(BODY)
  expect(request.body.toString()).toBe('abc')
  // The answer may begin meanwhile.
  request.head(200)
  request.data('so far: abc')
  visitor.send(chunked ? '3\r\ndef\r\n0\r\n\r\n' : 'def')
  await request.got(BODY_END)
  expect(request.body.toString()).toBe('abcdef')
  request.data(' and def')
  request.end()
  const reply = await visitor.reply()
  expect(reply.text).toBe('so far: abc and def')
  // An answer that began before the end of a chunked body is the last of its connection.
  expect(reply.fields.connection).toBe(chunked ? 'close' : undefined)
  if (chunked) return
  const again = visitor.ask('/')
  ;(await site.worker.next()).respond(204)
  expect((await again).status).toBe(204)
})

test('a visitor who waits for 100 Continue gets it when a worker has a place', async () => {
  await using site = await AppSite.open({ worker: { capacity: 1 } })
  const { worker } = site
  using first = await Visitor.to(site.port)
  const busy = first.ask('/busy')
  const inHand = await worker.next()
  using visitor = await Visitor.to(site.port)
  visitor.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n')
  await sleep(50)
  expect(visitor.socket.bytesRead).toBe(0)
  inHand.respond(200)
  await busy
  const request = await worker.next()
  expect(request.flags).toBe(REQUEST_MORE)
  visitor.send('hi')
  await request.got(BODY_END)
  request.respond(200, 'ok')
  expect(await visitor.reply()).toMatchObject({ interim: [100], text: 'ok' })
})

test('a body goes no further than the grant, and waits unread while the request waits', async () => {
  await using site = await AppSite.open({
    worker: { capacity: 1 },
    limits: { body: 100_000_000 },
  })
  const { worker } = site
  using first = await Visitor.to(site.port)
  const busy = first.ask('/busy')
  const inHand = await worker.next()
  using visitor = await Visitor.to(site.port)
  const body = Buffer.alloc(40_000_000, 'x')
  visitor.send(post(body.length)).send(body)
  await sleep(100)
  // In the kernel's buffers and no further.
  expect(visitor.socket.writableLength).toBeGreaterThan(30_000_000)
  inHand.respond(200)
  await busy

  const request = await worker.next()
  await until('the grant to be used up', () => request.body.length === INITIAL_GRANT)
  await sleep(50)
  expect(request.body.length).toBe(INITIAL_GRANT)
  request.grant(1)
  await until('one more', () => request.body.length === INITIAL_GRANT + 1)
  let granted = INITIAL_GRANT + 1
  worker.onFrame = (_, { type, payload }) => {
    if (type !== BODY) return
    granted += payload.length
    request.grant(payload.length)
  }
  request.grant(INITIAL_GRANT)
  await request.got(BODY_END)
  expect(granted).toBeGreaterThan(INITIAL_GRANT)
  expect(request.body.equals(body)).toBe(true)
  request.respond(200)
  expect((await visitor.reply()).status).toBe(200)
}, 20_000)

test('a worker that does not read its link holds the visitors back', async () => {
  await using site = await AppSite.open({ limits: { body: 100_000_000 } })
  const { worker } = site
  const visitors = await Promise.all(Array.from({ length: 40 }, () => Visitor.to(site.port)))
  worker.socket.pause()
  const body = Buffer.alloc(4_000_000, 'y')
  for (const visitor of visitors) visitor.send(post(body.length)).send(body)
  await sleep(300)
  // Each has a grant of 256 KiB, but no more than about 1 MiB is written, and what was in hand.
  const { dispatch } = site
  expect(dispatch.busy).toBe(1)
  const before = process.memoryUsage().arrayBuffers
  await sleep(100)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2_000_000)
  worker.onFrame = (request, { type, payload }) => {
    if (type === BODY) request.grant(payload.length)
    if (type === BODY_END) request.respond(200, String(request.body.length))
  }
  worker.socket.resume()
  for (const visitor of visitors) {
    expect((await visitor.reply()).text).toBe('4000000')
    visitor.leave()
  }
}, 30_000)

test('the answer may come before the body does, and the connection goes on', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send(`${post(20)}0123456789`)
  const request = await site.worker.next()
  request.respond(403, 'no')
  expect((await visitor.reply()).status).toBe(403)
  visitor.send('0123456789GET /next HTTP/1.1\r\nHost: a\r\n\r\n')
  const next = await site.worker.next()
  expect(next.path).toBe('/next')
  next.respond(200)
  expect((await visitor.reply()).status).toBe(200)
  expect(request.of(BODY_END)).toEqual([])
})

test('a visitor that leaves: CANCEL, and the place is free after END', async () => {
  await using site = await AppSite.open({ worker: { capacity: 1 } })
  const { worker } = site
  for (const leave of ['before the answer', 'amid the body', 'amid the answer'] as const) {
    const visitor = await Visitor.to(site.port)
    visitor.send(leave === 'amid the body' ? `${post(10)}abc` : 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const request = await worker.next()
    if (leave === 'amid the answer') {
      request.head(200)
      request.data('some')
      await visitor.read()
    }
    visitor.socket.resetAndDestroy()
    await request.got(CANCEL)
    expect(request.of(CANCEL)).toHaveLength(1)
    expect(request.of(BODY_END)).toEqual([])
    // What crosses is dropped.
    request.data('more')
    request.end({ failed: true })
    await until('the place', () => site.dispatch.busy === 0)
  }
  const answer = ask(site.port, '/')
  ;(await worker.next()).respond(200)
  expect((await answer).status).toBe(200)
})

test('a visitor that leaves while it waits for a place costs none', async () => {
  await using site = await AppSite.open({ worker: { capacity: 1 } })
  const { worker } = site
  const busy = ask(site.port, '/busy')
  const inHand = await worker.next()
  for (const bytes of [`${post(10)}abc`, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n']) {
    const visitor = await Visitor.to(site.port)
    visitor.send(bytes)
    await until('it to wait', () => site.dispatch.waiting > 0)
    visitor.socket.resetAndDestroy()
  }
  await sleep(20)
  worker.onRequest = (request) => {
    if (request.path === '/last') request.respond(200)
  }
  // One whose body lies unread may be found to have left only when it is read.
  worker.onFrame = (request, { type }) => {
    if (type === CANCEL) request.end({ failed: true })
  }
  const last = ask(site.port, '/last')
  inHand.respond(200)
  expect([(await busy).status, (await last).status]).toEqual([200, 200])
  await until('the place', () => site.dispatch.busy === 0)
})

test.each([
  ['too large', `${post('chunked')}80\r\n${'a'.repeat(128)}\r\n`, 413],
  ['malformed', `${post('chunked')}3\r\nabc\r\nzz\r\n`, 400],
  ['cut short', `${post(10)}abc`, 499],
] as const)('a body that is %s: CANCEL, and the gateway answers', async (_, bytes, status) => {
  await using site = await AppSite.open({ limits: { body: 100 } })
  using visitor = await Visitor.to(site.port)
  const [head, rest] = bytes.split('\r\n\r\n', 2)
  visitor.send(`${head}\r\n\r\n`)
  const request = await site.worker.next()
  visitor.send(bytes.slice(head!.length + 4))
  expect(rest).toBeDefined()
  if (status === 499) visitor.socket.end()
  expect((await visitor.reply()).status).toBe(status)
  await request.got(CANCEL)
  request.end({ failed: true })
  await until('the place', () => site.dispatch.busy === 0)
})

test('a body that breaks after the answer has begun cuts the answer', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send(post('chunked'))
  const request = await site.worker.next()
  request.head(200)
  request.data('some')
  await visitor.read()
  visitor.send('zz\r\n')
  await request.got(CANCEL)
  expect((await visitor.end()).toString()).not.toContain('\r\n0\r\n\r\n')
})

test('a body that breaks in the same read never reaches the worker', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send(`${post('chunked')}zz\r\n`)
  expect((await visitor.reply()).status).toBe(400)
  await until('the place', () => site.dispatch.busy === 0)
  expect(site.worker.requests).toEqual([])
})

test('a visitor that is far too slow holds the worker back by its window', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const request = await site.worker.next()
  request.head(200)
  const part = Buffer.alloc(262_144, 'z')
  let window = INITIAL_WINDOW
  let sent = 0
  const total = 80 * part.length
  const go = (): void => {
    for (; window > 0 && sent < total; sent += part.length, window -= part.length)
      request.data(part)
    if (sent === total) request.end()
  }
  site.worker.onFrame = (_, { type, payload }) => {
    if (type !== WINDOW) return
    window += payload.readUInt32LE(0)
    go()
  }
  go()
  await sleep(200)
  expect(sent).toBeLessThan(total)
  expect((await visitor.reply()).body.length).toBe(total)
})

test('a head goes out at once, whenever the body comes', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
  const request = await site.worker.next()
  request.head(200, 'Content-Type: text/event-stream\r\n')
  expect(String(await visitor.read())).toMatch(
    /^HTTP\/1.1 200 OK\r\n[\s\S]*event-stream[\s\S]*\r\n\r\n$/,
  )
  request.data('data: 1\n\n')
  expect(String(await visitor.read())).toBe('9\r\ndata: 1\n\n\r\n')
})

test('early hints and trailers', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n')
  const request = await site.worker.next()
  request.inform(103, 'Link: </a.css>; rel=preload\r\nTransfer-Encoding: chunked\r\n')
  request.inform(101, 'Upgrade: tls\r\n')
  request.inform(103, 'Link: bad\nvalue\r\n')
  request.head(200)
  request.data('body')
  request.end({
    trailers: 'X-Sum: 1\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nTransfer-Encoding: chunked\r\n',
  })
  let text = ''
  while (!text.includes('X-Sum')) text += await visitor.read()
  expect(text).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n\r\n/)
  expect(text).not.toMatch(/bad|Upgrade/)
  expect(text).toMatch(/\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n$/)
})

test.each(['X-Sum 1\r\n', 'X-Sum: 1', 'X: a\r\n\r\nHTTP/1.1 200 OK\r\n', 'X: a\0b\r\n'])(
  'malformed trailers are not said: %j',
  async (trailers) => {
    await using site = await AppSite.open()
    using visitor = await Visitor.to(site.port)
    const answer = visitor.ask('/')
    const request = await site.worker.next()
    request.head(200)
    request.data('body')
    request.end({ trailers })
    expect((await answer).text).toBe('body')
    expect(visitor.socket.bytesRead).toBeLessThan(200)
  },
)

test('what cannot be a FILE any more is sent as DATA', async () => {
  await using site = await AppSite.open()
  const answer = ask(site.port, '/')
  const request = await site.worker.next()
  request.head(200)
  await sleep(20)
  site.worker.send(FrameType.FILE, request.id, { payload: Buffer.alloc(17) })
  expect((await request.got(FrameType.OPENED)).flags).toBe(1)
  request.data('bytes')
  request.end()
  expect((await answer).text).toBe('bytes')
})

test('gathers bodies until the first worker says that it streams', async () => {
  await using site = await AppSite.open({ empty: true })
  const body = 'b'.repeat(70_000)
  const answer = ask(site.port, '/', { body })
  await until('the request', () => site.dispatch.waiting === 1)
  const worker = await site.connect()
  const request = await worker.next()
  expect(request.flags).toBe(1)
  expect(request.contentLength).toBe('70000')
  request.respond(200)
  expect((await answer).status).toBe(200)
})

test('a worker that does not stream gets whole bodies', async () => {
  await using site = await AppSite.open({ worker: { streams: false } })
  using visitor = await Visitor.to(site.port)
  visitor.send(`${post(6)}abc`)
  await sleep(50)
  expect(site.worker.requests).toEqual([])
  visitor.send('def')
  const request = await site.worker.next()
  expect([request.flags, request.whole.toString()]).toEqual([0, 'abcdef'])
  request.respond(200)
  expect((await visitor.reply()).status).toBe(200)
})

test('a body that waits in the queue for a worker of the other kind', async () => {
  await using site = await AppSite.open({ worker: { capacity: 1 } })
  using first = await Visitor.to(site.port)
  first.send('GET /busy HTTP/1.1\r\nHost: a\r\n\r\n')
  await site.worker.next()
  const visitors = [await Visitor.to(site.port), await Visitor.to(site.port)]
  visitors[0]!.send(`${post(6)}abc`)
  visitors[1]!.send(`${post(6)}abcdef`)
  await until('both', () => site.dispatch.waiting === 2)
  site.worker.die()
  await until('its end', () => site.dispatch.workers === 0)
  const worker = await site.connect({ streams: false, capacity: 2 })
  expect((await visitors[0]!.reply()).status).toBe(503)
  const request = await worker.next()
  expect(request.whole.toString()).toBe('abcdef')
  request.respond(200)
  expect((await visitors[1]!.reply()).status).toBe(200)
  for (const visitor of visitors) visitor.leave()
})

test('many requests share a write, and their answers a read', async () => {
  await using site = await AppSite.open()
  const { worker } = site
  worker.onRequest = (request) => {
    if (request.path !== '/held') request.respond(200, request.path)
  }
  const count = 200
  const held = ask(site.port, '/held')
  const visitors = await Promise.all(Array.from({ length: count }, () => Visitor.to(site.port)))
  await worker.next()
  await Promise.all(visitors.map((visitor) => visitor.ask('/first')))
  const readsBefore = worker.reads
  const answers = visitors.map((visitor, n) => visitor.ask(`/${n}`))
  expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(
    visitors.map((_, n) => `/${n}`),
  )
  expect(worker.reads - readsBefore).toBeLessThan(count / 10)
  worker.requests[0]!.respond(200)
  await held
  for (const visitor of visitors) visitor.leave()
})

test('the load is shared between workers with many places', async () => {
  await using site = await AppSite.open()
  const other = await site.connect({ slot: 1 })
  const visitors = await Promise.all(Array.from({ length: 40 }, () => Visitor.to(site.port)))
  for (const visitor of visitors) visitor.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('all', () => site.worker.requests.length + other.requests.length === 40)
  expect(site.worker.requests).toHaveLength(20)
  for (const visitor of visitors) visitor.leave()
})

test('a worker that dies: what is safe to repeat and unanswered goes to another, once', async () => {
  await using site = await AppSite.open()
  const { worker } = site
  const paths = ['GET /a', 'GET /b', 'POST /c', 'GET /begun']
  const visitors = await Promise.all(paths.map(() => Visitor.to(site.port)))
  paths.forEach((path, i) => {
    visitors[i]!.send(`${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
  })
  await until('all', () => worker.requests.length === 4)
  const begun = worker.requests.find(({ path }) => path === '/begun')!
  begun.head(200)
  begun.data('some')
  await visitors[3]!.read()
  worker.die()
  expect((await visitors[2]!.reply('POST')).status).toBe(502)
  expect((await visitors[3]!.end()).toString()).not.toContain('\r\n0\r\n\r\n')
  const next = await site.connect()
  await until('what is repeated', () => next.requests.length === 2)
  next.requests.find(({ path }) => path === '/a')!.respond(200, 'a')
  expect((await visitors[0]!.reply()).text).toBe('a')
  next.die()
  expect((await visitors[1]!.reply()).status).toBe(502)
})

test('a worker that dies with one request: that may have been why', async () => {
  await using site = await AppSite.open()
  const answer = ask(site.port, '/')
  await site.worker.next()
  site.worker.die()
  expect((await answer).status).toBe(502)
})

test('a worker that dies amid a body: 502, and the connection is of no use any more', async () => {
  await using site = await AppSite.open()
  using visitor = await Visitor.to(site.port)
  visitor.send(`${post(1_000_000)}abc`)
  await site.worker.next()
  site.worker.die()
  const reply = await visitor.reply()
  expect([reply.status, reply.fields.connection]).toEqual([502, 'close'])
})

test('the deadline: 504 and CANCEL; a worker that lets go of it keeps the others', async () => {
  await using site = await AppSite.open({ app: { deadlineMs: 300 } })
  const { worker } = site
  const slow = ask(site.port, '/slow')
  const request = await worker.next()
  using events = await Visitor.to(site.port)
  events.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
  const stream = await worker.next()
  stream.head(200)
  await events.read()
  expect((await slow).status).toBe(504)
  await request.got(CANCEL)
  request.end({ failed: true })
  await sleep(3_000)
  expect(site.stuck).toEqual([])
  expect(site.dispatch.counts.errors).toBe(1)
  stream.data('still here')
  expect(String(await events.read())).toContain('still here')
})

test('the deadline: a worker that does not let go is stuck', async () => {
  await using site = await AppSite.open({ app: { deadlineMs: 300 } })
  const slow = ask(site.port, '/slow')
  await site.worker.next()
  expect((await slow).status).toBe(504)
  expect(site.stuck).toEqual([])
  await until('the report', () => site.stuck.length > 0)
  expect(site.stuck).toMatchObject([{ slot: 0, pid: 1, request: 'GET /slow' }])
  expect(site.stuck[0]!.elapsedMs).toBeGreaterThan(2_000)
  expect(site.dispatch.counts.errors).toBe(1)
})

test('the deadline does not run while the visitor sends its body', async () => {
  await using site = await AppSite.open({ app: { deadlineMs: 400 } })
  using visitor = await Visitor.to(site.port)
  visitor.send(post(10))
  const request = await site.worker.next()
  for (const byte of '0123456789') {
    await sleep(100)
    visitor.send(byte)
  }
  await request.got(BODY_END)
  request.respond(200)
  expect((await visitor.reply()).status).toBe(200)
})

test('a visitor that cannot send because the worker takes nothing gets 504', async () => {
  await using site = await AppSite.open({
    app: { deadlineMs: 300 },
    limits: { body: 100_000_000 },
  })
  using visitor = await Visitor.to(site.port)
  visitor.send(post(20_000_000)).send(Buffer.alloc(20_000_000))
  await site.worker.next()
  expect((await visitor.reply()).status).toBe(504)
})

test('a worker that lies about its frames loses its link, and the visitors get an answer', async () => {
  for (const [type, payload] of [
    [FrameType.SEND, 'x'],
    [FrameType.ACCEPT, ''],
    [FrameType.SHUT, 'xx'],
    [99, ''],
  ] as const) {
    await using site = await AppSite.open()
    const answer = ask(site.port, '/')
    const request = await site.worker.next()
    site.worker.send(type, request.id, { payload: Buffer.from(payload) })
    expect((await answer).status).toBe(502)
  }
})

test('hello says how many at a time, within reason', async () => {
  await using site = await AppSite.open({ empty: true })
  for (const capacity of [0, -1, 1.5, 100_001]) {
    const worker = await FakeWorker.connect(site.linkPath, { capacity })
    await once(worker.socket, 'close')
  }
  await site.connect({ capacity: 100_000 })
})

test('CutShort is what a cut answer looks like', async () => {
  await using site = await AppSite.open()
  const answer = ask(site.port, '/')
  const request = await site.worker.next()
  request.head(200, '', 10)
  request.data('some')
  await sleep(20)
  request.end({ failed: true })
  await expect(answer).rejects.toThrow(CutShort)
})
