/** How answers are framed, and what that does to the connection: over real sockets. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { PorticoError } from '../../../src/errors.ts'
import type { Handler } from '../../../src/request/exchange.ts'
import { type Answer, field } from './answers.ts'
import { echo, Held, handler, OK, says } from './handlers.ts'
import { type ListeningSite, listeningSite, type SiteOptions } from './site.ts'
import { sleep, until, Visitor } from './visitor.ts'

let site: ListeningSite | null = null
const visitors: Visitor[] = []

afterEach(() => {
  for (const visitor of visitors.splice(0)) visitor.leave()
  site?.close()
  site = null
})

async function visit(
  routes: Record<string, Handler>,
  options: Omit<SiteOptions, 'routes'> = {},
): Promise<Visitor> {
  site ??= await listeningSite({ routes, ...options })
  const visitor = await Visitor.at(site.port)
  visitors.push(visitor)
  return visitor
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

function texts(answers: readonly Answer[]): string[] {
  return answers.map(({ body }) => body.toString())
}

describe('keep-alive', () => {
  test('an HTTP/1.1 connection carries one request after another', async () => {
    const visitor = await visit({ '/': says('hello') })
    for (let i = 1; i <= 3; i++) {
      const answers = await visitor.send(GET).answers(i)
      expect(answers.at(-1)).toMatchObject({ status: 200, body: Buffer.from('hello') })
      expect(field(answers.at(-1)!, 'connection')).toBeUndefined()
    }
    expect(visitor.ended).toBe(false)
  })

  test('Connection: close is said and done', async () => {
    const visitor = await visit({ '/': says('hello') })
    visitor.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(field(await visitor.answer(), 'connection')).toBe('close')
    await visitor.serverEnd()
    visitor.end()
    await visitor.gone()
    expect(visitor.broken).toBe('')
  })

  test('HTTP/1.0 closes, unless it asks for more', async () => {
    const visitor = await visit({ '/': says('hello') })
    visitor.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    expect(field(await visitor.answer(), 'connection')).toBe('keep-alive')
    const [, second] = await visitor.send('GET / HTTP/1.0\r\n\r\n').answers(2)
    expect(field(second!, 'connection')).toBe('close')
    await visitor.serverEnd()
  })
})

describe('framing', () => {
  test('an answer in parts of unknown length is chunked, with trailers', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start(OK, -1)
        exchange.write(Buffer.from('one '), false)
        exchange.write(Buffer.alloc(0), false)
        setTimeout(() => {
          exchange.write(Buffer.alloc(40_000, 'x'), true)
          exchange.end('X-Sum: 1\r\n')
        }, 10)
      }),
    })
    const answer = await visitor.send(GET).answer()
    expect(answer.chunked).toBe(true)
    expect(answer.body.toString()).toBe(`one ${'x'.repeat(40_000)}`)
    expect(answer.trailers).toBe('X-Sum: 1\r\n')
    expect((await visitor.send(GET).answers(2)).length).toBe(2)
  })

  test('to HTTP/1.0 it lasts until the end of the connection', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start(OK, -1)
        exchange.write(Buffer.from('one'), false)
        setImmediate(() => {
          exchange.write(Buffer.from(' two'), false)
          exchange.end('X-Sum: 1\r\n')
        })
      }),
    })
    visitor.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    await visitor.serverEnd()
    const answer = await visitor.answer()
    expect(answer.body.toString()).toBe('one two')
    expect(field(answer, 'connection')).toBe('close')
    expect(field(answer, 'transfer-encoding')).toBeUndefined()
  })

  test('a request body and its trailers arrive in whatever framing', async () => {
    const visitor = await visit({ '/': echo() })
    visitor.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
    visitor.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n',
    )
    expect(texts(await visitor.answers(2))).toEqual(['hello', 'helloX: y\r\n'])
  })

  test('HEAD, 204 and 304 have no body, whatever the handler gives', async () => {
    const give = (status: number): Handler =>
      handler((exchange) => exchange.respond({ ...OK, status }, Buffer.from('hello')))
    const parts = (status: number): Handler =>
      handler((exchange) => {
        exchange.start({ ...OK, status }, 5)
        exchange.write(Buffer.from('hello'), false)
        exchange.end()
      })
    const endless = handler((exchange) => {
      exchange.start(OK, -1)
      exchange.write(Buffer.from('hello'), false)
      exchange.end('X: y\r\n')
    })
    const visitor = await visit({
      '/200': give(200),
      '/204': give(204),
      '/304': give(304),
      '/parts/200': parts(200),
      '/parts/204': parts(204),
      '/parts/304': parts(304),
      '/endless': endless,
    })
    const asked: [string, string][] = [
      ['HEAD', '/200'],
      ['GET', '/204'],
      ['GET', '/304'],
      ['HEAD', '/parts/200'],
      ['GET', '/parts/204'],
      ['GET', '/parts/304'],
      ['HEAD', '/endless'],
      ['GET', '/200'],
    ]
    for (const [method, path] of asked)
      visitor.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    const answers = await visitor.answers(
      asked.length,
      asked.map(([method]) => method),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 204, 304, 200, 204, 304, 200, 200])
    // RFC 9110 §8.6: none with 204; with HEAD and 304 what a GET would have had.
    expect(answers.map((answer) => field(answer, 'content-length'))).toEqual([
      '5',
      undefined,
      '5',
      '5',
      undefined,
      '5',
      undefined,
      '5',
    ])
    expect(answers.map((answer) => field(answer, 'transfer-encoding'))).toEqual([
      ...Array(6).fill(undefined),
      'chunked',
      undefined,
    ])
    expect(texts(answers)).toEqual(['', '', '', '', '', '', '', 'hello'])
  })

  test('a 304 in parts without a known length says none', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start({ ...OK, status: 304 }, -1)
        exchange.end()
      }),
    })
    const answer = await visitor.send(GET).answer()
    expect(field(answer, 'content-length')).toBeUndefined()
    expect(field(answer, 'transfer-encoding')).toBeUndefined()
  })

  test('interim answers come before the final one, and not to HTTP/1.0', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.inform(103, 'Link: </a.css>; rel=preload\r\n')
        exchange.respond(OK, Buffer.from('hello'))
      }),
    })
    const [interim, answer] = await visitor.send(GET).answers(2)
    expect(interim).toMatchObject({ status: 103, fields: [['link', '</a.css>; rel=preload']] })
    expect(answer!.status).toBe(200)
    const old = await visit({})
    await old.send('GET / HTTP/1.0\r\n\r\n').serverEnd()
    expect((await old.answers(2)).map(({ status }) => status)).toEqual([200])
  })

  test('every answer says when and by whom', async () => {
    const visitor = await visit({ '/': says('') })
    const answer = await visitor.send(GET).answer()
    expect(field(answer, 'server')).toBe('portico')
    expect(Math.abs(Date.parse(field(answer, 'date')!) - Date.now())).toBeLessThan(3000)
  })
})

describe('answers that go wrong', () => {
  test('fewer bytes than announced: the connection is cut', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start(OK, 10)
        exchange.write(Buffer.from('short'), false)
        exchange.end()
      }),
    })
    visitor.send(GET + GET)
    await visitor.serverEnd()
    expect(visitor.received.toString()).toMatch(/Content-Length: 10\r\n\r\nshort$/)
  })

  test('more bytes than announced are never sent', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start(OK, 3)
        exchange.write(Buffer.from('ab'), false)
        exchange.write(Buffer.from('cHTTP/1.1 200 OK\r\n'), false)
        exchange.end()
      }),
    })
    expect(texts(await visitor.send(GET + GET).answers(2))).toEqual(['abc', 'abc'])
  })

  test('a length that is not the body’s is not believed', async () => {
    const visitor = await visit({
      '/': handler((exchange) => exchange.respond(OK, Buffer.from('abc'), 7)),
    })
    expect(texts(await visitor.send(GET + GET).answers(2))).toEqual(['abc', 'abc'])
  })

  test('a failure before anything was sent has its page', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start(OK, 10)
        exchange.fail(new PorticoError('BACKEND_CLOSED'))
      }),
    })
    const answer = await visitor.send(GET).answer()
    expect(answer.status).toBe(502)
    expect((await visitor.send(GET).answers(2)).length).toBe(2)
  })

  test.for(['1.1', '1.0'])(
    'a failure in the middle is not taken for the end, HTTP/%s',
    async (v) => {
      const visitor = await visit({
        '/': handler((exchange) => {
          exchange.start(OK, -1)
          exchange.write(Buffer.from('part'), false)
          setTimeout(() => exchange.fail(new PorticoError('BACKEND_CLOSED')), 20)
        }),
      })
      visitor.send(`GET / HTTP/${v}\r\nHost: a\r\n\r\n`)
      await visitor.serverEnd()
      expect(visitor.received.toString()).toContain('part')
      if (v === '1.0') expect(visitor.broken).toBe('ECONNRESET')
      else expect(visitor.received.toString()).not.toContain('0\r\n\r\n')
    },
  )

  test('a handler that throws is a 500 without its words', async () => {
    const visitor = await visit({
      '/': handler(() => {
        throw new Error('the password is swordfish')
      }),
    })
    const said = vi.spyOn(console, 'error').mockImplementation(() => {})
    const answer = await visitor.send(GET).answer()
    expect(answer.status).toBe(500)
    expect(answer.body.toString()).not.toContain('swordfish')
    expect((await visitor.send(GET).answers(2)).length).toBe(2)
    expect(said).toHaveBeenCalledWith(expect.stringContaining('swordfish'))
    said.mockRestore()
  })

  test('a second answer is not sent', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.respond(OK, Buffer.from('one'))
        exchange.respond(OK, Buffer.from('two'))
        exchange.start(OK, 3)
        exchange.write(Buffer.from('two'), false)
        exchange.end()
        exchange.fail(new PorticoError('INTERNAL'))
        exchange.inform(103, '')
      }),
    })
    expect(texts(await visitor.send(GET + GET).answers(2))).toEqual(['one', 'one'])
  })
})

describe('pipelining', () => {
  test('answers come in order, whether given at once or later', async () => {
    let n = 0
    const visitor = await visit({
      '/now': handler((exchange) => exchange.respond(OK, Buffer.from(`${n++}`))),
      '/later': handler((exchange) => {
        setTimeout(() => exchange.respond(OK, Buffer.from(`${n++}`)), 5)
      }),
      '/body': handler((exchange) => {
        let size = 0
        setTimeout(() => {
          exchange.receive({
            data: (chunk) => {
              size += chunk.length
              setTimeout(() => exchange.resume(), 1)
              return false
            },
            end: () => exchange.respond(OK, Buffer.from(`${n++}:${size}`)),
            abort: () => {},
          })
        }, 2)
      }),
    })
    const body = 'x'.repeat(100_000)
    const asked = [
      'GET /now HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /later HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /now HTTP/1.1\r\nHost: a\r\n\r\n',
      `POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      'GET /later HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /now HTTP/1.1\r\nHost: a\r\n\r\n',
    ]
    visitor.send(asked.join('').repeat(3))
    expect(texts(await visitor.answers(18))).toEqual(
      Array.from({ length: 18 }, (_, i) => (i % 6 === 3 ? `${i}:100000` : `${i}`)),
    )
  })

  test('a visitor who asks and does not read is not read from', async () => {
    const page = Buffer.alloc(10_000, 'x')
    let served = 0
    const visitor = await visit({
      '/': handler((exchange) => {
        served++
        exchange.respond(OK, page)
      }),
    })
    visitor.socket.pause()
    const asked = 20_000
    for (let i = 0; i < asked; i += 1000) visitor.send(GET.repeat(1000))
    await sleep(500)
    const before = served
    // What the kernel's buffers hold of answers, and one bound of ours.
    expect(before).toBeLessThan(1500)
    await sleep(200)
    expect(served).toBe(before)
    let bytes = 0
    visitor.socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    visitor.socket.resume()
    await until(() => served === asked, 20_000)
    const each = (await visitor.answers(1))[0]!
    const size = visitor.received.indexOf('HTTP/1.1', 10)
    await until(() => bytes === size * asked, 20_000)
    expect(each.body.length).toBe(10_000)
  }, 60_000)

  test('a half-closed visitor gets every answer', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        setTimeout(() => exchange.respond(OK, Buffer.alloc(5000, 'x')), 2)
      }),
    })
    visitor.send(GET.repeat(20)).end()
    await visitor.gone()
    expect((await visitor.answers(20)).length).toBe(20)
    expect(visitor.broken).toBe('')
  })

  test('a half-closed visitor who reads late gets every answer, too', async () => {
    const page = Buffer.alloc(16_000, 'x')
    const visitor = await visit({ '/': handler((exchange) => exchange.respond(OK, page)) })
    visitor.socket.pause()
    await visitor.sent(GET.repeat(2000))
    visitor.end()
    await sleep(300)
    visitor.socket.resume()
    await visitor.gone()
    expect((await visitor.answers(2000)).length).toBe(2000)
  })

  test('what was read ahead waits, and reading stops', async () => {
    const held = new Held()
    const visitor = await visit({ '/': held })
    visitor.socket.setNoDelay(true)
    const sent = visitor.sent(GET.repeat(400_000))
    const winner = await Promise.race([sent.then(() => 'sent'), sleep(300).then(() => 'held')])
    expect(winner).toBe('held')
    expect(held.exchanges.length).toBe(1)
    expect(site!.totals().received).toBeLessThan(300_000)
  })
})
