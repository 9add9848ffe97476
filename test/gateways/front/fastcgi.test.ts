/** What only FastCGI has: connections for several requests, roles, values, aborts, bodies without a length. */
import { afterEach, describe, expect, it } from 'vitest'
import { fastcgi } from '../../../src/gateways/fastcgi/gateway.ts'
import {
  encodeBeginRequest,
  encodeStream,
  KEEP_CONN,
  RecordType,
  Role,
  recordHead,
} from '../../../src/wire/fastcgi.ts'
import { decodePairs, encodePairs } from '../../../src/wire/fastcgi-params.ts'
import { echo, Held, handler, OK, says } from '../http1/handlers.ts'
import { gatewayOptions, listening, type SiteOptions } from '../http1/site.ts'
import { sleep, until, Visitor } from '../http1/visitor.ts'
import { fastcgiOpening, fastcgiRequest, records } from './front.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

async function visit(options: SiteOptions): Promise<Visitor> {
  const { port, close } = await listening(fastcgi(gatewayOptions(options)))
  open.push(close)
  return await Visitor.at(port)
}

/** The bodies of the answers so far. */
function bodies(visitor: Visitor): string[] {
  return records(visitor.received).out.map((out) =>
    out.toString('latin1', out.indexOf('\r\n\r\n') + 4),
  )
}

describe('FastCGI', () => {
  it('answers in records that end the stream, then the request', async () => {
    const visitor = await visit({ routes: { '/': says('hello') } })
    await visitor.send(fastcgiRequest({}, false, 700)).serverEnd()
    const head = 'Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'
    const padding = '\0'.repeat(-head.length & 7)
    expect(visitor.received.toString('latin1')).toBe(
      `\x01\x06\x02\xbc\0${String.fromCharCode(head.length, padding.length)}\0${head}${padding}` +
        '\x01\x06\x02\xbc\0\0\0\0' +
        '\x01\x03\x02\xbc\0\x08\0\0\0\0\0\0\0\0\0\0',
    )
  })

  it('has several requests in turn on a connection that is to be kept', async () => {
    const visitor = await visit({ routes: { '/': echo() } })
    const asked = ['one', '', 'three'].map((body) => fastcgiRequest({ method: 'POST', body }, true))
    visitor.send(Buffer.concat(asked))
    await until(() => bodies(visitor).length === 3)
    expect(bodies(visitor)).toEqual(['one', '', 'three'])
    visitor.send(fastcgiRequest({ method: 'POST', body: 'four' }, false))
    await visitor.serverEnd()
    expect(bodies(visitor)).toEqual(['one', '', 'three', 'four'])
  })

  it.each([
    ['other roles', encodeBeginRequest(7, Role.AUTHORIZER, KEEP_CONN)],
    ['requests', fastcgiRequest({}, true)],
  ])('reads no more of %s than it may answer', async (_, record) => {
    const options = gatewayOptions({ routes: { '/': says('hello') } })
    const { port, close } = await listening(fastcgi(options))
    open.push(close)
    const visitor = await Visitor.at(port)
    visitor.socket.pause()
    const records = Buffer.concat(Array(Math.ceil(65_536 / record.length)).fill(record))
    let received = -1
    // As much as it takes.
    while (options.totals().received !== received) {
      received = options.totals().received
      for (let i = 0; i < 50; i++) visitor.send(records)
      await sleep(500)
    }
    const sent = visitor.socket.bytesWritten
    expect(sent - received).toBeGreaterThan(1_000_000)
    // It goes on when the front reads.
    visitor.socket.resume()
    await until(() => options.totals().received === sent, 20_000)
  })

  it('reads over what is left of a request that was answered early', async () => {
    const visitor = await visit({ routes: { '/': says('hello') } })
    visitor.send(fastcgiOpening({ method: 'POST', length: '50000' }, true))
    await until(() => bodies(visitor).length === 1)
    visitor.send(encodeStream(RecordType.STDIN, 1, Buffer.alloc(50_000)))
    visitor.send(recordHead(RecordType.STDIN, 1, 0, 0)).send(fastcgiRequest({}, false))
    await visitor.serverEnd()
    expect(bodies(visitor)).toEqual(['hello', 'hello'])
  })

  it('takes a body whose length only its stream tells', async () => {
    const lengths: unknown[] = []
    const site = {
      routes: {
        '/': handler((exchange) => {
          lengths.push([exchange.fields.chunked, exchange.fields.hasLength])
          echo().handle(exchange)
        }),
      },
    }
    const visitor = await visit(site)
    visitor.send(fastcgiOpening({ method: 'POST' }, true))
    for (const part of ['one ', 'two ', 'three']) {
      await sleep(5)
      visitor.send(encodeStream(RecordType.STDIN, 1, Buffer.from(part)))
    }
    visitor.send(recordHead(RecordType.STDIN, 1, 0, 0))
    await until(() => bodies(visitor).length === 1)
    expect(bodies(visitor)).toEqual(['one two three'])
    visitor.send(fastcgiRequest({}, false))
    await visitor.serverEnd()
    expect(lengths).toEqual([
      [true, false],
      [false, false],
    ])
  })

  it('keeps such a body for a handler that is not ready', async () => {
    const held = new Held()
    const visitor = await visit({ routes: { '/': held } })
    visitor.send(fastcgiRequest({ method: 'POST', body: 'hello', length: '' }, false))
    await until(() => held.exchanges.length === 1)
    await sleep(10)
    echo().handle(held.last)
    await visitor.serverEnd()
    expect(bodies(visitor)).toEqual(['hello'])
  })

  it('refuses such a body when it is too large', async () => {
    const visitor = await visit({ routes: { '/': echo() }, limits: { body: 10 } })
    visitor.send(fastcgiRequest({ method: 'POST', body: 'x'.repeat(11), length: '' }, false))
    await visitor.serverEnd()
    expect(records(visitor.received).out[0]?.toString()).toMatch(/^Status: 413 /)
  })

  it('knows that a stream ended before its length', async () => {
    const visitor = await visit({ routes: { '/': echo() } })
    visitor.send(fastcgiRequest({ method: 'POST', body: 'abc', length: '4' }, false))
    await visitor.serverEnd()
    expect(records(visitor.received).out[0]?.toString()).not.toMatch(/^Status: 200 /)
  })

  it('refuses another request beside the one in hand, as it says when asked', async () => {
    const held = new Held()
    const visitor = await visit({ routes: { '/': held }, limits: { connections: 77 } })
    const asked = ['FCGI_MPXS_CONNS', '', 'FCGI_MAX_CONNS', '', 'FCGI_OTHER', '']
    const values = encodePairs(asked)
    visitor.send(recordHead(RecordType.GET_VALUES, 0, values.length, 0)).send(values)
    await until(() => visitor.received.length > 8)
    expect(decodePairs(visitor.received.toString('latin1', 8))).toEqual([
      'FCGI_MAX_CONNS',
      '77',
      'FCGI_MPXS_CONNS',
      '0',
    ])
    visitor.send(fastcgiRequest({}, false, 1)).send(fastcgiRequest({}, true, 2))
    await until(() => records(visitor.received).ends.length === 1)
    expect(records(visitor.received).ends).toEqual(['2: 0 1'])
    held.last.respond(OK, Buffer.from('hello'))
    await visitor.serverEnd()
    expect(records(visitor.received).ends).toEqual(['2: 0 1', '1: 0 0'])
    expect(held.exchanges).toHaveLength(1)
  })

  it.each([Role.AUTHORIZER, Role.FILTER, 99])('is no other than a responder: %i', async (role) => {
    const visitor = await visit({ routes: { '/': says('hello') } })
    visitor.send(encodeBeginRequest(1, role, KEEP_CONN)).send(fastcgiRequest({}, true, 2))
    await until(() => records(visitor.received).ends.length === 2)
    expect(records(visitor.received).ends).toEqual(['1: 0 3', '2: 0 0'])
    visitor.send(encodeBeginRequest(1, role, 0))
    await visitor.serverEnd()
  })

  it('says which records it does not know', async () => {
    const visitor = await visit({ routes: { '/': says('hello') } })
    visitor.send(recordHead(99, 0, 0, 0)).send(fastcgiRequest({}, false))
    await visitor.serverEnd()
    const { others, ends } = records(visitor.received)
    expect(others).toEqual(['11 0 c\0\0\0\0\0\0\0'])
    expect(ends).toEqual(['1: 0 0'])
  })

  it.each([true, false])('aborts a request (connection kept: %s)', async (keep) => {
    const held = new Held()
    const visitor = await visit({ routes: { '/': held } })
    visitor.send(fastcgiRequest({}, keep))
    await until(() => held.exchanges.length === 1)
    let gone = 0
    held.last.onGone = () => gone++
    visitor.send(recordHead(RecordType.ABORT_REQUEST, 1, 0, 0))
    await until(() => gone === 1)
    await until(() => records(visitor.received).ends.length === 1)
    if (!keep) return await visitor.serverEnd()
    visitor.send(fastcgiRequest({}, false))
    await until(() => held.exchanges.length === 2)
    held.last.respond(OK, Buffer.from('hello'))
    await visitor.serverEnd()
    expect(bodies(visitor)).toEqual(['', 'hello'])
  })

  it('aborts a request that has not begun', async () => {
    const visitor = await visit({ routes: { '/': says('hello') } })
    visitor.send(fastcgiOpening({ method: 'POST' }, true).subarray(0, 24))
    visitor.socket.write(fastcgiOpening({ method: 'POST' }, true).subarray(24))
    visitor.send(recordHead(RecordType.ABORT_REQUEST, 1, 0, 0)).send(fastcgiRequest({}, false))
    await visitor.serverEnd()
    expect(bodies(visitor)).toEqual(['', 'hello'])
  })

  it('forgets a kept connection that is idle', async () => {
    const visitor = await visit({ routes: { '/': says('hello') }, timeouts: { idleMs: 300 } })
    await visitor.send(fastcgiRequest({}, true)).serverEnd()
    expect(bodies(visitor)).toEqual(['hello'])
  })

  it.each([
    ['a second beginning', encodeBeginRequest(1, Role.RESPONDER, 0)],
    ['params after their end', encodeStream(RecordType.PARAMS, 1, Buffer.from('\x01\x01ab'))],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('is no FastCGI with %s', async (_, bytes) => {
    const held = new Held()
    const visitor = await visit({ routes: { '/': held } })
    visitor.send(fastcgiRequest({}, true)).send(bytes)
    await visitor.serverEnd()
    expect(records(visitor.received).out.at(0)?.toString() ?? '').not.toContain('hello')
  })

  it.each([
    ['a body before its request', encodeStream(RecordType.STDIN, 1, Buffer.from('x'))],
    [
      'params cut short',
      Buffer.concat([
        encodeStream(RecordType.PARAMS, 1, Buffer.from('\x09')),
        recordHead(RecordType.PARAMS, 1, 0, 0),
      ]),
    ],
  ])('answers with 400 to %s', async (_, bytes) => {
    const visitor = await visit({ routes: { '/': says('hello') } })
    visitor.send(encodeBeginRequest(1, Role.RESPONDER, KEEP_CONN)).send(bytes)
    await visitor.serverEnd()
    const { out, ends } = records(visitor.received)
    expect(out[0]?.toString()).toMatch(/^Status: 400 /)
    expect(ends).toEqual(['1: 0 0'])
  })
})
