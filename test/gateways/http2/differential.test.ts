/** nghttp2, by way of node:http2, as the second opinion on HPACK and frames. */
import { once } from 'node:events'
import {
  connect as connectHttp2,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { HpackDecoder } from '../../../src/wire/hpack-decoder.ts'
import { HpackEncoder, mostFieldSize } from '../../../src/wire/hpack-encoder.ts'
import { encodeSettings, Flag, FrameType, PREFACE } from '../../../src/wire/http2.ts'
import { FrameReader } from '../../../src/wire/http2-reader.ts'
import { handler } from '../http1/handlers.ts'
import { type Fields, frame, Peer } from './peer.ts'
import { serve } from './site.ts'

const NAMES = ['x-a', 'x-b', 'user-agent', 'accept', 'cookie', 'referer', 'authorization', 'etag']
const value = fc
  .string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)) })
  .filter((text) => text !== '')
const lists = fc.array(
  fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), value), { selector: ([name]) => name }),
  {
    minLength: 1,
    maxLength: 8,
  },
)

const seen: IncomingHttpHeaders[] = []
const theirs = createServer()
theirs.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  seen.push(headers)
  stream.respond({ ':status': 200 }, { endStream: true })
})

beforeAll(() => new Promise<void>((resolve) => void theirs.listen(0, '127.0.0.1', resolve)))
afterAll(() => void theirs.close())

it('what we encode is what nghttp2 reads, over a connection with one table', async () => {
  await fc.assert(
    fc.asyncProperty(lists, async (rounds) => {
      seen.length = 0
      const encoder = new HpackEncoder()
      const peer = await Peer.at((theirs.address() as AddressInfo).port)
      const expected: object[] = []
      for (const [i, fields] of rounds.entries()) {
        const all: Fields = [
          [':method', 'GET'],
          [':scheme', 'http'],
          [':authority', 'localhost'],
          [':path', `/${i}`],
          ...fields,
        ]
        const bytes = Buffer.alloc(all.reduce((sum, [a, b]) => sum + mostFieldSize(a, b), 12))
        let at = encoder.begin(bytes, 0)
        for (const [name, text] of all) at = encoder.write(bytes, at, name, text)
        const flags = Flag.END_HEADERS | Flag.END_STREAM
        peer.send(frame(FrameType.HEADERS, flags, 1 + i * 2, bytes.subarray(0, at)))
        expected.push(Object.fromEntries(all))
      }
      await peer.over(rounds.length * 2 - 1)
      expect(seen.map((headers) => Object.fromEntries(Object.entries(headers)))).toEqual(expected)
      peer.leave()
    }),
    { numRuns: 40 },
  )
})

it('what nghttp2 encodes is what we read', async () => {
  /** Of the latest connection. */
  let bytes: Buffer[] = []
  const sink = createTcp((socket) => {
    const own: Buffer[] = []
    bytes = own
    socket.write(encodeSettings([]))
    socket.on('data', (part: Buffer) => own.push(part))
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => void sink.listen(0, '127.0.0.1', resolve))
  const { port } = sink.address() as AddressInfo
  await fc.assert(
    fc.asyncProperty(lists, async (rounds) => {
      bytes = []
      const client = connectHttp2(`http://127.0.0.1:${port}`)
      client.on('error', () => {})
      await once(client, 'connect')
      for (const fields of rounds) {
        client.request(Object.fromEntries(fields)).on('error', () => {})
      }
      const found: Record<string, string>[] = []
      const read = (): void => {
        found.length = 0
        const decoder = new HpackDecoder()
        const reader = new FrameReader((type, _flags, _stream, block, from, to) => {
          if (type !== FrameType.HEADERS) return true
          const fields: Record<string, string> = {}
          decoder.decode(block, from, to, (name, text) => {
            if (!name.startsWith(':')) fields[name] = text
          })
          found.push(fields)
          return true
        })
        const all = Buffer.concat(bytes)
        reader.read(all, PREFACE.length, all.length)
      }
      for (let i = 0; i < 400; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        if (Buffer.concat(bytes).length < PREFACE.length) continue
        read()
        if (found.length === rounds.length) break
      }
      expect(found).toEqual(rounds.map((fields) => Object.fromEntries(fields)))
      client.destroy()
    }),
    { numRuns: 30 },
  )
  sink.close()
})

it('what we answer is what nghttp2 reads', async () => {
  const { port } = await serve({
    routes: {
      '/': handler((exchange) => {
        const fields = JSON.parse(decodeURIComponent(exchange.line.query)) as [string, string][]
        const text = fields.map(([name, text]) => `${name}: ${text}\r\n`).join('')
        exchange.respond({ status: 207, reason: '', fields: text, has: 0 }, Buffer.from('x'))
      }),
    },
  })
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(fc.constantFrom('x-a', 'x-b', 'etag', 'location'), value), {
        selector: ([name]) => name,
      }),
      async (fields) => {
        const stream = client.request({
          ':path': `/?${encodeURIComponent(JSON.stringify(fields))}`,
        })
        const [head] = await once(stream, 'response')
        stream.resume()
        expect(head).toMatchObject({
          ':status': 207,
          'content-length': '1',
          ...Object.fromEntries(fields),
        })
      },
    ),
    { numRuns: 60 },
  )
  client.close()
})
