/** What only uwsgi has: modifiers, pings, and with puwsgi several requests on a connection. */
import { afterEach, describe, expect, it } from 'vitest'
import { uwsgi } from '../../../src/gateways/uwsgi/gateway.ts'
import { encodePacket } from '../../../src/wire/uwsgi.ts'
import { echo, Held, handler, OK, says } from '../http1/handlers.ts'
import { gatewayOptions, listening, type SiteOptions } from '../http1/site.ts'
import { sleep, until, Visitor } from '../http1/visitor.ts'
import { uwsgiSpeech as speech } from './front.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

async function serve(options: SiteOptions, persistent = false): Promise<number> {
  const { port, close } = await listening(uwsgi(gatewayOptions(options), persistent))
  open.push(close)
  return port
}

async function tell(port: number, bytes: Uint8Array): Promise<string> {
  const visitor = await Visitor.at(port)
  await visitor.send(bytes).serverEnd()
  visitor.leave()
  return visitor.received.toString('latin1')
}

describe('uwsgi', () => {
  it('answers as uWSGI does: in the version that was asked in, without Date, Server or Connection', async () => {
    const port = await serve({ routes: { '/': says('hello') } })
    for (const version of ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2.0']) {
      const bytes = speech.request({ variables: { SERVER_PROTOCOL: version } })
      expect(await tell(port, bytes)).toBe(
        `${version} 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
      )
    }
  })

  it('announces no length that nobody told', async () => {
    const streams = handler((exchange) => {
      exchange.start({ ...OK, reason: 'Fine' }, -1)
      exchange.write(Buffer.from('parts'), true)
      exchange.end()
    })
    const port = await serve({ routes: { '/': streams } })
    expect(await tell(port, speech.request({}))).toBe(
      'HTTP/1.1 200 Fine\r\nContent-Type: text/plain\r\n\r\nparts',
    )
  })

  it('answers pings', async () => {
    const port = await serve({ routes: { '/': says('hello') } })
    expect(await tell(port, Buffer.of(100, 0, 0, 0))).toBe('d\0\0\x01')
  })

  it.each([0, 5, 7, 9, 14])('answers requests for any language: modifier %i', async (modifier) => {
    const port = await serve({ routes: { '/': says('hello') } })
    const bytes = speech.request({})
    bytes[0] = modifier
    expect(await tell(port, bytes)).toContain('hello')
  })

  it.each([10, 17, 18, 22, 31, 48, 72, 101, 110, 111, 173, 224, 255])(
    'does nothing for modifier %i, and says so',
    async (modifier) => {
      const port = await serve({ routes: { '/': says('hello') } })
      const bytes = speech.request({})
      bytes[0] = modifier
      expect(await tell(port, bytes)).toMatch(/^HTTP\/1\.1 400 /)
    },
  )

  it.each([
    ['no variables at all', Buffer.of(0, 0, 0, 0)],
    ['an empty name', Buffer.from('\0\x05\0\0\0\0\x01\0x', 'latin1')],
    ['a name that does not fit', Buffer.from('\0\x05\0\0\xff\xffabc', 'latin1')],
  ])('refuses %s', async (_, bytes) => {
    const port = await serve({ routes: { '/': says('hello') } })
    expect(await tell(port, bytes)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('asks for a length where a body comes without', async () => {
    const port = await serve({ routes: { '/': echo() } })
    const variables = { HTTP_TRANSFER_ENCODING: 'chunked' }
    expect(await tell(port, speech.request({ method: 'POST', variables }))).toMatch(
      /^HTTP\/1\.1 411 /,
    )
  })

  it('never does what variables say that load code', async () => {
    const port = await serve({ routes: { '/': echo() } })
    const pairs = ['REQUEST_METHOD', 'GET', 'REQUEST_URI', '/', 'UWSGI_FILE', '/etc/passwd']
    expect(await tell(port, encodePacket(0, 0, [...pairs, 'UWSGI_CHDIR', '/']))).toMatch(
      /^HTTP\/1\.1 200 /,
    )
  })
})

describe('puwsgi', () => {
  it('has several requests on a connection, also when they come at once', async () => {
    const port = await serve({ routes: { '/': echo() } }, true)
    const visitor = await Visitor.at(port)
    const bodies = ['one', '', 'three', 'four']
    visitor.send(Buffer.concat(bodies.map((body) => speech.request({ method: 'POST', body }))))
    await until(() => visitor.received.includes('four'))
    visitor.send(speech.request({ method: 'POST', body: 'five' }))
    const answers = await visitor.answers(5)
    expect(answers.map(({ body }) => body.toString())).toEqual([...bodies, 'five'])
    visitor.leave()
  })

  it('has them wait for each other', async () => {
    const held = new Held()
    const port = await serve({ routes: { '/': held } }, true)
    const visitor = await Visitor.at(port)
    visitor.send(Buffer.concat([speech.request({}), speech.request({ path: '/2' })]))
    await until(() => held.exchanges.length === 1)
    await sleep(20)
    expect(held.exchanges).toHaveLength(1)
    held.last.respond(OK, Buffer.from('1'))
    await until(() => held.exchanges.length === 2)
    expect(held.last.line.path).toBe('/2')
    held.last.respond(OK, Buffer.from('2'))
    expect((await visitor.answers(2)).map(({ body }) => body.toString())).toEqual(['1', '2'])
    visitor.leave()
  })

  it('reads over a body that nobody wanted', async () => {
    const port = await serve({ routes: { '/': says('hello') } }, true)
    const visitor = await Visitor.at(port)
    const body = Buffer.alloc(100_000)
    visitor.send(speech.request({ method: 'POST', body })).send(speech.request({}))
    expect(await visitor.answers(2)).toMatchObject([{ status: 200 }, { status: 200 }])
    visitor.leave()
  })

  it.each([
    ['whose length nobody told', {}],
    ['to a body too large to read over', { method: 'POST', length: '10000000' }],
  ])('ends with an answer %s', async (_, asked) => {
    const streams = handler((exchange) => {
      exchange.start(OK, 'length' in asked ? 5 : -1)
      exchange.write(Buffer.from('parts'), true)
      exchange.end()
    })
    const port = await serve({ routes: { '/': streams }, limits: { body: 20_000_000 } }, true)
    expect(await tell(port, speech.opening(asked))).toContain('parts')
  })

  it('ends when it is idle', async () => {
    const options = { routes: { '/': says('hello') }, timeouts: { idleMs: 300 } }
    const port = await serve(options, true)
    expect(await tell(port, speech.request({}))).toContain('hello')
  })
})
