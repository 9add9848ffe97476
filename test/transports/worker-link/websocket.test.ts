/** WebSockets between visitors and a worker: what is said, and every way to end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { unfinished } from '../../../src/transports/worker-link/bridge.ts'
import { FrameType, INITIAL_GRANT, REQUEST_WEBSOCKET, TEXT } from '../../../src/wire/frames.ts'
import { CloseCode, Opcode } from '../../../src/wire/websocket.ts'
import { until } from '../../supervisor/site.ts'
import { handshake, refused, WebSocketVisitor } from './websocket-visitor.ts'
import { AppSite, type AppSiteOptions, type Request } from './worker.ts'

const { CANCEL, MESSAGE, WINDOW } = FrameType

interface Open extends AsyncDisposable {
  readonly site: AppSite
  readonly visitor: WebSocketVisitor
  readonly request: Request
}

/** A site, and a WebSocket that its worker has accepted. */
async function opened(options: AppSiteOptions = {}): Promise<Open> {
  const site = await AppSite.open(options)
  const { visitor, request } = await join(site)
  return {
    site,
    visitor,
    request,
    [Symbol.asyncDispose]: async () => {
      visitor[Symbol.dispose]()
      await site[Symbol.asyncDispose]()
    },
  }
}

async function join(site: AppSite): Promise<{ visitor: WebSocketVisitor; request: Request }> {
  let request: Request | null = null
  const visitor = await WebSocketVisitor.open(site.port, async () => {
    request = await site.worker.next()
    request.accept()
  })
  return { visitor, request: request! }
}

const closed = (request: Request): Promise<{ code: number; reason: string }> =>
  until('CLOSE', () => request.closed ?? false)
const free = (site: AppSite): Promise<unknown> => until('the place', () => site.dispatch.busy === 0)

const now = performance.now.bind(performance)
let ahead = 0

afterEach(() => {
  vi.restoreAllMocks()
  ahead = 0
})

/** All clocks go forward. */
function later(ms: number): void {
  if (ahead === 0) vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead)
  ahead += ms
}

test('a WebSocket: the request, the 101, messages both ways, the end', async () => {
  await using site = await AppSite.open()
  let request: Request | null = null
  using visitor = await WebSocketVisitor.open(
    site.port,
    async () => {
      request = await site.worker.next()
      expect(request.flags).toBe(REQUEST_WEBSOCKET)
      expect(request.fields.HTTP_SEC_WEBSOCKET_PROTOCOL).toBe('chat, other')
      request.accept(
        'Sec-WebSocket-Protocol: chat\r\nX-More: 1\r\nSec-WebSocket-Accept: no\r\nSec-WebSocket-Extensions: permessage-deflate\r\nConnection: close\r\nContent-Length: 3\r\n',
      )
    },
    'Sec-WebSocket-Protocol: chat, other\r\nSec-WebSocket-Extensions: permessage-deflate\r\n',
  )
  const { head } = visitor
  expect(head).toMatch(/\r\nSec-WebSocket-Protocol: chat\r\nX-More: 1\r\n/)
  expect(head).not.toMatch(/deflate|Accept: no|close|Content-Length/)
  const got: Request = request!
  visitor.say('hello').frame(Opcode.BINARY, Buffer.of(1, 2, 3))
  await got.got(MESSAGE, 2)
  expect(got.frames.map(({ flags, payload }) => [flags, payload.toString('hex')])).toEqual([
    [TEXT, '68656c6c6f'],
    [0, '010203'],
  ])
  got.message('world')
  got.message(Buffer.from('bytes'))
  got.message('')
  await until('messages', () => visitor.messages.length === 3)
  expect(visitor.messages).toEqual(['world', 'bytes', ''])
  visitor.sayClose(1000, 'bye')
  expect(await closed(got)).toEqual({ code: 1000, reason: 'bye' })
  await visitor.end()
  expect(visitor.close).toEqual({ code: 1000, reason: '' })
  expect(site.dispatch.busy).toBe(1)
  got.end()
  await free(site)
})

test('what was sent with the handshake is not lost', async () => {
  await using site = await AppSite.open()
  using visitor = await WebSocketVisitor.open(site.port, async () => {
    const request = await site.worker.next()
    request.accept()
    request.message('at once')
  })
  await until('the message', () => visitor.messages[0] === 'at once')
})

test.each([403, 404, 500])('what is not accepted is an answer: %d', async (status) => {
  await using site = await AppSite.open()
  const reply = await refused(site.port, handshake(), async () => {
    ;(await site.worker.next()).respond(status, 'no', 'X-Why: so\r\n')
  })
  expect(reply).toMatchObject({ status, text: 'no', fields: { 'x-why': 'so' } })
  await free(site)
})

test.each([
  ['another version', handshake().replace('Version: 13', 'Version: 8'), 426],
  ['no version', handshake().replace(/Sec-WebSocket-Version.*\r\n/, ''), 400],
  ['no key', handshake().replace(/Sec-WebSocket-Key.*\r\n/, ''), 400],
  ['a bad key', handshake().replace('dGhl', 'd Gh'), 400],
  ['a POST', handshake().replace('GET', 'POST'), 400],
  ['a body', handshake('/', 'Content-Length: 0\r\n').replace(': 0', ': 1').concat('x'), 400],
])('a handshake with %s is answered by us', async (_, request, status) => {
  await using site = await AppSite.open()
  const reply = await refused(site.port, request)
  expect(reply.status).toBe(status)
  expect(reply.fields['sec-websocket-version']).toBe(status === 426 ? '13' : undefined)
  expect(site.worker.requests).toEqual([])
})

test('a worker that does not stream sees the request as it is', async () => {
  await using site = await AppSite.open({ worker: { streams: false } })
  const reply = await refused(site.port, handshake(), async () => {
    const request = await site.worker.next()
    expect([request.flags, request.fields.HTTP_UPGRADE]).toEqual([0, 'websocket'])
    request.respond(200)
  })
  expect(reply.status).toBe(200)
})

test.each([true, false])(
  'asked for before the first worker came; it streams: %s',
  async (streams) => {
    await using site = await AppSite.open({ empty: true })
    const reply = refused(site.port, handshake())
    await until('the request', () => site.dispatch.waiting === 1)
    const worker = await site.connect({ streams })
    const request = await worker.next()
    expect(request.flags).toBe(streams ? REQUEST_WEBSOCKET : 0)
    request.respond(403)
    expect((await reply).status).toBe(403)
  },
)

test('pings are answered, the last of many will do; pongs say nothing', async () => {
  await using open = await opened()
  const { visitor, request } = open
  visitor.frame(Opcode.PING, 'are you there').frame(Opcode.PONG, 'unasked').say('on')
  await until('the pong', () => visitor.pongs.length > 0)
  expect(visitor.pongs).toEqual(['are you there'])
  await request.got(MESSAGE)
  // Many that nobody reads the answers of.
  visitor.socket.pause()
  for (let i = 0; i < 20_000; i++) visitor.frame(Opcode.PING, `${i}`.padEnd(125))
  visitor.say('last')
  await request.got(MESSAGE, 2)
  visitor.socket.resume()
  await until('the last pong', () => visitor.pongs.at(-1)?.trim() === '19999')
})

test('fragments are put together, with pings between them', async () => {
  await using open = await opened()
  const { visitor, request } = open
  visitor.frame(Opcode.TEXT, 'one ', false).frame(Opcode.PING, 'p')
  await until('the pong', () => visitor.pongs[0] === 'p')
  visitor.frame(Opcode.CONTINUATION, 'two ', false).frame(Opcode.CONTINUATION, 'three')
  await request.got(MESSAGE)
  expect(request.messages).toEqual(['one two three'])
})

test.each([
  ['a reserved bit', Buffer.of(0xc1, 0x80, 0, 0, 0, 0), CloseCode.PROTOCOL_ERROR],
  ['no mask', Buffer.of(0x81, 0x00), CloseCode.PROTOCOL_ERROR],
  ['an unknown opcode', Buffer.of(0x83, 0x80, 0, 0, 0, 0), CloseCode.PROTOCOL_ERROR],
  ['text that is no UTF-8', Buffer.of(0x81, 0x81, 0, 0, 0, 0, 0xff), CloseCode.NOT_UTF8],
  ['too large', Buffer.of(0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0), CloseCode.TOO_LARGE],
  ['a close code of nobody', Buffer.of(0x88, 0x82, 0, 0, 0, 0, 3, 0xed), CloseCode.PROTOCOL_ERROR],
  ['no WebSocket at all', Buffer.from('GET / HTTP/1.1\r\n\r\n'), CloseCode.PROTOCOL_ERROR],
] as const)('a visitor that breaks the protocol is told: %s', async (_, bytes, code) => {
  await using open = await opened()
  const { visitor, request, site } = open
  visitor.say('fine').raw(bytes).say('never')
  expect((await closed(request)).code).toBe(code)
  await visitor.end()
  expect(visitor.close?.code).toBe(code)
  expect(request.messages).toEqual(['fine'])
  // The worker may still be speaking.
  request.message('too late')
  request.end()
  await free(site)
})

test('the worker shuts: the visitor is told, and has its say', async () => {
  await using open = await opened()
  const { visitor, request, site } = open
  request.message('last')
  request.shut(4001, 'go away')
  request.message('after the end')
  expect(await closed(request)).toEqual({ code: 4001, reason: 'go away' })
  request.end()
  await free(site)
  await until('the close', () => visitor.close !== null)
  expect([visitor.messages, visitor.close]).toEqual([['last'], { code: 4001, reason: 'go away' }])
  visitor.say('crossing')
  await sleep(20)
  expect(visitor.ended).toBe(false)
  visitor.sayClose(4001)
  await visitor.end()
  expect(request.messages).toEqual([])
})

test('both sides close at once', async () => {
  await using open = await opened()
  const { visitor, request, site } = open
  visitor.sayClose(1001)
  request.shut(1000)
  expect([1000, 1001]).toContain((await closed(request)).code)
  await visitor.end()
  request.end()
  await free(site)
  expect(request.of(FrameType.CLOSE)).toHaveLength(1)
})

test.each([
  ['ends', false, CloseCode.NORMAL],
  ['fails', true, CloseCode.INTERNAL],
] as const)('the application %s without a word', async (_, failed, code) => {
  await using open = await opened()
  const { visitor, request, site } = open
  request.end({ failed })
  await until('the close', () => visitor.close !== null)
  expect(visitor.close).toEqual({ code, reason: '' })
  visitor.sayClose(code)
  await visitor.end()
  await free(site)
  expect(request.frames).toEqual([])
})

test.each([1004, 1005, 1006, 1015, 2000, 0])('a code that nobody may send: %d', async (code) => {
  await using open = await opened()
  open.request.shut(code, 'x')
  await until('the close', () => open.visitor.close !== null)
  expect(open.visitor.close?.code).toBe(code === 1005 ? 1005 : 1011)
})

test('a visitor that never closes its side does not hold us for ever', async () => {
  await using open = await opened()
  open.request.shut(1000)
  await until('the close', () => open.visitor.close !== null)
  later(11_000)
  await open.visitor.end()
})

test.each(['reset', 'FIN'])('a connection that is lost without a close: %s', async (how) => {
  await using open = await opened()
  const { visitor, request, site } = open
  visitor.say('last')
  await request.got(MESSAGE)
  if (how === 'FIN') visitor.socket.end()
  else visitor.socket.resetAndDestroy()
  expect(await closed(request)).toEqual({ code: 1006, reason: '' })
  expect(request.of(CANCEL)).toEqual([])
  request.message('to nobody')
  request.end()
  await free(site)
})

test('a visitor that leaves before the worker has decided', async () => {
  await using site = await AppSite.open()
  const attempt = refused(site.port, handshake(), async () => {
    await site.worker.next()
    throw new Error('left')
  })
  await expect(attempt).rejects.toThrow('left')
  const [request] = site.worker.requests
  // It left by FIN: told after a while only; the worker accepts meanwhile.
  request!.accept()
  expect((await closed(request!)).code).toBe(1006)
  request!.end()
  await free(site)
})

test('the worker dies: the visitor is told, and others go on', async () => {
  await using open = await opened()
  const { site, visitor } = open
  const other = await site.connect({ slot: 1 })
  site.worker.die()
  await until('the close', () => visitor.close !== null)
  expect(visitor.close?.code).toBe(CloseCode.INTERNAL)
  visitor.sayClose(CloseCode.INTERNAL)
  await visitor.end()
  expect(other.requests).toEqual([])
})

test('a worker that leaves: its WebSockets end with 1012, and new ones at once', async () => {
  await using open = await opened()
  const { site, visitor, request } = open
  const late = await join(site)
  site.worker.send(FrameType.LEAVING, 0)
  for (const one of [{ visitor, request }, late]) {
    expect((await closed(one.request)).code).toBe(CloseCode.RESTART)
    await until('the close', () => one.visitor.close !== null)
    expect(one.visitor.close?.code).toBe(CloseCode.RESTART)
    one.visitor.sayClose(CloseCode.RESTART)
    await one.visitor.end()
  }
  await until('QUIT', () => site.worker.quit)
  late.visitor[Symbol.dispose]()
})

test('accepted after the worker was told to go: 1012 as well', async () => {
  await using site = await AppSite.open()
  using visitor = await WebSocketVisitor.open(site.port, async () => {
    const request = await site.worker.next()
    site.worker.send(FrameType.LEAVING, 0)
    request.accept()
  })
  await until('the close', () => visitor.close?.code === CloseCode.RESTART)
})

test('a server that drains ends WebSockets and opens no more', async () => {
  await using open = await opened()
  const { site, visitor, request } = open
  site.dispatch.drain()
  expect((await closed(request)).code).toBe(CloseCode.RESTART)
  await until('the close', () => visitor.close?.code === CloseCode.RESTART)
  expect((await refused(site.port, handshake())).status).toBe(503)
})

test('a silent visitor is pinged, and lost when it does not answer', async () => {
  await using open = await opened()
  const { visitor, request } = open
  later(21_000)
  await until('a ping', () => visitor.pings.length === 1)
  visitor.frame(Opcode.PONG)
  later(21_000)
  await until('another', () => visitor.pings.length === 2)
  expect(visitor.close).toBe(null)
  later(21_000)
  expect((await closed(request)).code).toBe(CloseCode.INTERNAL)
  await visitor.end()
  expect(visitor.close).toEqual({ code: CloseCode.INTERNAL, reason: 'no answer to a ping' })
})

test('a WebSocket has no deadline once it is open', async () => {
  await using open = await opened({ app: { deadlineMs: 300 } })
  await sleep(1_000)
  open.visitor.say('still here')
  await open.request.got(MESSAGE)
  expect(open.site.stuck).toEqual([])
})

test('one that is not accepted in time: 504', async () => {
  await using site = await AppSite.open({ app: { deadlineMs: 300 } })
  const reply = await refused(site.port, handshake(), () => site.worker.next())
  expect(reply.status).toBe(504)
  await site.worker.requests[0]!.got(CANCEL)
  site.worker.requests[0]!.accept()
  site.worker.requests[0]!.end({ failed: true })
  await free(site)
})

test('10,000 messages each way', async () => {
  await using open = await opened()
  const { visitor, request, site } = open
  site.worker.onFrame = (_, { type, payload }) => {
    if (type === MESSAGE) request.grant(payload.length)
  }
  const count = 10_000
  const messages = Array.from({ length: count }, (_, i) => `message ${i} ${'x'.repeat(i % 100)}`)
  const began = performance.now()
  const { reads } = site.worker
  visitor.say(...messages)
  await request.got(MESSAGE, count)
  const up = performance.now() - began
  expect(request.messages).toEqual(messages)
  expect(site.worker.reads - reads).toBeLessThan(count / 50)
  for (const message of messages) request.message(message)
  await until('all of them', () => visitor.messages.length === count)
  expect(visitor.messages).toEqual(messages)
  const down = performance.now() - began - up
  // In one process with its tests; a write for each would take longer than this.
  expect(up + down).toBeLessThan(3_000)
}, 20_000)

test('a large message, both ways', async () => {
  await using open = await opened()
  const { visitor, request } = open
  const large = Buffer.alloc(16_777_216, 'large ')
  visitor.frame(Opcode.BINARY, large)
  const frame = await request.got(MESSAGE)
  expect(frame.payload.equals(large)).toBe(true)
  request.message(large.toString())
  await until('it', () => visitor.messages[0]?.length === large.length)
}, 20_000)

test('a visitor that is faster than the worker waits', async () => {
  await using open = await opened()
  const { visitor, request } = open
  const message = 'm'.repeat(1_000)
  const count = 20_000
  visitor.say(...Array<string>(count).fill(message))
  await until('the grant to be used up', () => request.messages.length > 262)
  await sleep(100)
  expect(request.messages).toHaveLength(Math.ceil(INITIAL_GRANT / message.length))
  request.grant(INITIAL_GRANT)
  await until('more', () => request.messages.length >= 520)
  open.site.worker.onFrame = (_, { type, payload }) => {
    if (type === MESSAGE) request.grant(payload.length)
  }
  request.grant(INITIAL_GRANT)
  await request.got(MESSAGE, count)
}, 20_000)

test('unfinished messages do not use up the memory together', async () => {
  await using open = await opened()
  const { visitor, request, site } = open
  const other = await join(site)
  visitor.frame(Opcode.BINARY, Buffer.alloc(60_000), false)
  const others = unfinished.most - 1_000_000
  unfinished.bytes += others
  other.visitor.frame(Opcode.BINARY, Buffer.alloc(3_000_000), false)
  expect((await closed(other.request)).code).toBe(CloseCode.TRY_LATER)
  await other.visitor.end()
  unfinished.bytes -= others
  // The small one goes on, and afterwards nothing is held.
  visitor.frame(Opcode.CONTINUATION, 'end')
  await request.got(MESSAGE)
  visitor.frame(Opcode.BINARY, Buffer.alloc(60_000), false)
  await until('it to be held', () => unfinished.bytes >= 60_000)
  visitor.socket.destroy()
  await closed(request)
  expect(unfinished.bytes).toBe(0)
  other.visitor[Symbol.dispose]()
})

test('empty messages without end are too many', async () => {
  await using open = await opened()
  const { visitor, request } = open
  visitor.say(...Array<string>(70_000).fill(''))
  expect((await closed(request)).code).toBe(CloseCode.POLICY)
}, 20_000)

test('a visitor that is slower than the worker uses up its window', async () => {
  await using open = await opened()
  const { visitor, request } = open
  visitor.socket.pause()
  const message = 'm'.repeat(65_536)
  const count = 16 * 32
  for (let i = 0; i < count; i++) request.message(message)
  await sleep(200)
  const before = request.of(WINDOW).length
  visitor.socket.resume()
  await until('all of it', () => visitor.messages.length === count)
  await until('the window', () => request.of(WINDOW).length > before)
  const granted = request.of(WINDOW).reduce((sum, { payload }) => sum + payload.readUInt32LE(0), 0)
  expect(granted).toBeGreaterThan(31 * 1_048_576)
}, 20_000)

test('a client of somebody else’s', async () => {
  await using site = await AppSite.open()
  const client = new WebSocket(`ws://127.0.0.1:${site.port}/`, ['chat'])
  const request = await site.worker.next()
  request.accept('Sec-WebSocket-Protocol: chat\r\n')
  const got: unknown[] = []
  client.addEventListener('message', ({ data }) => got.push(data))
  const over = new Promise<CloseEvent>((resolve) => client.addEventListener('close', resolve))
  await until('it to open', () => client.readyState === WebSocket.OPEN)
  client.send('grüße')
  await request.got(MESSAGE)
  for (const message of request.messages) request.message(`${message} back`)
  await until('the echo', () => got[0] === 'grüße back')
  client.close(3000, 'enough')
  expect(await closed(request)).toEqual({ code: 3000, reason: 'enough' })
  request.end()
  expect(await over).toMatchObject({ code: 3000, wasClean: true })
})
