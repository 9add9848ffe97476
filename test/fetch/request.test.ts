/** Our Request beside Node's own: the same to whoever looks. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PorticoError } from '../../src/errors.ts'
import type { FetchExchange } from '../../src/fetch/exchange.ts'
import {
  abortRequest,
  asPlain,
  LightRequest,
  makeRequest,
  PlainRequest,
} from '../../src/fetch/request.ts'
import type { BodySink } from '../../src/request/exchange.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'

/** An exchange that has its request's body already, and gives it in pieces. */
function incoming(head: string, pieces: readonly Uint8Array[] = []): FetchExchange {
  const end = head.indexOf('\r\n')
  const queue = [...pieces]
  let sink: BodySink | null = null
  const pass = (): void => {
    for (let more = true; more && sink !== null; ) {
      const piece = queue.shift()
      if (piece === undefined) {
        const last = sink
        sink = null
        return last.end('')
      }
      more = sink.data(piece)
    }
  }
  const unused = (): never => {
    throw new Error('not asked for')
  }
  return {
    line: parseRequestLine(head.slice(0, end)),
    fields: parseRequestFields(head.slice(end + 2), 1, 100),
    peer: { address: '::1', port: 1, localAddress: '::1', localPort: 80, scheme: 'http' },
    answered: false,
    gone: false,
    onGone: null,
    onDrain: null,
    receive(given) {
      sink = given
      pass()
    },
    resume: pass,
    respond: unused,
    start: unused,
    write: unused,
    end: unused,
    fail: (error: PorticoError) => {
      throw error
    },
  }
}

const pathChars = fc.constantFrom(...'/ab.%2eE?&=+~;:@!$\'()*,"<>^`{|}\\[]_-'.split(''))
const targets = fc
  .string({ unit: pathChars })
  .map((rest) => `/${rest}`)
  .filter((target) => {
    try {
      return parseRequestLine(`GET ${target} HTTP/1.1`) !== null
    } catch {
      return false
    }
  })
const hosts = fc.oneof(
  fc.constantFrom(
    'a',
    'A.Example',
    'a:80',
    'a:8080',
    '[::1]',
    '127.1',
    '0x7f.1',
    'xn--a',
    'a.',
    'a_b',
    "a'b",
  ),
  fc.domain(),
)

test('a backslash is none of the slashes of a path', () => {
  const url = (target: string): string =>
    makeRequest(incoming(`GET ${target} HTTP/1.1\r\nHost: a\r\n`)).url
  expect(url('/x\\..\\admin?b=\\')).toBe('http://a/x%5C..%5Cadmin?b=\\')
  expect(url('/\\evil.example/')).toBe('http://a/%5Cevil.example/')
  expect(url('/x\\/../admin')).toBe('http://a/admin')
})

test('url is what a URL parser makes of it', () => {
  fc.assert(
    fc.property(hosts, targets, (host, target) => {
      const request = makeRequest(incoming(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n`))
      const { origin } = parseRequestLine(`GET ${target} HTTP/1.1`)
      const wanted = URL.parse(`http://${host}${origin}`) ?? URL.parse(`http://localhost${origin}`)
      expect(request.url).toBe(wanted?.href)
    }),
    { numRuns: 3000 },
  )
})

const fieldBlocks = fc
  .array(
    fc.tuple(
      fc.constantFrom('Accept', 'Cookie', 'X-A', 'x-a', 'Content-Type', 'Accept-Language'),
      fc
        .string({ unit: fc.constantFrom(...'abc =;,/"ä'.split('')) })
        .map((text) => `v${text}`.trim()),
    ),
  )
  .map((pairs) => [['Host', 'a'] as const, ...pairs])

test('headers are those of a Headers made of the same fields, whatever is done with them', () => {
  const actions = fc.array(
    fc.tuple(
      fc.constantFrom('get', 'has', 'set', 'append', 'delete', 'list', 'copy'),
      fc.constantFrom('accept', 'Cookie', 'X-A', 'absent', 'bad name', ''),
    ),
  )
  fc.assert(
    fc.property(fieldBlocks, actions, (pairs, doings) => {
      const head = pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const ours = makeRequest(incoming(`GET / HTTP/1.1\r\n${head}`)).headers
      const theirs = new Headers()
      for (const [name, value] of pairs) {
        const before = theirs.get(name)
        if (name === 'Cookie' && before !== null) theirs.set(name, `${before}; ${value}`)
        else theirs.append(name, value)
      }
      for (const [doing, name] of doings) {
        const results = [ours, theirs].map((headers) => {
          try {
            switch (doing) {
              case 'list':
                return [[...headers], [...headers.keys()], [...headers.values()]]
              case 'copy':
                return [...new Headers(headers)]
              case 'set':
              case 'append':
                return headers[doing](name, 'v')
              case 'get':
              case 'has':
              case 'delete':
                return headers[doing](name)
              default:
                return null
            }
          } catch (error) {
            return String(error instanceof TypeError)
          }
        })
        expect(results[0]).toEqual(results[1])
      }
      expect([...ours]).toEqual([...theirs])
    }),
  )
})

const READS = ['text', 'json', 'arrayBuffer', 'bytes', 'blob', 'formData'] as const

describe('the body', () => {
  test('is read as Node reads it, once', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.constant(Buffer.from('\ufeff"a"')),
      fc.constant(Buffer.from('a=1&b=2')),
    )
    const type = 'application/x-www-form-urlencoded'
    await fc.assert(
      fc.asyncProperty(
        bytes,
        fc.nat(40),
        fc.array(fc.constantFrom(...READS, 'body', 'clone'), { maxLength: 3 }),
        async (body, cut, reads) => {
          const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n`
          const pieces = [body.subarray(0, cut), body.subarray(cut)].filter(
            ({ length }) => length > 0,
          )
          const ours = makeRequest(incoming(head, pieces))
          const init: RequestInit = { method: 'POST', headers: { 'content-type': type } }
          const theirs = new PlainRequest(
            'http://a/',
            body.length === 0 ? init : { ...init, body: new Uint8Array(body) },
          )
          for (const read of reads) {
            const [one, other] = await Promise.all(
              [ours, theirs].map((request) => outcome(request, read)),
            )
            expect(one).toEqual(other)
            expect(ours.bodyUsed).toBe(theirs.bodyUsed)
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  async function outcome(
    request: Request,
    read: (typeof READS)[number] | 'body' | 'clone',
  ): Promise<unknown> {
    try {
      if (read === 'body') return request.body === null
      if (read === 'clone') return await request.clone().text()
      const value: unknown = await request[read]()
      if (value instanceof Blob) return [value.type, await value.text()]
      if (value instanceof FormData) return [...value]
      return value
    } catch (error) {
      return error instanceof Error ? error.constructor.name : error
    }
  }

  test('is not there for GET, whatever came', async () => {
    const request = makeRequest(
      incoming('GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n', [Buffer.from('a')]),
    )
    expect([request.body, await request.text(), request.bodyUsed]).toEqual([null, '', false])
  })

  test('that breaks off rejects', async () => {
    const exchange = incoming('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n')
    exchange.receive = (sink) => sink.abort(new Error('gone') as PorticoError)
    await expect(makeRequest(exchange).text()).rejects.toThrow('gone')
    await expect(makeRequest(exchange).formData()).rejects.toThrow()
    await expect(makeRequest(exchange).body?.getReader().read()).rejects.toThrow('gone')
  })
})

test('the signal tells when the visitor has left, also to who asks later', () => {
  const [early, late] = [0, 1].map(() => makeRequest(incoming('GET / HTTP/1.1\r\nHost: a\r\n')))
  const { signal } = early!
  const clone = early!.clone()
  expect([signal.aborted, clone.signal.aborted]).toEqual([false, false])
  for (const request of [early!, late!]) abortRequest(request)
  expect([signal.aborted, clone.signal.aborted, late!.signal.aborted]).toEqual([true, true, true])
  expect(signal.reason).toMatchObject({ name: 'AbortError' })
})

test('a request can be sent on, with the fields as they are now', async () => {
  const head = 'POST /a HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Length: 2\r\n'
  const request = makeRequest(incoming(head, [Buffer.from('hi')]))
  expect(request.body).not.toBeNull()
  request.headers.set('x-b', '2')
  const plain = asPlain(request)
  expect(plain).toBeInstanceOf(PlainRequest)
  const again = new LightRequest(plain as Request) as unknown as Request
  expect([
    again.method,
    again.url,
    again.headers.get('x-a'),
    again.headers.get('x-b'),
    await again.text(),
  ]).toEqual(['POST', 'http://a/a', '1', '2', 'hi'])
  expect(request.bodyUsed).toBe(true)
})

test('everything else that Node has is there as well', () => {
  const request = makeRequest(incoming('GET / HTTP/1.1\r\nHost: a\r\n'))
  const plain = new PlainRequest('http://a/')
  for (const name of [
    'mode',
    'credentials',
    'cache',
    'redirect',
    'referrer',
    'integrity',
    'keepalive',
    'duplex',
  ] as const) {
    expect(request[name]).toEqual(plain[name])
  }
  expect(request).toBeInstanceOf(LightRequest)
  expect(request).toBeInstanceOf(PlainRequest)
  expect(plain).toBeInstanceOf(LightRequest)
})

describe('bodies that come byte by byte', () => {
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n'
  const pieces = Array.from({ length: 3_000 }, (_, i) => Uint8Array.of(i))

  test('are whole', async () => {
    const bytes = await makeRequest(incoming(head, pieces)).arrayBuffer()
    expect(Buffer.from(bytes).equals(Buffer.concat(pieces))).toBe(true)
  })

  test('wait outside of a stream that nobody reads', async () => {
    let given = 0
    const exchange = incoming(head, pieces)
    const counted: FetchExchange = {
      ...exchange,
      receive: (sink) =>
        exchange.receive({
          data: (chunk) => {
            given++
            return sink.data(chunk)
          },
          end: (trailers) => sink.end(trailers),
          abort: (error) => sink.abort(error),
        }),
    }
    const reader = makeRequest(counted).body!.getReader()
    const parts: Uint8Array[] = []
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      await new Promise(setImmediate)
      expect(given).toBeLessThanOrEqual(parts.length + 256)
    }
    expect(Buffer.concat(parts).equals(Buffer.concat(pieces))).toBe(true)
  })
})
