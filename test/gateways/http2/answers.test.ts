/** Requests and answers over HTTP/2 (RFC 9113 §8). */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../../src/errors.ts'
import type { Exchange } from '../../../src/request/exchange.ts'
import { Flag, FrameType, Http2Code, Setting } from '../../../src/wire/http2.ts'
import { echo, Held, handler, OK, says } from '../http1/handlers.ts'
import { sleep, until } from '../http1/visitor.ts'
import { encode, frame, request } from './peer.ts'
import { serve } from './site.ts'

const reports = handler((exchange: Exchange) => {
  const { line, fields, peer } = exchange
  const seen = {
    ...line,
    host: fields.host,
    fields: fields.names.map((name, i) => [name, fields.values[i]]),
    length: fields.contentLength,
    chunked: fields.chunked,
    address: peer.address,
  }
  exchange.respond(OK, Buffer.from(JSON.stringify(seen)))
})

describe('requests', () => {
  it('are what HTTP/1 would have made of them', async () => {
    const { visitor, totals } = await serve({ routes: { '/': reports } })
    const peer = await visitor()
    peer.ask(1, [
      ...request('/a%20b/./c?d=e', { ':authority': 'Example.test:8080' }),
      ['cookie', 'a=1'],
      ['user-agent', 'test'],
      ['cookie', 'b=2'],
      ['te', 'trailers'],
      ['x-empty', ''],
      ['x-latin', '\xe9'],
    ])
    const { heads, body } = await peer.over(1)
    expect(heads).toEqual([
      {
        ':status': '200',
        server: 'portico',
        date: expect.stringMatching(/GMT$/),
        'content-type': 'text/plain',
        'content-length': String(body.length),
      },
    ])
    expect(JSON.parse(body.toString())).toMatchObject({
      method: 'GET',
      target: '/a%20b/./c?d=e',
      path: '/a b/c',
      query: 'd=e',
      protocol: 'HTTP/2.0',
      host: 'example.test',
      fields: [
        ['host', 'Example.test:8080'],
        ['user-agent', 'test'],
        ['te', 'trailers'],
        ['x-empty', ''],
        ['x-latin', '\xe9'],
        ['cookie', 'a=1; b=2'],
      ],
      length: 0,
      chunked: false,
      address: '127.0.0.1',
    })
    await until(() => totals().active === 0)
    expect(totals()).toMatchObject({ accepted: 1, requests: 1, answers: { '2xx': 1 } })
  })

  it('may name their host as HTTP/1 does, or twice the same', async () => {
    const { visitor } = await serve({ routes: { '/': reports } })
    const peer = await visitor()
    const [method, scheme, path] = request('/')
    peer.ask(1, [method!, scheme!, path!, ['host', 'one.test']])
    peer.ask(3, [...request('/', { ':authority': 'two.test' }), ['host', 'Two.test']])
    expect(JSON.parse((await peer.over(1)).body.toString()).host).toBe('one.test')
    expect(JSON.parse((await peer.over(3)).body.toString()).host).toBe('two.test')
  })

  it('come in as many frames as their sender likes', async () => {
    const { visitor } = await serve({ routes: { '/': reports } })
    const peer = await visitor()
    const block = encode([...request('/x'), ['x-long', 'y'.repeat(3000)]])
    const parts = [block.subarray(0, 1), block.subarray(1, 40), block.subarray(40)]
    peer.send(
      frame(FrameType.HEADERS, Flag.END_STREAM, 1, parts[0]),
      frame(FrameType.CONTINUATION, 0, 1, parts[1]),
      frame(FrameType.CONTINUATION, Flag.END_HEADERS, 1, parts[2]),
    )
    expect(JSON.parse((await peer.over(1)).body.toString()).path).toBe('/x')
  })

  it.each<[string, readonly (readonly [string, string])[]]>([
    ['a capital letter', [...request('/'), ['X-Name', 'v']]],
    ['a blank before a value', [...request('/'), ['x-name', ' v']]],
    ['a blank behind a value', [...request('/'), ['x-name', 'v\t']]],
    ['a line break in a value', [...request('/'), ['x-name', 'v\r\nx-other: w']]],
    ['a line feed in a value', [...request('/'), ['x-name', 'v\nw']]],
    ['a NUL in a value', [...request('/'), ['x-name', 'v\0']]],
    ['a colon in a name', [...request('/'), ['x:name', 'v']]],
    ['an empty name', [...request('/'), ['', 'v']]],
    ['Connection', [...request('/'), ['connection', 'keep-alive']]],
    ['Transfer-Encoding', [...request('/'), ['transfer-encoding', 'chunked']]],
    ['Upgrade', [...request('/'), ['upgrade', 'websocket']]],
    ['TE', [...request('/'), ['te', 'gzip']]],
    ['an unknown pseudo-field', [...request('/'), [':unknown', 'x']]],
    ['a pseudo-field behind a field', [['x-a', 'b'], ...request('/')]],
    ['two paths', [...request('/'), [':path', '/x']]],
    ['an absolute path', request('http://localhost/')],
    ['no slash', request('path')],
    ['Host and :authority that differ', [...request('/'), ['host', 'other.test']]],
    ['two lengths', [...request('/'), ['content-length', '0'], ['content-length', '0']]],
    ['a length without a body', [...request('/'), ['content-length', '3']]],
    [':protocol without CONNECT', [...request('/'), [':protocol', 'websocket']]],
    ['CONNECT with a path', request('/', { ':method': 'CONNECT' })],
  ])('with %s are malformed', async (_, fields) => {
    const { visitor, totals } = await serve({ routes: { '/': says('hello') } })
    const peer = await visitor()
    peer.ask(1, fields)
    expect(await peer.over(1)).toMatchObject({ reset: Http2Code.PROTOCOL_ERROR, heads: [] })
    // The connection goes on, and its table is right.
    peer.ask(3, request('/'))
    expect((await peer.over(3)).body.toString()).toBe('hello')
    expect(totals().answers).toMatchObject({ '2xx': 1, '4xx': 1 })
  })

  it.each<[string, number, readonly (readonly [string, string])[]]>([
    [
      'CONNECT',
      501,
      [
        [':method', 'CONNECT'],
        [':authority', 'x.test:443'],
      ],
    ],
    ['another protocol', 501, request('/', { ':method': 'CONNECT', ':protocol': 'connect-udp' })],
    ['an expectation', 417, [...request('/'), ['expect', 'miracles']]],
    ['a bad host', 400, request('/', { ':authority': 'a b' })],
    ['no host', 400, request('/').slice(0, 3)],
    ['a path above the root', 400, request('/../x')],
    ['a fragment', 400, request('/#x')],
    ['a long path', 414, request(`/${'x'.repeat(9000)}`)],
    ['large fields', 431, [...request('/'), ['x-a', 'y'.repeat(9000)], ['x-b', 'y'.repeat(9000)]]],
    [
      'many fields',
      431,
      [...request('/'), ...Array.from({ length: 60 }, (_, i): [string, string] => [`x-${i}`, ''])],
    ],
  ])('with %s are answered %i', async (_, status, fields) => {
    const { visitor, totals } = await serve({ routes: { '/': says('hello') } })
    const peer = await visitor()
    peer.ask(1, fields, false).ask(3, request('/'))
    const { heads } = await peer.over(1)
    expect(heads[0]![':status']).toBe(String(status))
    expect((await peer.over(3)).body.toString()).toBe('hello')
    expect(peer.told(1).reset).toBe(Http2Code.NO_ERROR)
    expect(totals().active).toBe(0)
  })
})

describe('bodies', () => {
  it.each([0, 1, 16_384, 65_535, 65_536, 900_000])('of %i bytes both ways', async (size) => {
    const { visitor } = await serve({ routes: { '/': echo() } })
    const body = randomBytes(size)
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST', 'content-length': String(size) }), false)
    await upload(peer, 1, body)
    expect((await peer.over(1)).body.equals(body)).toBe(true)
  })

  it('of unknown length, with trailers', async () => {
    const { visitor } = await serve({ routes: { '/': echo() } })
    const peer = await visitor()
    peer
      .ask(1, request('/', { ':method': 'POST' }), false)
      .data(1, 'body ')
      .data(1, '')
    peer.send(
      frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, encode([['x-sum', '5']])),
    )
    expect((await peer.over(1)).body.toString()).toBe('body x-sum: 5\r\n')
  })

  it.each<[string, readonly (readonly [string, string])[], boolean]>([
    ['a pseudo-field', [[':path', '/']], true],
    ['a length', [['content-length', '4']], true],
    ['a capital letter', [['X-A', 'b']], true],
    ['no end', [['x-a', 'b']], false],
  ])('with trailers that have %s are malformed', async (_, fields, end) => {
    const { visitor } = await serve({ routes: { '/': echo() } })
    const peer = await visitor()
    const flags = Flag.END_HEADERS | (end ? Flag.END_STREAM : 0)
    peer.ask(1, request('/', { ':method': 'POST' }), false).data(1, 'body')
    peer.send(frame(FrameType.HEADERS, flags, 1, encode(fields)))
    expect((await peer.over(1)).reset).toBe(Http2Code.PROTOCOL_ERROR)
  })

  it.each([
    ['longer', 'abcd'],
    ['shorter', 'ab'],
  ])('that are %s than announced are malformed', async (_, body) => {
    const { visitor, totals } = await serve({ routes: { '/': echo() } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST', 'content-length': '3' }), false)
    peer.data(1, body, true)
    expect((await peer.over(1)).reset).toBe(Http2Code.PROTOCOL_ERROR)
    await until(() => totals().active === 0)
  })

  it('too large for the route are refused, and read no further', async () => {
    const { visitor } = await serve({ routes: { '/': echo() }, maxBody: { '/': 1000 } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST', 'content-length': '1001' }), false)
    expect((await peer.over(1)).heads[0]![':status']).toBe('413')
    peer.ask(3, request('/', { ':method': 'POST' }), false).data(3, Buffer.alloc(1001))
    expect((await peer.over(3)).heads[0]![':status']).toBe('413')
    await peer.until(() => peer.told(3).reset === Http2Code.NO_ERROR)
    // What was on its way is no fault.
    peer
      .data(3, 'more')
      .ask(5, request('/', { ':method': 'POST' }), false)
      .data(5, 'fine', true)
    expect((await peer.over(5)).body.toString()).toBe('fine')
  })

  it('that nobody takes wait within the window, whatever is in a frame', async () => {
    const held = new Held()
    const { visitor } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST' }), false)
    for (let i = 0; i < 3000; i++) peer.data(1, 'x')
    peer.send(frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([3, 0x79, 0, 0, 0])))
    peer.data(1, 'end', true)
    await until(() => held.exchanges.length === 1)
    // The padding alone is acknowledged, and that is not worth a frame.
    expect(peer.of(FrameType.WINDOW_UPDATE)).toEqual([])
    echo().handle(held.last)
    expect((await peer.over(1)).body.toString()).toBe(`${'x'.repeat(3000)}yend`)
  })

  it.each([65_536, 70_000, 131_072])('of %i bytes that are asked for late', async (size) => {
    const held = new Held()
    const { visitor } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    const body = randomBytes(size)
    peer.ask(1, request('/', { ':method': 'POST', 'content-length': String(size) }), false)
    const sent = upload(peer, 1, body)
    await until(() => held.exchanges.length === 1)
    await sleep(20)
    echo().handle(held.last)
    await sent
    expect((await peer.over(1)).body.equals(body)).toBe(true)
  })

  it('with nothing but trailers, that are asked for late', async () => {
    const held = new Held()
    const { visitor } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST' }), false)
    const flags = Flag.END_HEADERS | Flag.END_STREAM
    peer.send(frame(FrameType.HEADERS, flags, 1, encode([['x-sum', '0']])))
    await until(() => held.exchanges.length === 1)
    await sleep(20)
    echo().handle(held.last)
    expect((await peer.over(1)).body.toString()).toBe('x-sum: 0\r\n')
  })

  it('with more padding than body do not wait for a window', async () => {
    const { visitor } = await serve({ routes: { '/': echo() } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST', 'content-length': '1000' }), false)
    const part = frame(
      FrameType.DATA,
      Flag.PADDED,
      1,
      Buffer.concat([Buffer.from([200, 0x61]), Buffer.alloc(200)]),
    )
    for (let i = 0; i < 1000; i++) {
      const opened = (): number =>
        peer
          .of(FrameType.WINDOW_UPDATE)
          .filter(({ stream }) => stream === 1)
          .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535)
      await peer.until(() => opened() >= (i + 1) * 202)
      peer.send(part)
    }
    peer.data(1, '', true)
    expect((await peer.over(1)).body.length).toBe(1000)
  })

  it('larger than the window are a fault of flow control', async () => {
    const { visitor } = await serve({ routes: { '/': new Held() } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST' }), false)
    for (let i = 0; i < 4; i++) peer.data(1, Buffer.alloc(16_384))
    expect((await peer.goaway()).code).toBe(Http2Code.FLOW_CONTROL_ERROR)
  })

  it('wait while their reader does', async () => {
    const held = new Held()
    const { visitor } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST' }), false).data(1, 'one')
    await until(() => held.exchanges.length === 1)
    const parts: string[] = []
    held.last.receive({
      data: (chunk) => {
        parts.push(Buffer.from(chunk).toString())
        return false
      },
      end: () => parts.push('end'),
      abort: () => parts.push('abort'),
    })
    peer.data(1, 'two').data(1, 'three', true).ask(3, request('/'))
    await until(() => held.exchanges.length === 2)
    expect(parts).toEqual(['one'])
    held.exchanges[0]!.resume()
    await until(() => parts.length === 3)
    expect(parts).toEqual(['one', 'twothree', 'end'])
  })

  it('are asked for where their sender waits', async () => {
    const { visitor } = await serve({ routes: { '/': echo() } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST', expect: '100-continue' }), false)
    await peer.until(() => peer.told(1).heads.length === 1)
    peer.data(1, 'body', true)
    const { heads, body } = await peer.over(1)
    expect(heads.map((head) => head[':status'])).toEqual(['100', '200'])
    expect(body.toString()).toBe('body')
  })

  it('that are not wanted are not asked for', async () => {
    const { visitor } = await serve({ routes: { '/': says('no, thanks') } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST', expect: '100-continue' }), false)
    await peer.over(1)
    await peer.until(() => peer.told(1).reset === Http2Code.NO_ERROR)
    expect(peer.told(1).heads.length).toBe(1)
  })

  it('that come behind the answer are read for nobody, as far as that is worth it', async () => {
    const { visitor, totals } = await serve({ routes: { '/': says('done') } })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST' }), false)
    expect((await peer.over(1)).body.toString()).toBe('done')
    await upload(peer, 1, Buffer.alloc(100_000))
    peer.ask(3, request('/', { ':method': 'POST' }), false)
    await upload(peer, 3, Buffer.alloc(400_000), () => peer.told(3).reset >= 0)
    expect(peer.told(1).reset).toBe(-1)
    expect(peer.told(3).reset).toBe(Http2Code.NO_ERROR)
    expect(totals()).toMatchObject({ requests: 2, active: 0 })
  })
})

describe('answers', () => {
  it.each([
    [204, 'GET', undefined],
    [304, 'GET', '5'],
    [200, 'HEAD', '5'],
  ])('of %i to %s have no body', async (status, method, length) => {
    const head = { ...OK, status }
    const { visitor } = await serve({
      routes: {
        '/whole': handler((exchange) => exchange.respond(head, Buffer.from('hello'))),
        '/parts': handler((exchange) => {
          exchange.start(head, 5)
          exchange.write(Buffer.from('hello'), true)
          exchange.end()
        }),
      },
    })
    const peer = await visitor()
    peer.ask(1, request('/whole', { ':method': method }))
    peer.ask(3, request('/parts', { ':method': method }))
    for (const stream of [1, 3]) {
      const { heads, body, ended } = await peer.over(stream)
      expect([heads[0]![':status'], body.length, ended]).toEqual([String(status), 0, true])
      expect(heads[0]!['content-length']).toBe(length)
    }
    expect(peer.of(FrameType.DATA)).toEqual([])
  })

  it('in parts, with interim ones before and trailers behind', async () => {
    const { visitor } = await serve({
      routes: {
        '/': handler((exchange) => {
          exchange.inform(103, 'Link: </a.css>; rel=preload\r\n')
          exchange.start({ ...OK, fields: 'X-A: b\r\nConnection: close\r\nKeep-Alive: 5\r\n' }, -1)
          exchange.write(Buffer.from('one '), true)
          setImmediate(() => {
            exchange.write(Buffer.from('two'), false)
            exchange.end('X-Sum: 2\r\n')
          })
        }),
      },
    })
    const peer = await visitor()
    peer.ask(1, request('/'))
    const { heads, body } = await peer.over(1)
    expect(heads).toEqual([
      { ':status': '103', link: '</a.css>; rel=preload' },
      { ':status': '200', server: 'portico', date: expect.any(String), 'x-a': 'b' },
      { 'x-sum': '2' },
    ])
    expect(body.toString()).toBe('one two')
  })

  it('with fields larger than a frame', async () => {
    const long = randomBytes(20_000).toString('hex')
    const { visitor } = await serve({
      routes: {
        '/': handler((exchange) =>
          exchange.respond({ ...OK, fields: `X-Long: ${long}\r\n` }, Buffer.from('x')),
        ),
      },
    })
    const peer = await visitor()
    peer.ask(1, request('/'))
    expect((await peer.over(1)).heads[0]!['x-long']).toBe(long)
    expect(peer.of(FrameType.CONTINUATION).length).toBeGreaterThan(0)
  })

  it('that fail before anything has left are an error page, later a reset', async () => {
    const { visitor, totals } = await serve({
      routes: {
        '/early': handler((exchange) => {
          exchange.start(OK, 10)
          exchange.fail(new PorticoError('BACKEND_CLOSED'))
        }),
        '/late': handler((exchange) => {
          exchange.start(OK, 10)
          exchange.write(Buffer.from('half'), true)
          setImmediate(() => exchange.fail(new PorticoError('BACKEND_CLOSED')))
        }),
        '/short': handler((exchange) => {
          exchange.start(OK, 10)
          exchange.write(Buffer.from('half'), true)
          exchange.end()
        }),
      },
    })
    const peer = await visitor()
    for (const [stream, path] of [
      [1, '/early'],
      [3, '/late'],
      [5, '/short'],
    ] as const) {
      peer.ask(stream, request(path))
    }
    expect((await peer.over(1)).heads[0]![':status']).toBe('502')
    for (const stream of [3, 5]) {
      expect(await peer.over(stream)).toMatchObject({
        reset: Http2Code.INTERNAL_ERROR,
        ended: false,
      })
    }
    await until(() => totals().active === 0)
  })

  it('never hold more than was announced', async () => {
    const { visitor } = await serve({
      routes: {
        '/': handler((exchange) => {
          exchange.start(OK, 4)
          exchange.write(Buffer.from('longer'), true)
          exchange.end()
        }),
      },
    })
    const peer = await visitor()
    peer.ask(1, request('/'))
    expect((await peer.over(1)).body.toString()).toBe('long')
  })

  it('to a visitor without a table say so once', async () => {
    const { visitor } = await serve({ routes: { '/': says('hello') } })
    const peer = await visitor([[Setting.HEADER_TABLE_SIZE, 0]])
    peer.ask(1, request('/')).ask(3, request('/'))
    await peer.over(3)
    const blocks = peer.of(FrameType.HEADERS).map(({ payload }) => payload[0])
    expect(blocks).toEqual([0x20, 0x88])
  })
})

/** Sends a body as far as the windows allow, as they open; `until` says to stop. */
async function upload(
  peer: import('./peer.ts').Peer,
  stream: number,
  body: Buffer,
  stop: () => boolean = () => false,
): Promise<void> {
  const windows = (of: number): number =>
    65_535 +
    peer
      .of(FrameType.WINDOW_UPDATE)
      .filter((one) => one.stream === of)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)
  const before = sent.get(peer) ?? 0
  let at = 0
  const room = (): number => Math.min(windows(0) - before - at, windows(stream) - at)
  while (at < body.length) {
    await peer.until(() => room() > 0 || stop())
    if (stop()) return
    const part = body.subarray(at, at + Math.min(16_384, room()))
    at += part.length
    peer.data(stream, part, at === body.length)
  }
  if (body.length === 0) peer.data(stream, '', true)
  sent.set(peer, before + at)
}

/** Of the window of the connection. */
const sent = new WeakMap<object, number>()
