/** Backends that do as they should and backends that do not, over real sockets. */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { PoolPlan } from '../../src/site/plan.ts'
import { type Backend, get, raw, rawBackend, scriptedBackend, sleep, until } from './backends.ts'
import { front, poolPlan, target } from './front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

/** A front before one backend; its port. */
async function frontOf(backend: Backend, changes: Partial<PoolPlan> = {}): Promise<number> {
  const made = await front(poolPlan([target(backend.port)], changes))
  open.push(backend, made)
  return made.port
}

function ok(body: string, more = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`
}

/** A backend that answers every request with these bytes. */
function saying(text: string, then: (socket: Socket) => void = () => {}): Promise<Backend> {
  return scriptedBackend((socket) => {
    socket.write(text, 'latin1')
    then(socket)
  })
}

describe('requests', () => {
  /** What the backend is sent for `bytes`. */
  async function sent(bytes: string, changes: Partial<PoolPlan> = {}): Promise<string> {
    let head = ''
    const backend = await scriptedBackend((socket, text) => {
      head = text
      socket.write(ok('', 'Connection: close\r\n'))
    })
    await raw(await frontOf(backend, changes), bytes)
    return head.replaceAll(String(backend.port), 'PORT')
  }

  it('go on with their end-to-end fields, in order and as they were written', async () => {
    const head = await sent(
      'GET /a%20b/../c?d=e&f HTTP/1.1\r\nHost: Example.com:81\r\nuSER-Agent:x \r\nAccept: a\r\nX-Empty:\r\nAccept: b\r\nConnection: close\r\n\r\n',
    )
    expect(head).toBe(
      'GET /c?d=e&f HTTP/1.1\r\nHost: Example.com:81\r\nuSER-Agent: x\r\nAccept: a\r\nX-Empty: \r\nAccept: b\r\n' +
        'Via: 1.1 portico\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n' +
        'X-Forwarded-Host: Example.com:81\r\nForwarded: for=127.0.0.1;host="Example.com:81";proto=http\r\n',
    )
  })

  it('lose what concerns their own connection only (RFC 9110 §7.6.1)', async () => {
    const head = await sent(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Private, te\r\nX-Private: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\n' +
        'Proxy-Connection: keep-alive\r\nProxy-Authorization: secret\r\nTrailer: X\r\nUpgrade: websocket\r\nExpect: 100-continue\r\nX-Public: 1\r\n\r\n',
    )
    expect(head.split('\r\n').filter((line) => !/^(Via|X-F|X-R|Forw)/.test(line))).toEqual([
      'GET / HTTP/1.1',
      'Host: a',
      'X-Public: 1',
      '',
    ])
  })

  it('cannot say themselves where they came from', async () => {
    const head = await sent(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX_Forwarded_Proto: https\r\n' +
        'x-forwarded-port: 1\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded_Server: evil\r\n\r\n',
    )
    expect(head).not.toMatch(/6\.6|evil|https|port:/i)
    expect(head.match(/X-Forwarded-For/gi)).toHaveLength(1)
  })

  it('cannot drop what we say of them through Connection', async () => {
    const head = await sent(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Host, X-Forwarded-For, Via, Forwarded\r\n\r\n',
    )
    expect(head).toMatch(/Host: a\r\n/)
    expect(head).toMatch(/X-Forwarded-For: 127\.0\.0\.1\r\n/)
    expect(head).toMatch(/Via: 1\.1 portico\r\n/)
  })

  it('are added to Via, and stop when they go in a circle', async () => {
    const via = (times: number): string => Array(times).fill('1.1 portico').join(', ')
    const close = 'Connection: close\r\n\r\n'
    expect(await sent(`GET / HTTP/1.0\r\nVia: 1.0 fred\r\nvia: 1.1 x (c)\r\n${close}`)).toMatch(
      /Via: 1\.0 fred, 1\.1 x \(c\), 1\.0 portico\r\n/,
    )
    expect(await sent(`GET / HTTP/1.1\r\nHost: a\r\nVia: ${via(7)}\r\n${close}`)).toContain(via(8))
    expect(await sent(`GET / HTTP/1.1\r\nHost: a\r\nVia: ${via(8)}\r\n${close}`)).toBe('')
  })

  it('name the backend where the visitor’s host is not preserved or not given', async () => {
    expect(
      await sent('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', { preserveHost: false }),
    ).toMatch(/^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:PORT\r\n(?=.*X-Forwarded-Host: a\r\n)/s)
    expect(await sent('GET / HTTP/1.0\r\n\r\n')).toMatch(/\r\nHost: 127\.0\.0\.1:PORT\r\n/)
  })

  it('in absolute form go on in origin form, with the target’s host (RFC 9112 §3.2.2)', async () => {
    expect(
      await sent('GET http://b.example:8080/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
    ).toMatch(
      /^GET \/x\?y HTTP\/1\.1\r\nHost: b\.example:8080\r\n(?=.*X-Forwarded-Host: b\.example:8080\r\n)/s,
    )
  })

  it('promise trailers when the visitor does', async () => {
    expect(
      await sent(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, TE\r\nTE: trailers, deflate;q=0.5\r\n\r\n',
      ),
    ).toContain('Connection: TE\r\nTE: trailers\r\n')
  })

  it('count down Max-Forwards, and end here at 0 (RFC 9110 §7.6.2)', async () => {
    expect(
      await sent('OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\nConnection: close\r\n\r\n'),
    ).toContain('Max-Forwards: 2\r\n')
    expect(
      await sent('OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n'),
    ).toBe('')
  })

  it('to TRACE are refused: the answer would show what only the backend may see', async () => {
    const port = await frontOf(await saying(ok('leak')))
    expect((await get(port, '/', { method: 'TRACE' })).status).toBe(405)
  })

  it('keep their own addresses apart, though their fields are the same', async () => {
    const heads: string[] = []
    const port = await frontOf(
      await scriptedBackend((socket, head) => {
        heads.push(head.split('\r\n')[0]!)
        socket.write(ok(''))
      }),
    )
    for (const path of ['/1', '/2', '/2', '/1']) await get(port, path)
    expect(heads).toEqual([
      'GET /1 HTTP/1.1',
      'GET /2 HTTP/1.1',
      'GET /2 HTTP/1.1',
      'GET /1 HTTP/1.1',
    ])
  })
})

describe('answers', () => {
  it('come with their end-to-end fields, and no others', async () => {
    const port = await frontOf(
      await saying(
        'HTTP/1.1 418 I am a Teapot\r\nserver: pot\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n' +
          'X-Hop: 1\r\nConnection: X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\nTrailer: X\r\nProxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\npot',
      ),
    )
    const text = await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(text).toBe(
      'HTTP/1.1 418 I am a Teapot\r\nserver: pot\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n' +
        'Content-Length: 3\r\nConnection: close\r\n\r\npot',
    )
  })

  it.each([
    ['a length', ok('hello')],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n',
    ],
    [
      'interim answers first',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok('hello')}`,
    ],
    [
      'a keep-alive of HTTP/1.0',
      'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello',
    ],
  ])('with %s arrive whole, cut at every byte, on one connection', async (_name, text) => {
    let at = 0
    const backend = await scriptedBackend((socket) => {
      at = (at + 1) % text.length
      socket.write(text.slice(0, at), 'latin1')
      setTimeout(() => socket.write(text.slice(at), 'latin1'), 2)
    })
    const port = await frontOf(backend)
    for (let i = 0; i < text.length; i++) {
      expect(await get(port, '/')).toMatchObject({ status: 200, body: 'hello', cut: false })
    }
    expect(backend.accepted).toBe(1)
  })

  it('that end with their connection arrive whole', async () => {
    const backend = await saying('HTTP/1.1 200 OK\r\n\r\nhello', (socket) => socket.end())
    const port = await frontOf(backend)
    for (let i = 0; i < 3; i++) {
      expect(await get(port, '/')).toMatchObject({ status: 200, body: 'hello', cut: false })
    }
    expect(backend.accepted).toBe(3)
  })

  it('to HEAD, 204 and 304 have no body, and keep the connection', async () => {
    const answers = [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', '5'],
      ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', undefined],
      ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', undefined],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', '5'],
    ] as const
    const backend = await scriptedBackend((socket, _head, nth) => {
      socket.write(answers[nth]![1])
    })
    const port = await frontOf(backend)
    for (const [method, , length] of answers) {
      const got = await get(port, '/', { method })
      expect(got).toMatchObject({ body: '', cut: false })
      expect(got.headers['content-length']).toBe(length)
    }
    expect(backend.accepted).toBe(1)
  })

  it('bring early hints and trailers', async () => {
    const port = await frontOf(
      await saying(
        'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n' +
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\n\r\n',
      ),
    )
    const text = await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const [interim, head, ...body] = text.split('\r\n\r\n')
    expect(interim).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload')
    expect(head).toContain('Trailer: X-Sum')
    expect(body.join('\r\n\r\n')).toBe('2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n')
  })

  it('are streamed: a part is passed on before the next one comes', async () => {
    let socket: Socket | null = null
    const port = await frontOf(
      await saying('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n', (made) => {
        socket = made
      }),
    )
    let seen = ''
    const all = raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', (visitor) => {
      visitor.on('data', (part: Buffer) => {
        if (seen === '' && part.includes('one')) {
          seen = 'one'
          socket?.write('3\r\ntwo\r\n0\r\n\r\n')
        }
      })
    })
    expect(await all).toMatch(/3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/)
  })
})

describe('a lying backend', () => {
  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['a bad field', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'a length beside chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a bad chunk at once', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    [
      'a protocol nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    ],
    ['1 MB of head', `HTTP/1.1 200 OK\r\n${`A: ${'b'.repeat(1000)}\r\n`.repeat(1000)}\r\n`],
    ['endless interim answers', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)],
  ])('gives 502 for %s, and its connection is not used again', async (_name, text) => {
    const backend = await saying(text)
    const port = await frontOf(backend)
    expect((await get(port, '/')).status).toBe(502)
    await until(() => backend.sockets.size === 0)
    expect((await get(port, '/')).status).toBe(502)
    expect(backend.accepted).toBe(2)
  })

  it.each([
    ['nothing', ''],
    ['half a status line', 'HTTP/1.1 2'],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n'],
  ])('that closes after %s gives 502', async (_name, text) => {
    const port = await frontOf(await saying(text, (socket) => socket.end()))
    expect((await get(port, '/')).status).toBe(502)
  })

  it.each([
    ['a short body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'],
    ['half the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
    [
      'no last empty line',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
    ],
  ])('that ends in %s cuts the visitor’s answer', async (_name, text) => {
    const port = await frontOf(await saying(text, (socket) => socket.end()))
    expect(await get(port, '/')).toMatchObject({ status: 200, body: 'hello', cut: true })
  })

  it('that spoils a chunk later cuts the visitor’s answer', async () => {
    const port = await frontOf(
      await saying(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
        (socket) => {
          setTimeout(() => socket.write('x\r\n'), 30)
        },
      ),
    )
    expect(await get(port, '/')).toMatchObject({ status: 200, body: 'hello', cut: true })
  })

  it('that resets the connection in an answer without length does not make it whole', async () => {
    const port = await frontOf(
      await saying('HTTP/1.1 200 OK\r\n\r\nhello', (socket) => {
        setTimeout(() => socket.resetAndDestroy(), 30)
      }),
    )
    expect(await get(port, '/')).toMatchObject({ status: 200, cut: true })
  })

  it('that says more than it announced is cut off, and nobody gets the surplus', async () => {
    const backend = await saying(`${ok('first')}${ok('surplus')}`)
    const port = await frontOf(backend)
    for (let i = 0; i < 5; i++) expect((await get(port, '/')).body).toBe('first')
    expect(backend.accepted).toBe(5)
  })

  it('that speaks while nobody asks is cut off', async () => {
    const backend = await saying(ok('asked'), (socket) => {
      setTimeout(() => socket.write(ok('unasked')), 20)
    })
    const port = await frontOf(backend)
    expect((await get(port, '/')).body).toBe('asked')
    await until(() => backend.sockets.size === 0)
    expect((await get(port, '/')).body).toBe('asked')
  })
})

describe('time', () => {
  const soon = { responseTimeoutMs: 300, connectTimeoutMs: 300 }

  it('ends for a backend that never answers', async () => {
    const backend = await saying('')
    const port = await frontOf(backend, soon)
    expect((await get(port, '/')).status).toBe(504)
    await until(() => backend.sockets.size === 0)
  })

  it('ends for a head that trickles in', async () => {
    const port = await frontOf(
      await scriptedBackend((socket) => {
        let at = 0
        const timer = setInterval(() => socket.write(ok('hello')[at++ % 40]!), 50)
        socket.on('close', () => clearInterval(timer))
      }),
      soon,
    )
    expect((await get(port, '/')).status).toBe(504)
  })

  it('ends for a body that stops, and goes on for one that is slow', async () => {
    const text = ok('hello world')
    const slow = await frontOf(
      await scriptedBackend((socket) => {
        for (let at = 0; at < text.length; at += 10) {
          setTimeout(() => socket.write(text.slice(at, at + 10)), at * 20)
        }
      }),
      soon,
    )
    expect(await get(slow, '/')).toMatchObject({ status: 200, body: 'hello world', cut: false })
    const stopped = await frontOf(await saying(text.slice(0, -3)), soon)
    expect(await get(stopped, '/')).toMatchObject({ status: 200, cut: true })
  })

  it('closes kept connections that are idle', async () => {
    const backend = await saying(ok('x'))
    const port = await frontOf(backend, { keepAliveMs: 200 })
    await get(port, '/')
    expect(backend.sockets.size).toBe(1)
    await until(() => backend.sockets.size === 0)
  })

  it('goes on while a visitor is slow to send', async () => {
    const port = await frontOf(
      await rawBackend((socket) => {
        let text = ''
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString()
          if (text.endsWith('0123456789')) socket.write(ok('got it'))
        })
      }),
      soon,
    )
    const answer = await raw(
      port,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nConnection: close\r\n\r\n',
      (visitor) => {
        for (let i = 0; i < 10; i++) setTimeout(() => visitor.write(String(i)), 100 + i * 100)
      },
    )
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('kept connections', () => {
  it('are the last one used first, and no more than allowed', async () => {
    const waiting: Socket[] = []
    const backend = await scriptedBackend((socket) => {
      waiting.push(socket)
      if (waiting.length === 5) for (const each of waiting.splice(0)) each.write(ok('x'))
    })
    const port = await frontOf(backend, { keepAlive: 2 })
    await Promise.all(Array.from({ length: 5 }, () => get(port, '/')))
    expect(backend.accepted).toBe(5)
    await until(() => backend.sockets.size === 2)
  })

  it('that the backend has closed are not used', async () => {
    const backend = await saying(ok('x'), (socket) => setTimeout(() => socket.end(), 10))
    const port = await frontOf(backend)
    for (let i = 0; i < 3; i++) {
      expect((await get(port, '/')).status).toBe(200)
      await sleep(40)
    }
    expect(backend.accepted).toBe(3)
  })

  /** Answers each connection's first request and closes on the second, unheard, as a tired server does. */
  function tired(how: (socket: Socket) => void): Promise<Backend> {
    return rawBackend((socket) => {
      let requests = 0
      socket.on('data', () => {
        if (requests++ === 0) socket.write(ok('x'))
        else how(socket)
      })
    })
  }

  it.each([
    ['closes', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ])(
    'whose backend %s just as we send: the request is sent again on a fresh one',
    async (_name, how) => {
      const backend = await tired(how)
      const port = await frontOf(backend)
      for (let i = 0; i < 4; i++)
        expect(await get(port, '/', { method: i === 2 ? 'PUT' : 'GET' })).toMatchObject({
          status: 200,
          body: 'x',
        })
      expect(backend.accepted).toBe(4)
    },
  )

  it('never see a request twice that is not safe to repeat', async () => {
    const backend = await tired((socket) => socket.end())
    const port = await frontOf(backend)
    expect((await get(port, '/')).status).toBe(200)
    expect((await get(port, '/', { method: 'POST', body: 'pay' })).status).toBe(502)
    expect((await get(port, '/')).status).toBe(200)
    expect((await get(port, '/', { method: 'PUT', body: 'pay' })).status).toBe(502)
  })

  it('never see a request twice of which something was answered', async () => {
    let requests = 0
    const backend = await scriptedBackend((socket) => {
      if (requests++ === 0) socket.write(ok('x'))
      else socket.end('HTTP/1.1 200 OK\r\nConte')
    })
    const port = await frontOf(backend)
    expect((await get(port, '/')).status).toBe(200)
    expect((await get(port, '/')).status).toBe(502)
    expect(requests).toBe(2)
  })

  it('are not used when the answer came before the whole request', async () => {
    const backend = await rawBackend((socket) => {
      socket.once('data', () => socket.write(ok('enough')))
    })
    const port = await frontOf(backend)
    const early = await raw(
      port,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nstart',
      (visitor) => {
        visitor.once('data', () => visitor.end())
      },
    )
    expect(early).toContain('enough')
    await until(() => backend.sockets.size === 0)
  })
})

describe('a visitor', () => {
  it('that leaves takes the backend’s connection along', async () => {
    const backend = await saying('')
    const port = await frontOf(backend)
    await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (visitor) => {
      void until(() => backend.sockets.size === 1).then(() => visitor.resetAndDestroy())
    })
    await until(() => backend.sockets.size === 0)
  })

  it('that leaves in the middle of an answer or a body does so too', async () => {
    const backend = await saying('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello')
    const port = await frontOf(backend)
    await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (visitor) => {
      visitor.on('data', () => visitor.resetAndDestroy())
    })
    await until(() => backend.sockets.size === 0)
    await raw(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nhello', (visitor) => {
      void until(() => backend.sockets.size === 1).then(() => visitor.resetAndDestroy())
    })
    await until(() => backend.sockets.size === 0)
  })

  it('may pipeline, and gets its answers in order', async () => {
    const backend = await scriptedBackend((socket, head) => {
      const path = head.split(' ')[1]!
      setTimeout(() => socket.write(ok(path)), path === '/1' ? 40 : 1)
    })
    const port = await frontOf(backend)
    const all = await raw(
      port,
      ['/1', '/2', '/3']
        .map(
          (path) =>
            `GET ${path} HTTP/1.1\r\nHost: a\r\n${path === '/3' ? 'Connection: close\r\n' : ''}\r\n`,
        )
        .join(''),
    )
    expect(all.match(/\/[123]$|\/[123](?=HTTP)/g)).toEqual(['/1', '/2', '/3'])
    expect(backend.accepted).toBe(1)
  })
})
