/** What a visitor may send, how much and how slowly: over real sockets. */
import { afterEach, describe, expect, test } from 'vitest'
import { PorticoError } from '../../../src/errors.ts'
import type { Exchange, Handler } from '../../../src/request/exchange.ts'
import { field } from './answers.ts'
import { echo, Held, handler, OK, says } from './handlers.ts'
import { LIMITS, type ListeningSite, listeningSite, type SiteOptions } from './site.ts'
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
const post = (length: number, more = ''): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${more}\r\n`
const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('Expect: 100-continue', () => {
  const EXPECT = 'Expect: 100-continue\r\n'

  test('a handler that reads says Continue, and only then', async () => {
    const held = new Held()
    const visitor = await visit({ '/': held })
    visitor.send(post(5, EXPECT))
    await until(() => held.exchanges.length === 1)
    await sleep(30)
    expect(visitor.received.length).toBe(0)
    let body = ''
    held.last.receive({
      data: (chunk) => {
        body += Buffer.from(chunk).toString()
        return true
      },
      end: () => held.last.respond(OK, Buffer.from(body)),
      abort: () => {},
    })
    const [interim] = await visitor.answers(1)
    expect(interim!.status).toBe(100)
    visitor.send('hello')
    const [, answer] = await visitor.answers(2)
    expect(answer!.body.toString()).toBe('hello')
    visitor.send(GET)
    await until(() => held.exchanges.length === 2)
  })

  test('a handler that does not read answers at once, and the connection closes', async () => {
    const visitor = await visit({ '/': says('no need') })
    visitor.send(post(5, EXPECT))
    const answer = await visitor.answer()
    expect(answer.status).toBe(200)
    // Whether the body will come is anybody's guess now: nothing after it could be trusted.
    expect(field(answer, 'connection')).toBe('close')
    await visitor.serverEnd()
  })

  test('a body that comes without waiting is not taken for a request', async () => {
    const seen: string[] = []
    const visitor = await visit({
      '/': handler((exchange) => {
        seen.push(exchange.line.method)
        exchange.respond(OK, Buffer.alloc(0))
      }),
    })
    visitor.send(post(GET.length, EXPECT) + GET)
    await visitor.serverEnd()
    expect(seen).toEqual(['POST'])
  })

  test('a body that comes without waiting is read all the same', async () => {
    const visitor = await visit({ '/': echo() })
    visitor.send(`${post(5, EXPECT)}hello${GET}`)
    const answers = await visitor.answers(3)
    expect(answers.map(({ status }) => status)).toEqual([100, 200, 200])
    expect(answers[1]!.body.toString()).toBe('hello')
  })

  test('HTTP/1.0 is not told to continue', async () => {
    const visitor = await visit({ '/': echo() })
    visitor.send(`POST / HTTP/1.0\r\nContent-Length: 5\r\n${EXPECT}\r\nhello`)
    await visitor.serverEnd()
    expect((await visitor.answers(2)).map(({ status }) => status)).toEqual([200])
  })

  test('too large a body is refused before it is sent', async () => {
    const visitor = await visit({ '/': echo() })
    const answer = await visitor.send(post(LIMITS.body + 1, EXPECT)).answer()
    expect(answer.status).toBe(413)
    expect(field(answer, 'connection')).toBe('close')
    await visitor.serverEnd()
  })
})

describe('limits', () => {
  test.for<[string, string, number]>([
    ['a long line', `GET /${'a'.repeat(LIMITS.line)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['a large head', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(LIMITS.head)}\r\n\r\n`, 431],
    ['many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(LIMITS.fields)}\r\n`, 431],
  ])('%s', async ([, bytes, status]) => {
    const visitor = await visit({ '/': says('') })
    expect((await visitor.send(bytes).answer()).status).toBe(status)
    await visitor.serverEnd()
    visitor.end()
    await visitor.gone()
    expect(visitor.broken).toBe('')
    await until(() => site!.totals().open === 0)
  })

  test('a chunked body is refused when it has become too large, not before', async () => {
    const held = new Held()
    const visitor = await visit({ '/': held }, { limits: { body: 10 } })
    visitor.send(`${CHUNKED}a\r\n0123456789\r\n`)
    await until(() => held.exchanges.length === 1)
    const got: string[] = []
    held.last.receive({
      data: (chunk) => got.push(Buffer.from(chunk).toString()) > 0,
      end: () => got.push('end'),
      abort: (error) => got.push(error.code),
    })
    await sleep(20)
    expect(got).toEqual(['0123456789'])
    visitor.send('1\r\nx\r\n0\r\n\r\n')
    const answer = await visitor.answer()
    expect(answer.status).toBe(413)
    expect(got).toEqual(['0123456789', 'TOO_LARGE_BODY'])
    await visitor.serverEnd()
  })

  test('a chunk that announces too much is refused when it has come', async () => {
    const visitor = await visit({ '/': echo() }, { limits: { body: 10 } })
    const answer = await visitor.send(`${CHUNKED}fffffffffffff\r\n${'x'.repeat(11)}`).answer()
    expect(answer.status).toBe(413)
  })

  test('a body of exactly the limit passes', async () => {
    const visitor = await visit({ '/': echo() }, { limits: { body: 10 } })
    visitor.send(`${post(10)}0123456789${CHUNKED}a\r\n0123456789\r\n0\r\n\r\n`)
    expect((await visitor.answers(2)).map(({ status }) => status)).toEqual([200, 200])
  })

  test('a refused large upload hears why, even if it reads only after sending', async () => {
    const visitor = await visit({ '/': echo() })
    visitor.socket.pause()
    const size = 64 * 1024 * 1024
    await visitor.sent(post(size))
    const block = Buffer.alloc(1024 * 1024, 'x')
    for (let sent = 0; sent < size; sent += block.length) await visitor.sent(block)
    await sleep(50)
    visitor.socket.resume()
    const answer = await visitor.answer()
    expect(answer.status).toBe(413)
    visitor.end()
    await visitor.gone()
    expect(visitor.broken).toBe('')
  })

  test('a small body that nobody reads keeps the connection', async () => {
    const visitor = await visit({ '/nowhere': says('') })
    visitor.send(`${post(100_000)}${'x'.repeat(100_000)}${GET}`)
    const answers = await visitor.answers(2)
    expect(answers.map(({ status }) => status)).toEqual([404, 404])
    expect(visitor.ended).toBe(false)
  })

  test('a large body that nobody reads closes it', async () => {
    const visitor = await visit({ '/': says('') })
    visitor.send(`${post(300_000)}`)
    const answer = await visitor.answer()
    expect(field(answer, 'connection')).toBe('close')
    await visitor.serverEnd()
  })

  test('a handler that answers in the middle of the body is not fed any more', async () => {
    let pieces = 0
    const visitor = await visit({
      '/': handler((exchange) =>
        exchange.receive({
          data: () => {
            pieces++
            if (!exchange.answered) exchange.respond(OK, Buffer.from('enough'))
            // Wanting a pause and no more at once must not stop the connection.
            return false
          },
          end: () => {
            pieces += 100
          },
          abort: () => {
            pieces += 1000
          },
        }),
      ),
    })
    visitor.send(post(100))
    await sleep(20)
    visitor.send('x'.repeat(50))
    await sleep(20)
    visitor.send('y'.repeat(50) + GET)
    const answers = await visitor.answers(1)
    expect(answers[0]!.body.toString()).toBe('enough')
    expect(pieces).toBe(1)
    await until(() => site!.totals().requests === 2)
  })

  test('more connections than allowed are turned away, and room is made again', async () => {
    const first = await visit({ '/': says('hello') }, { limits: { connections: 1 } })
    await first.send(GET).answers(1)
    const second = await visit({})
    await second.serverEnd()
    first.leave()
    await until(() => site!.totals().open === 0)
    const third = await visit({})
    expect((await third.send(GET).answer()).status).toBe(200)
  })
})

describe('deadlines', () => {
  test('a head that never ends is 408, however it trickles', async () => {
    const visitor = await visit({ '/': says('') }, { timeouts: { headMs: 600 } })
    const began = Date.now()
    const bytes = GET.slice(0, -2)
    const trickle = setInterval(() => visitor.send('X: y\r\n'), 50)
    visitor.send(bytes)
    const answer = await visitor.answer()
    clearInterval(trickle)
    expect(answer.status).toBe(408)
    expect(Date.now() - began).toBeLessThan(2000)
    await visitor.serverEnd()
  })

  test('empty lines do not keep a connection', async () => {
    const visitor = await visit({ '/': says('') }, { timeouts: { headMs: 600 } })
    const trickle = setInterval(() => visitor.send('\r\n'), 50)
    const began = Date.now()
    await visitor.serverEnd()
    clearInterval(trickle)
    expect(Date.now() - began).toBeLessThan(2500)
  })

  test('a connection that says nothing is closed without a word', async () => {
    const visitor = await visit({ '/': says('') }, { timeouts: { headMs: 400 } })
    await visitor.serverEnd()
    expect(visitor.received.length).toBe(0)
    expect(visitor.broken).toBe('')
    await until(() => site!.totals().open === 0)
  })

  test('a body that stops is 408, one that goes on is not', async () => {
    const visitor = await visit({ '/': echo() }, { timeouts: { bodyMs: 500 } })
    visitor.send(post(12))
    for (let i = 0; i < 10; i++) {
      await sleep(100)
      visitor.send('x')
    }
    expect(visitor.received.length).toBe(0)
    const answer = await visitor.answer()
    expect(answer.status).toBe(408)
    expect(field(answer, 'connection')).toBe('close')
    await visitor.serverEnd()
  })

  test('a handler that takes its time has it: deadlines are for visitors', async () => {
    const visitor = await visit(
      {
        '/': handler((exchange) => {
          setTimeout(() => exchange.respond(OK, Buffer.from('late')), 1200)
        }),
      },
      { timeouts: { headMs: 300, bodyMs: 300, idleMs: 300, sendMs: 300 } },
    )
    expect((await visitor.send(GET).answer()).body.toString()).toBe('late')
  })

  test('an idle connection is closed in order', async () => {
    const visitor = await visit({ '/': says('hello') }, { timeouts: { idleMs: 400 } })
    await visitor.send(GET).answers(1)
    const began = Date.now()
    await visitor.serverEnd()
    expect(Date.now() - began).toBeGreaterThan(250)
    expect(visitor.broken).toBe('')
    visitor.end()
    await until(() => site!.totals().open === 0)
  })

  test('a visitor that stops reading is let go, one that reads slowly is not', async () => {
    let gone = 0
    const page = Buffer.alloc(32 * 1024 * 1024, 'x')
    const visitor = await visit(
      {
        '/': handler((exchange) => {
          exchange.onGone = () => gone++
          exchange.start(OK, page.length)
          exchange.write(page, true)
          exchange.onDrain = () => exchange.end()
        }),
      },
      { timeouts: { sendMs: 600 } },
    )
    const slow = await visit({})
    let read = 0
    slow.socket.pause()
    slow.send(GET)
    const sipping = setInterval(() => {
      read += slow.socket.read(2 * 1024 * 1024)?.length ?? slow.socket.read()?.length ?? 0
    }, 60)
    visitor.socket.pause()
    visitor.send(GET)
    await until(() => gone === 1, 5000)
    await until(() => site!.totals().open === 1)
    await until(() => read >= page.length, 15_000)
    clearInterval(sipping)
    expect(gone).toBe(1)
  }, 30_000)

  test('a visitor that leaves nothing but an unread last answer is let go as well', async () => {
    const page = Buffer.alloc(32 * 1024 * 1024, 'x')
    const visitor = await visit(
      { '/': handler((exchange) => exchange.respond(OK, page)) },
      { timeouts: { sendMs: 500 } },
    )
    visitor.socket.pause()
    visitor.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await until(() => site!.totals().requests === 1)
    await until(() => site!.totals().open === 0, 5000)
  })

  test('a visitor that asks on and on and reads nothing is let go as well', async () => {
    const page = Buffer.alloc(16_000, 'x')
    const visitor = await visit(
      { '/': handler((exchange) => exchange.respond(OK, page)) },
      { timeouts: { sendMs: 500 } },
    )
    visitor.socket.pause()
    visitor.send(GET.repeat(5000))
    await until(() => site!.totals().requests > 0)
    await until(() => site!.totals().open === 0, 5000)
    expect(site!.totals().requests).toBeLessThan(5000)
  })

  test('closing takes no longer because the last answer was large', async () => {
    const page = Buffer.alloc(8 * 1024 * 1024, 'x')
    const visitor = await visit(
      { '/': handler((exchange) => exchange.respond(OK, page)) },
      { timeouts: { sendMs: 60_000 } },
    )
    visitor.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await visitor.serverEnd()
    // The visitor never closes its side.
    await until(() => site!.totals().open === 0, 4000)
  })
})

describe('visitors who leave', () => {
  /** An exchange that counts how often it is told. */
  function watched(then: (exchange: Exchange) => void): { handler: Handler; gone: () => number } {
    let gone = 0
    return {
      handler: handler((exchange) => {
        exchange.onGone = () => gone++
        then(exchange)
      }),
      gone: () => gone,
    }
  }

  async function leaving(
    then: (exchange: Exchange) => void,
    bytes: string,
    expected: number,
    before: (visitor: Visitor) => Promise<void> = () => sleep(50),
  ): Promise<void> {
    const { handler: watchedHandler, gone } = watched(then)
    const visitor = await visit({ '/': watchedHandler })
    visitor.send(bytes)
    await before(visitor)
    visitor.reset()
    await until(() => site!.totals().open === 0)
    const totals = site!.totals()
    expect(totals.active).toBe(0)
    expect(gone()).toBe(expected)
  }

  test('before a request', () => leaving(() => {}, '', 0))
  test('in the middle of a head', () => leaving(() => {}, 'GET / HTT', 0))
  test('while the handler thinks', () => leaving(() => {}, GET, 1))
  test('while others wait behind', () => leaving(() => {}, GET.repeat(100), 1))
  test('in the middle of a body', async () => {
    const told: string[] = []
    await leaving(
      (exchange) =>
        exchange.receive({
          data: () => true,
          end: () => told.push('end'),
          abort: (error) => told.push(error.code),
        }),
      `${post(10)}abc`,
      1,
    )
    expect(told).toEqual(['VISITOR_LEFT'])
  })
  test('in the middle of a body that is held back', async () => {
    const told: string[] = []
    await leaving(
      (exchange) =>
        exchange.receive({
          data: () => {
            setTimeout(() => exchange.resume(), 100)
            return false
          },
          end: () => told.push('end'),
          abort: (error) => told.push(error.code),
        }),
      `${post(10)}abc`,
      1,
    )
    expect(told).toEqual(['VISITOR_LEFT'])
  })
  test('in the middle of an answer', () =>
    leaving(
      (exchange) => {
        exchange.start(OK, 100_000_000)
        exchange.write(Buffer.alloc(50_000_000), true)
      },
      GET,
      1,
    ))
  test('in the middle of an answer that nobody is writing', () =>
    leaving(
      (exchange) => {
        exchange.start(OK, -1)
        exchange.write(Buffer.from('a'), false)
      },
      GET,
      1,
    ))
  test('after the answer', () =>
    leaving((exchange) => exchange.respond(OK, Buffer.alloc(5)), GET, 0))

  test('a handler may go on as if nothing had happened', async () => {
    const visitor = await visit({
      '/': handler((exchange) => {
        exchange.start(OK, -1)
        const timer = setInterval(() => {
          exchange.write(Buffer.alloc(100_000), true)
          if (!exchange.gone) return
          clearInterval(timer)
          exchange.resume()
          exchange.receive({ data: () => true, end: () => {}, abort: () => {} })
          exchange.inform(103, '')
          exchange.respond(OK, Buffer.alloc(1))
          exchange.start(OK, 5)
          exchange.end()
          exchange.fail(new PorticoError('INTERNAL'))
          exchange.upgrade({ ...OK, status: 101 }).write('x')
        }, 5)
      }),
    })
    visitor.send(GET)
    await sleep(30)
    visitor.reset()
    await until(() => site!.totals().open === 0)
    await sleep(50)
    expect(site!.totals()).toMatchObject({ active: 0, requests: 1 })
  })

  test('half-closed in the middle of a body: told so, and closed', async () => {
    const told: string[] = []
    const visitor = await visit({
      '/': handler((exchange) =>
        exchange.receive({
          data: () => true,
          end: () => told.push('end'),
          abort: (error) => told.push(error.code),
        }),
      ),
    })
    visitor.send(`${post(10)}abc`).end()
    await visitor.gone()
    expect(told).toEqual(['VISITOR_LEFT'])
    expect((await visitor.answer()).status).toBe(499)
    await until(() => site!.totals().open === 0)
  })

  test('half-closed in the middle of a body that is read late', async () => {
    const told: string[] = []
    const visitor = await visit({
      '/': handler((exchange) => {
        setTimeout(() => {
          exchange.receive({
            data: (chunk) => {
              told.push(Buffer.from(chunk).toString())
              setTimeout(() => exchange.resume(), 20)
              return false
            },
            end: () => told.push('end'),
            abort: (error) => told.push(error.code),
          })
        }, 50)
      }),
    })
    visitor.send(`${post(10)}abc`).end()
    await visitor.gone()
    expect(told).toEqual(['abc', 'VISITOR_LEFT'])
    await until(() => site!.totals().open === 0)
  })

  test('half-closed in the middle of a body that nobody reads: the answer arrives', async () => {
    const visitor = await visit({ '/': says('hello') })
    visitor.send(`${post(10)}abc`).end()
    await visitor.gone()
    expect((await visitor.answer()).body.toString()).toBe('hello')
    expect(visitor.broken).toBe('')
  })

  test('half-closed in the middle of a head', async () => {
    const visitor = await visit({ '/': says('hello') })
    visitor.send('GET / HTTP/1.1\r\nHo').end()
    await visitor.gone()
    expect(visitor.broken).toBe('')
    await until(() => site!.totals().open === 0)
  })
})
