/** What holds for every gateway to web servers in front, whichever protocol they speak. */
import { afterEach, describe, expect, it } from 'vitest'
import { fastcgi } from '../../../src/gateways/fastcgi/gateway.ts'
import type { Gateway, GatewayOptions } from '../../../src/gateways/gateway.ts'
import { scgi } from '../../../src/gateways/scgi/gateway.ts'
import { uwsgi } from '../../../src/gateways/uwsgi/gateway.ts'
import type { Totals } from '../../../src/request/counters.ts'
import type { BodySink } from '../../../src/request/exchange.ts'
import { echo, Held, handler, OK, says } from '../http1/handlers.ts'
import { gatewayOptions, listening, type SiteOptions } from '../http1/site.ts'
import { sleep, until, Visitor } from '../http1/visitor.ts'
import {
  type Asked,
  fastcgiSpeech,
  type Speech,
  scgiSpeech,
  type Told,
  uwsgiSpeech,
} from './front.ts'

const PROTOCOLS: readonly [string, Speech, (options: GatewayOptions) => Gateway][] = [
  ['uwsgi', uwsgiSpeech, (options) => uwsgi(options, false)],
  ['puwsgi', uwsgiSpeech, (options) => uwsgi(options, true)],
  ['scgi', scgiSpeech, scgi],
  ['fastcgi', fastcgiSpeech, fastcgi],
]

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

describe.each(PROTOCOLS)('%s', (name, speech, make) => {
  interface Serving {
    readonly gateway: Gateway
    readonly port: number
    totals(): Totals
  }

  async function serve(options: SiteOptions): Promise<Serving> {
    const made = gatewayOptions(options)
    const gateway = make(made)
    const { port, close } = await listening(gateway)
    open.push(close)
    return { gateway, port, totals: made.totals }
  }

  /** The answer, once the server has closed or it is complete. */
  async function answer(visitor: Visitor, method = 'GET'): Promise<Told> {
    for (;;) {
      try {
        const told = speech.read(visitor.received)
        const length = /^content-length: (\d+)\r$/im.exec(told.head)?.[1]
        const bodiless = method === 'HEAD' || told.status === 204 || told.status === 304
        if (bodiless || (length !== undefined && told.body.length >= Number(length))) return told
        if (length === undefined && (visitor.ended || visitor.closed)) return told
        if (name === 'fastcgi') return told
      } catch (error) {
        if (visitor.ended || visitor.closed) throw error
      }
      await sleep(2)
    }
  }

  async function ask(port: number, asked: Asked): Promise<Told> {
    const visitor = await Visitor.at(port)
    const told = await answer(visitor.send(speech.request(asked)), asked.method)
    visitor.leave()
    return told
  }

  it('answers', async () => {
    const { port, totals } = await serve({ routes: { '/': says('hello') } })
    const told = await ask(port, {})
    expect(told).toMatchObject({
      status: 200,
      head: 'Content-Type: text/plain\r\nContent-Length: 5\r\n',
    })
    expect(told.body.toString()).toBe('hello')
    await until(() => totals().open === 0)
    expect(totals()).toMatchObject({ accepted: 1, requests: 1, active: 0 })
  })

  it('reads a request in whatever pieces it comes', { timeout: 60_000 }, async () => {
    const { port } = await serve({ routes: { '/': echo() } })
    const bytes = speech.request({ method: 'POST', body: 'body' })
    const splits = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
    const bodies = await Promise.all(
      splits.map(async (at) => {
        const visitor = await Visitor.at(port)
        await visitor.sent(bytes.subarray(0, at))
        await sleep(5)
        const told = await answer(visitor.send(bytes.subarray(at)))
        visitor.leave()
        return told.body.toString()
      }),
    )
    expect(new Set(bodies)).toEqual(new Set(['body']))
    const visitor = await Visitor.at(port)
    for (const byte of bytes) await visitor.sent(Buffer.of(byte))
    expect((await answer(visitor)).body.toString()).toBe('body')
  })

  it('takes a large body and gives a large answer', async () => {
    const { port } = await serve({ routes: { '/': echo() }, limits: { body: 10_000_000 } })
    const body = Buffer.alloc(5_000_000, 'portico')
    const told = await ask(port, { method: 'POST', body })
    expect(told.body.equals(body)).toBe(true)
  })

  it.each(['HEAD', 'GET'])('leaves out the bodies that HTTP has not (%s)', async (method) => {
    const { port } = await serve({
      routes: {
        '/204': handler((exchange) => exchange.respond({ ...OK, status: 204 }, Buffer.from('x'))),
        '/304': handler((exchange) => {
          exchange.start({ ...OK, status: 304 }, 7)
          exchange.write(Buffer.from('x'), true)
          exchange.end()
        }),
        '/200': says('hello'),
      },
    })
    expect(await ask(port, { method, path: '/204' })).toMatchObject({
      status: 204,
      head: 'Content-Type: text/plain\r\n',
      body: Buffer.alloc(0),
    })
    expect((await ask(port, { method: 'HEAD', path: '/200' })).head).toContain('Content-Length: 5')
    expect((await ask(port, { method: 'HEAD', path: '/200' })).body).toHaveLength(0)
    expect(await ask(port, { method, path: '/304' })).toMatchObject({
      status: 304,
      head: 'Content-Type: text/plain\r\nContent-Length: 7\r\n',
      body: Buffer.alloc(0),
    })
  })

  it('streams an answer part by part, as slowly as the front reads', async () => {
    const held = new Held()
    const { port } = await serve({ routes: { '/': held } })
    const visitor = await Visitor.at(port)
    visitor.send(speech.request({}))
    await until(() => held.exchanges.length === 1)
    const exchange = held.last
    exchange.start(OK, -1)
    await until(() => visitor.received.includes('text/plain'))
    exchange.write(Buffer.from('one'), true)
    await until(() => visitor.received.includes('one'))
    visitor.socket.pause()
    let drains = 0
    exchange.onDrain = () => drains++
    let written = 0
    while (exchange.write(Buffer.alloc(100_000, 'x'), true)) written++
    expect(written).toBeLessThan(200)
    expect(drains).toBe(0)
    visitor.socket.resume()
    await until(() => drains > 0)
    exchange.end()
    const told = await answer(visitor)
    expect(told.body).toHaveLength(3 + (written + 1) * 100_000)
  })

  it('takes a body only as fast as it is wanted', async () => {
    const held = new Held()
    const { port } = await serve({ routes: { '/': held }, limits: { body: 100_000_000 } })
    const visitor = await Visitor.at(port)
    visitor.send(speech.opening({ method: 'POST', length: '50000000' }))
    await until(() => held.exchanges.length === 1)
    let accepted = 0
    const piece = speech.body(Buffer.alloc(60_000))
    for (let i = 0; i < 500; i++) visitor.socket.write(piece, () => accepted++)
    await sleep(100)
    const before = accepted
    expect(before).toBeLessThan(400)
    let seen = 0
    const sink: BodySink = {
      data: (chunk) => {
        seen += chunk.length
        setImmediate(() => held.last.resume())
        return false
      },
      end: () => {},
      abort: () => {},
    }
    held.last.receive(sink)
    await until(() => seen === 500 * 60_000, 10_000)
    visitor.leave()
  })

  it('answers a body that is too large before it has come', async () => {
    const { port } = await serve({ routes: { '/': echo() }, limits: { body: 10 } })
    const visitor = await Visitor.at(port)
    visitor.send(speech.opening({ method: 'POST', length: '11' }))
    expect((await answer(visitor)).status).toBe(413)
    visitor.leave()
  })

  it('loses no answer that comes before the body', async () => {
    const { port } = await serve({ routes: { '/': says('hello') }, limits: { body: 10_000_000 } })
    const visitor = await Visitor.at(port)
    visitor.socket.pause()
    await visitor.sent(speech.opening({ method: 'POST', length: '2000000' }))
    await sleep(50)
    for (let i = 0; i < 20; i++) visitor.send(speech.body(Buffer.alloc(60_000)))
    await sleep(50)
    visitor.socket.resume()
    expect((await answer(visitor)).body.toString()).toBe('hello')
    expect(visitor.broken).toBe('')
    visitor.leave()
  })

  it('ignores more body than was announced', async () => {
    const { port } = await serve({ routes: { '/': echo() } })
    const told = await ask(port, { method: 'POST', body: 'abcdef', length: '3' })
    expect(told.body.toString('latin1', 0, 3)).toBe('abc')
  })

  it('answers with 431 to more variables than it takes', async () => {
    const { port } = await serve({ routes: { '/': says('hello') }, limits: { head: 1000 } })
    const told = await ask(port, { variables: { HTTP_X: 'x'.repeat(60_000) } })
    expect(told.status).toBe(431)
  })

  it.each([
    ['a bad path', { path: '/../x' }, 400],
    ['a bad method', { method: 'G T' }, 400],
    ['a bad length', { method: 'POST', length: 'x' }, 400],
    ['a line break', { variables: { HTTP_X: 'a\r\nY: b' } }, 400],
    ['nothing there', { path: '/x' }, 404],
  ])('answers to %s', async (_, asked, status) => {
    if (name === 'scgi' && 'length' in asked) return
    const { port } = await serve({ routes: { '/only': says('hello') } })
    expect((await ask(port, asked)).status).toBe(status)
  })

  it('does not take garbage for a request', async () => {
    const { port, totals } = await serve({ routes: { '/': says('hello') } })
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      '\x16\x03\x01\x02\0\x01\0\x01\xfc',
      '\xff'.repeat(70_000),
    ]) {
      const visitor = await Visitor.at(port)
      visitor.send(bytes).end()
      await visitor.serverEnd()
      expect(visitor.received.toString('latin1')).not.toContain('hello')
    }
    await until(() => totals().open === 0)
  })

  it('does not let a browser wait that has come to the wrong port', async () => {
    const { port } = await serve({ routes: { '/': says('hello') }, timeouts: { headMs: 60_000 } })
    for (const bytes of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\x16\x03\x01\x02\0\x01\0\x01\xfc']) {
      const visitor = await Visitor.at(port)
      await visitor.send(bytes).serverEnd()
      visitor.leave()
    }
  })

  it('tells the handler when the front has left', async () => {
    const held = new Held()
    const { port, totals } = await serve({ routes: { '/': held } })
    const visitor = await Visitor.at(port)
    visitor.send(speech.request({}))
    await until(() => held.exchanges.length === 1)
    let gone = 0
    held.last.onGone = () => gone++
    visitor.reset()
    await until(() => gone === 1)
    expect(held.last.gone).toBe(true)
    held.last.respond(OK, Buffer.from('late'))
    await until(() => totals().open === 0)
  })

  it('answers a front that has closed its sending side, for a while', async () => {
    const held = new Held()
    const { port } = await serve({ routes: { '/': held }, timeouts: { abandonMs: 300 } })
    const prompt = await Visitor.at(port)
    prompt.send(speech.request({})).end()
    await until(() => held.exchanges.length === 1)
    held.last.respond(OK, Buffer.from('hello'))
    expect((await answer(prompt)).body.toString()).toBe('hello')
    const late = await Visitor.at(port)
    late.send(speech.request({})).end()
    await until(() => held.exchanges.length === 2)
    await until(() => held.last.gone)
  })

  it('says that a body was cut short, and cuts an answer that was', async () => {
    let aborted = ''
    const { port } = await serve({
      routes: {
        '/in': handler((exchange) =>
          exchange.receive({
            data: () => true,
            end: () => {},
            abort: (error) => {
              aborted = error.code
            },
          }),
        ),
        '/out': handler((exchange) => {
          exchange.start(OK, 10)
          exchange.write(Buffer.from('short'), true)
          exchange.end()
        }),
      },
    })
    const visitor = await Visitor.at(port)
    visitor.send(speech.opening({ method: 'POST', path: '/in', length: '10' }))
    visitor.send(speech.body('abc')).end()
    await until(() => aborted === 'VISITOR_LEFT')
    const other = await Visitor.at(port)
    other.send(speech.request({ path: '/out' }))
    await other.serverEnd()
    if (name === 'fastcgi') expect(() => speech.read(other.received)).toThrow('FastCGI version 0')
    else expect(speech.read(other.received).body.toString()).toBe('short')
  })

  it('is patient with nobody', { timeout: 15_000 }, async () => {
    const { port } = await serve({
      routes: { '/': echo() },
      timeouts: { headMs: 300, bodyMs: 300, sendMs: 300 },
    })
    const silent = await Visitor.at(port)
    const slowHead = await Visitor.at(port)
    slowHead.send(speech.opening({}).subarray(0, 30))
    const slowBody = await Visitor.at(port)
    slowBody.send(speech.opening({ method: 'POST', length: '10' })).send(speech.body('abc'))
    await silent.serverEnd()
    expect(silent.received).toHaveLength(0)
    expect((await answer(slowHead)).status).toBe(408)
    expect((await answer(slowBody)).status).toBe(408)
    slowHead.end()
    slowBody.end()
  })

  it('gives up a front that does not read its answer', { timeout: 15_000 }, async () => {
    const { port, totals } = await serve({
      routes: { '/': handler((exchange) => exchange.respond(OK, Buffer.alloc(30_000_000))) },
      timeouts: { sendMs: 300 },
    })
    const visitor = await Visitor.at(port)
    visitor.socket.pause()
    visitor.send(speech.request({}))
    await until(() => totals().open === 1)
    await until(() => totals().open === 0, 10_000)
    visitor.leave()
  })

  it('finishes what it has when it drains', async () => {
    const held = new Held()
    const { gateway, port } = await serve({ routes: { '/': held } })
    const visitor = await Visitor.at(port)
    visitor.send(speech.request({}))
    await until(() => held.exchanges.length === 1)
    let drained = false
    gateway.drain(() => {
      drained = true
    })
    expect(drained).toBe(false)
    held.last.respond(OK, Buffer.from('hello'))
    expect((await answer(visitor)).body.toString()).toBe('hello')
    await visitor.serverEnd()
    visitor.end()
    await until(() => drained)
  })

  it('has room for so many', async () => {
    const { gateway, port } = await serve({
      routes: { '/': new Held() },
      limits: { connections: 1 },
    })
    expect(gateway.admit()).toBe(true)
    const visitor = await Visitor.at(port)
    await until(() => !gateway.admit())
    const other = await Visitor.at(port)
    await other.serverEnd()
    visitor.leave()
  })
})
