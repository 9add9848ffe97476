/** Compression: who gets which coding, what stays as it is, and how answers in parts come. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { createCoder, MOST_AT_ONCE } from '../../src/filters/compress/coders.ts'
import { Judge, plainHead, Verdict } from '../../src/filters/compress/judge.ts'
import { compress } from '../../src/filters/compress.ts'
import type { AnswerHead, Exchange } from '../../src/request/exchange.ts'
import type { CodingName, CompressPlan } from '../../src/site/filters-plan.ts'
import { type Reply, Visitor } from '../flows/support/visitor.ts'
import { handler } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { until } from '../supervisor/site.ts'
import { filterHost } from './filter-host.ts'

const PLAN: CompressPlan = {
  codings: ['zstd', 'br', 'gzip'],
  types: ['text/*', 'application/*+json'],
  min: 100,
  levels: { zstd: 3, br: 4, gzip: 4 },
  streams: 100,
}
const TEXT = 'All work and no play makes Jack a dull boy. '

let served: Served | null = null
afterEach(() => served?.close())

async function open(
  handle: (exchange: Exchange) => void,
  more: Partial<CompressPlan> = {},
): Promise<Visitor> {
  served = await serve(compress({ ...PLAN, ...more }, handler(handle), filterHost()))
  return Visitor.to(served.port)
}

function headOf(fields: string, status = 200): AnswerHead {
  return { status, reason: '', fields, has: 0 }
}

const HTML = headOf('Content-Type: text/html; charset=utf-8\r\nETag: "abc"\r\n')

function decoded({ fields, body }: Reply): string {
  switch (fields['content-encoding']) {
    case 'gzip':
      return gunzipSync(body).toString()
    case 'br':
      return brotliDecompressSync(body).toString()
    case 'zstd':
      return zstdDecompressSync(body).toString()
    default:
      return body.toString()
  }
}

const asks = (coding: string): { fields: { 'Accept-Encoding': string } } => ({
  fields: { 'Accept-Encoding': coding },
})

describe('negotiation', () => {
  test.each([
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0.5, gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['identity', undefined],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['gzip;q=0', undefined],
    ['gzip;q=0, *', 'zstd'],
    ['deflate', undefined],
    ['', undefined],
    ['gzip;q=2', undefined],
  ])('%j gets %j', async (accept, coding) => {
    const body = Buffer.from(TEXT.repeat(30))
    using visitor = await open((exchange) => exchange.respond(HTML, body))
    const reply = await visitor.ask('/', asks(accept))
    expect(reply.fields['content-encoding']).toBe(coding)
    expect(reply.fields.vary).toBe('Accept-Encoding')
    expect(reply.fields.etag).toBe(coding === undefined ? '"abc"' : 'W/"abc"')
    expect(decoded(reply)).toBe(TEXT.repeat(30))
  })

  test('who says nothing gets it as it is, and HTTP/1.0 too', async () => {
    using visitor = await open((exchange) => exchange.respond(HTML, Buffer.from(TEXT.repeat(30))))
    const plain = await visitor.ask('/')
    expect([plain.fields['content-encoding'], plain.fields.vary]).toEqual([
      undefined,
      'Accept-Encoding',
    ])
    visitor.send('GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    expect((await visitor.reply()).fields['content-encoding']).toBeUndefined()
  })
})

describe('what stays as it is', () => {
  const judge = new Judge(PLAN)
  test.each([
    ['another type', 'Content-Type: image/png\r\n', 200, 5000],
    ['no type', '', 200, 5000],
    ['a coding already', 'Content-Type: text/a\r\nContent-Encoding: gzip\r\n', 200, 5000],
    ['an application’s word', 'Content-Type: text/a\r\nContent-Encoding: identity\r\n', 200, 5000],
    ['a range', 'Content-Type: text/a\r\nContent-Range: bytes 0-1/2\r\n', 200, 5000],
    ['a part', 'Content-Type: text/a\r\n', 206, 5000],
    ['no-transform', 'Content-Type: text/a\r\nCache-Control: public, No-Transform\r\n', 200, 5000],
    ['what is small', 'Content-Type: text/a\r\n', 200, 99],
    ['nothing', 'Content-Type: text/a\r\n', 200, 0],
    ['no content', 'Content-Type: text/a\r\n', 204, -1],
    ['an interim answer', 'Content-Type: text/a\r\n', 101, -1],
  ])('%s', (_, fields, status, length) => {
    expect(judge.judge(headOf(fields, status), length)).toBe(Verdict.PLAIN)
  })

  test.each([
    ['Content-Type: text/a\r\n', 200, 100],
    ['content-type: TEXT/HTML\r\n', 404, -1],
    ['A: b\r\nContent-Type: application/problem+json; a=b\r\nC: d\r\n', 500, 1e6],
    ['Content-Type: text/a\r\nX-Cache-Control: no-transform\r\n', 200, 100],
  ])('%j does not', (fields, status, length) => {
    expect(judge.judge(headOf(fields, status), length)).toBe(Verdict.COMPRESS)
  })

  test('identity is no coding that anybody is told', async () => {
    const head = headOf('Content-Type: text/html\r\nContent-Encoding: identity\r\n')
    using visitor = await open((exchange) => exchange.respond(head, Buffer.from(TEXT.repeat(30))))
    const reply = await visitor.ask('/', asks('gzip'))
    expect([reply.fields['content-encoding'], reply.text]).toEqual([undefined, TEXT.repeat(30)])
  })

  test('what would not be smaller', async () => {
    const noise = Buffer.from(Array.from({ length: 3000 }, () => Math.floor(Math.random() * 256)))
    using visitor = await open((exchange) => exchange.respond(HTML, noise))
    const reply = await visitor.ask('/', asks('gzip'))
    expect([reply.fields['content-encoding'], reply.body.equals(noise)]).toEqual([undefined, true])
  })
})

describe('heads', () => {
  test('fields that speak of the bytes go; Vary is said once', () => {
    const head = headOf(
      'Content-Type: a/b\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nRepr-Digest: y\r\nVary: Cookie, accept-encoding\r\nETag: W/"x"\r\n',
    )
    expect(new Judge(PLAN).compressed(head, 'br').fields).toBe(
      'Content-Type: a/b\r\nVary: Cookie, accept-encoding\r\nETag: W/"x"\r\nContent-Encoding: br\r\n',
    )
    expect(plainHead(HTML, Verdict.COMPRESS, false).fields).toBe(
      `${HTML.fields}Vary: Accept-Encoding\r\n`,
    )
    expect(plainHead(headOf('Vary: *\r\n'), Verdict.VARIES, false).fields).toBe('Vary: *\r\n')
  })

  test('a 304 has the ETag that the visitor has', async () => {
    using visitor = await open((exchange) =>
      exchange.respond(headOf('ETag: "abc"\r\n', 304), Buffer.alloc(0)),
    )
    const fields = { 'Accept-Encoding': 'gzip', 'If-None-Match': 'W/"abc"' }
    const reply = await visitor.ask('/', { fields })
    expect([reply.status, reply.fields.etag, reply.fields.vary]).toEqual([
      304,
      'W/"abc"',
      'Accept-Encoding',
    ])
    const strong = await visitor.ask('/', { fields: { ...fields, 'If-None-Match': '"abc"' } })
    expect(strong.fields.etag).toBe('"abc"')
  })

  test('HEAD says what GET does', async () => {
    using visitor = await open((exchange) =>
      exchange.respond(HTML, Buffer.alloc(0), TEXT.length * 30),
    )
    const reply = await visitor.ask('/', { method: 'HEAD', ...asks('gzip') })
    const { 'content-encoding': coding, 'content-length': length, etag } = reply.fields
    expect([reply.status, coding, length, etag]).toEqual([200, 'gzip', undefined, 'W/"abc"'])
    expect((await visitor.ask('/', { method: 'HEAD' })).fields['content-length']).toBe('1320')
  })
})

const CODINGS: readonly CodingName[] = ['zstd', 'br', 'gzip']

describe.each(CODINGS)('%s', (name) => {
  test.each([
    ['small', 1000],
    ['of the largest size at once', MOST_AT_ONCE],
    ['larger', MOST_AT_ONCE + 1],
    ['in a thread', 900_000],
    ['in parts', 3_000_000],
  ])('whole bodies, %s', async (_, size) => {
    const text = TEXT.repeat(Math.ceil(size / TEXT.length)).slice(0, size)
    const body = Buffer.from(text)
    using visitor = await open((exchange) => exchange.respond(HTML, body))
    for (let i = 0; i < 3; i++) {
      const reply = await visitor.ask('/', asks(name))
      expect([reply.fields['content-encoding'], decoded(reply) === text]).toEqual([name, true])
    }
  })

  test('whatever the body is', () => {
    const coder = createCoder(name, PLAN.levels[name])
    const decode = { zstd: zstdDecompressSync, br: brotliDecompressSync, gzip: gunzipSync }[name]
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 1, max: 20 }),
        (part, n) => {
          const body = Buffer.concat(Array.from({ length: n }, () => part)).subarray(
            0,
            MOST_AT_ONCE,
          )
          const compressed = coder.atOnce(body)
          if (compressed !== null) expect(decode(compressed).equals(body)).toBe(true)
        },
      ),
    )
  })

  test('a body that is always the same is compressed once', async () => {
    for (const size of [2000, 200_000]) {
      const fixed: AnswerHead = { ...HTML, fixed: true }
      const body = Buffer.from(TEXT.repeat(size / 40))
      using visitor = await open((exchange) => exchange.respond(fixed, body))
      const crowd = await Promise.all(
        Array.from({ length: 8 }, async () => {
          using one = await Visitor.to(served!.port)
          return await one.ask('/', asks(name))
        }),
      )
      const again = await visitor.ask('/', asks(name))
      for (const reply of [...crowd, again]) {
        expect(reply.fields['content-length']).toBe(String(reply.body.length))
        expect(decoded(reply)).toBe(body.toString())
      }
      expect((await visitor.ask('/')).text).toBe(body.toString())
      served!.close()
    }
  })

  test('parts come when they are said, not when there are enough of them', async () => {
    let exchange!: Exchange
    using visitor = await open((asked) => {
      exchange = asked
    })
    const asked = `GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${name}\r\n\r\n`
    visitor.send(asked)
    await until('the request', () => exchange !== undefined)
    exchange.start(headOf('Content-Type: text/event-stream\r\n'), -1)
    const coder = createCoder(name, PLAN.levels[name])
    const decoder = decoderOf(coder.name)
    const head = String(await visitor.read())
    expect(head).toContain(`Content-Encoding: ${name}`)
    for (const event of ['data: one\n\n', 'data: two\n\n', 'data: three\n\n']) {
      expect(exchange.write(Buffer.from(event), true)).toBe(true)
      let text = ''
      while (text !== event) text += await decoder(await chunkOf(visitor))
    }
    exchange.end()
  })
})

/** The bytes of the next chunks of a chunked body that have come. */
async function chunkOf(visitor: Visitor): Promise<Buffer> {
  let bytes = (await visitor.read())!
  const parts: Buffer[] = []
  while (bytes.length > 0) {
    const end = bytes.indexOf('\r\n')
    const size = Number.parseInt(bytes.toString('latin1', 0, end), 16)
    while (bytes.length < end + 4 + size) bytes = Buffer.concat([bytes, (await visitor.read())!])
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    bytes = bytes.subarray(end + 4 + size)
  }
  return Buffer.concat(parts)
}

function decoderOf(name: CodingName): (bytes: Buffer) => Promise<string> {
  const all: Buffer[] = []
  let seen = 0
  return async (bytes) => {
    all.push(bytes)
    const { createBrotliDecompress, createGunzip, createZstdDecompress } = await import('node:zlib')
    const stream = { br: createBrotliDecompress, gzip: createGunzip, zstd: createZstdDecompress }[
      name
    ]()
    const out: Buffer[] = []
    stream.on('data', (part: Buffer) => out.push(part))
    stream.on('error', () => {})
    await new Promise<void>((resolve) => stream.write(Buffer.concat(all), () => resolve()))
    await new Promise((resolve) => setTimeout(resolve, 5))
    stream.destroy()
    const text = Buffer.concat(out).toString()
    const fresh = text.slice(seen)
    seen = text.length
    return fresh
  }
}

describe('answers in parts', () => {
  test('a slow visitor stops the application, and its memory may be used again', async () => {
    let written = 0
    let paused = 0
    let most = 0
    const block = Buffer.alloc(65_536)
    using visitor = await open((exchange) => {
      let left = 200
      const go = (): void => {
        while (left > 0) {
          // Nothing that can be compressed well: otherwise the visitor would never be slower.
          for (let i = 0; i < block.length; i += 4) {
            block.writeUInt32LE(Math.floor(Math.random() * 2 ** 32), i)
          }
          left--
          written += block.length
          if (!exchange.write(block, true)) {
            paused++
            most = Math.max(most, written)
            return
          }
        }
        exchange.onDrain = null
        exchange.end()
      }
      exchange.start(HTML, -1)
      exchange.onDrain = go
      go()
    })
    visitor.socket.pause()
    visitor.send('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    await until('a pause', () => paused > 0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = written
    expect(before).toBeLessThan(13_000_000)
    visitor.socket.resume()
    const reply = await visitor.reply()
    expect(gunzipSync(reply.body)).toHaveLength(200 * 65_536)
    expect(most).toBeGreaterThan(before - 1)
  })

  test('who leaves is told to the application once, and the compressor goes', async () => {
    let gone = 0
    let exchange!: Exchange
    const visitor = await open((asked) => {
      exchange = asked
      asked.onGone = () => {
        gone++
      }
      asked.start(HTML, -1)
      asked.write(Buffer.from(TEXT), false)
    })
    visitor.send('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n')
    await until('the request', () => exchange !== undefined)
    visitor.socket.resetAndDestroy()
    await until('its end', () => gone > 0)
    exchange.write(Buffer.from('more'), true)
    exchange.end()
    expect([gone, exchange.gone]).toEqual([1, true])
  })

  test('what fails in the middle is cut, and what fails before anything has left is an error', async () => {
    using visitor = await open((exchange) => {
      exchange.start(HTML, -1)
      if (exchange.line.path === '/early') return exchange.fail(new PorticoError('NO_BACKEND'))
      exchange.write(Buffer.from(TEXT.repeat(100)), true)
      setTimeout(() => exchange.fail(new PorticoError('BACKEND_CLOSED')), 30)
    })
    expect((await visitor.ask('/early', asks('gzip'))).status).toBe(503)
    await expect(visitor.ask('/', asks('gzip'))).rejects.toThrow('the connection ended')
  })

  test('beyond so many at a time they come as they are', async () => {
    const exchanges: Exchange[] = []
    const first = await open(
      (exchange) => {
        exchanges.push(exchange)
        exchange.start(HTML, -1)
        exchange.write(Buffer.from(TEXT), false)
      },
      { streams: 1 },
    )
    using second = await Visitor.to(served!.port)
    first.send('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    await until('the first', () => exchanges.length === 1)
    second.send('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    await until('the second', () => exchanges.length === 2)
    for (const exchange of exchanges) exchange.end()
    const replies = [await first.reply(), await second.reply()]
    expect(replies.map(({ fields }) => fields['content-encoding'])).toEqual(['gzip', undefined])
    expect(replies.map(decoded)).toEqual([TEXT, TEXT])
    expect(replies[1]!.fields.vary).toBe('Accept-Encoding')
    // Its place is free again.
    first.send('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    await until('a third', () => exchanges.length === 3)
    exchanges[2]!.end()
    expect((await first.reply()).fields['content-encoding']).toBe('gzip')
    first.leave()
  })

  test('short ones are complete before they go, and one that is cut short is cut', async () => {
    const text = TEXT.repeat(10)
    using visitor = await open((exchange) => {
      exchange.start(HTML, text.length)
      expect(exchange.answered).toBe(true)
      const half = Buffer.from(text.slice(0, 200))
      exchange.write(half, true)
      // Who is told to go on may use its memory again.
      half.fill(0)
      if (exchange.line.path === '/fails') return exchange.fail(new PorticoError('BACKEND_CLOSED'))
      if (exchange.line.path !== '/cut') exchange.write(Buffer.from(`${text.slice(200)}more`), true)
      setImmediate(() => exchange.end())
    })
    const reply = await visitor.ask('/', asks('gzip'))
    expect(reply.fields['content-length']).toBe(String(reply.body.length))
    expect([reply.fields['content-encoding'], decoded(reply)]).toEqual(['gzip', text])
    expect((await visitor.ask('/fails', asks('gzip'))).status).toBe(502)
    await expect(visitor.ask('/cut', asks('gzip'))).rejects.toThrow('the connection ended')
  })

  test('trailers come behind', async () => {
    using visitor = await open((exchange) => {
      exchange.start(HTML, -1)
      exchange.write(Buffer.from(TEXT.repeat(10)), false)
      exchange.end('X-Sum: 1\r\n')
    })
    visitor.send('GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n')
    expect(String(await visitor.end())).toMatch(/\r\n0\r\nX-Sum: 1\r\n\r\n$/)
  })
})
