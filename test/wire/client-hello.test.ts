import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { type ClientHello, readClientHello } from '../../src/wire/client-hello.ts'
import { everySplit } from './split.ts'

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const vector = (size: 1 | 2, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([size === 1 ? Buffer.from([body.length]) : u16(body.length), body])
}
const extension = (type: number, ...parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat([u16(type), vector(2, ...parts)])
const serverName = (name: string, type = 0): Buffer =>
  extension(0, vector(2, Buffer.from([type]), vector(2, Buffer.from(name))))
const alpn = (...names: readonly string[]): Buffer =>
  extension(16, vector(2, ...names.map((name) => vector(1, Buffer.from(name)))))

/** A hello with these extensions; null: with none at all. */
function message(extensions: readonly Buffer[] | null, after: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1),
    vector(2, u16(0x1301)),
    vector(1, Buffer.from([0])),
    ...(extensions === null ? [] : [vector(2, ...extensions)]),
    after,
  ])
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body])
}

/** In records of so many bytes each. */
function records(bytes: Buffer, each = 16_384): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += each) {
    const part = bytes.subarray(at, at + each)
    parts.push(Buffer.from([22, 3, 1]), u16(part.length), part)
  }
  return Buffer.concat(parts)
}

const valid: [string, Buffer, ClientHello][] = [
  ['no extensions', records(message(null)), { serverName: '', protocols: [] }],
  [
    'none of ours',
    records(message([extension(43, Buffer.from([2, 3, 4]))])),
    { serverName: '', protocols: [] },
  ],
  [
    'a name',
    records(message([serverName('www.Example.com')])),
    { serverName: 'www.example.com', protocols: [] },
  ],
  [
    'a dot at its end',
    records(message([serverName('a.test.')])),
    { serverName: 'a.test', protocols: [] },
  ],
  [
    'a name of another type',
    records(message([serverName('?', 1)])),
    { serverName: '', protocols: [] },
  ],
  [
    'protocols',
    records(message([alpn('h2', 'http/1.1'), serverName('a_b.test')])),
    { serverName: 'a_b.test', protocols: ['h2', 'http/1.1'] },
  ],
  [
    'records that split the name',
    records(message([serverName('a.test')]), 30),
    { serverName: 'a.test', protocols: [] },
  ],
  [
    'what follows in the same record',
    records(Buffer.concat([message([serverName('a.test')]), Buffer.from([11, 0, 0, 0])])),
    { serverName: 'a.test', protocols: [] },
  ],
]

const invalid: [string, Buffer][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['SSL 2', Buffer.from([0x80, 46, 1, 3, 1])],
  ['an alert', Buffer.from([21, 3, 1, 0, 2, 1, 0])],
  ['another version', Buffer.from([22, 2, 0, 0, 4])],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
  ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1])],
  ['another message', records(Buffer.from([2, 0, 0, 0]))],
  ['a hello that is too long', records(Buffer.from([1, 1, 0, 0]))],
  ['too many records', records(message([extension(21, Buffer.alloc(500))]), 1)],
  ['a name twice', records(message([serverName('a.test'), serverName('b.test')]))],
  [
    'two names',
    records(
      message([
        extension(
          0,
          vector(
            2,
            ...['a', 'b'].map((name) =>
              Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name))]),
            ),
          ),
        ),
      ]),
    ),
  ],
  ['an empty name', records(message([serverName('')]))],
  ['a space in a name', records(message([serverName('a b.test')]))],
  ['a NUL in a name', records(message([serverName('a.test\0.evil.test')]))],
  ['two dots in a name', records(message([serverName('a..test')]))],
  ['a name that is too long', records(message([serverName(`${'a.'.repeat(130)}test`)]))],
  ['an extension that is cut short', records(message([Buffer.from([0, 0, 0, 9, 1])]))],
  [
    'a list that is longer than its extension',
    records(message([extension(0, u16(90), Buffer.from([0]))])),
  ],
  ['more behind the extensions', records(message([serverName('a.test')], Buffer.from([0])))],
  ['an empty protocol', records(message([extension(16, vector(2, vector(1)))]))],
  [
    'a session id that is too long',
    records(
      Buffer.concat([
        Buffer.from([1, 0, 0, 70]),
        u16(0x0303),
        Buffer.alloc(32),
        Buffer.from([33]),
        Buffer.alloc(35),
      ]),
    ),
  ],
]

describe('client hello', () => {
  it.each(valid)('%s', (_what, bytes, hello) => {
    expect(readClientHello(bytes)).toEqual(hello)
    everySplit(bytes, (pieces) => {
      let all = Buffer.alloc(0)
      let found: ClientHello | null = null
      for (const piece of pieces) {
        all = Buffer.concat([all, piece])
        found = readClientHello(all)
        if (found !== null) break
      }
      expect(found).toEqual(hello)
    })
  })

  it.each(invalid)('refuses %s', (_what, bytes) => {
    expect(() => readClientHello(bytes)).toThrow(PorticoError)
  })

  it('is as OpenSSL makes it', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const came = once(server, 'connection')
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: 'www.example.com',
      ALPNProtocols: ['h2', 'imap'],
    })
    socket.on('error', () => {})
    const [connection] = await came
    const [bytes] = await once(connection, 'data')
    expect(readClientHello(bytes)).toEqual({
      serverName: 'www.example.com',
      protocols: ['h2', 'imap'],
    })
    socket.destroy()
    connection.destroy()
    server.close()
  })

  it('never fails but in its own words, whatever comes', () => {
    const likely = valid.map(([, bytes]) => bytes)
    fc.assert(
      fc.property(
        fc.constantFrom(...likely),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }),
        fc.nat(400),
        (base, changes, cut) => {
          const bytes = Buffer.from(base)
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          try {
            readClientHello(bytes.subarray(0, Math.max(0, bytes.length - cut)))
          } catch (error) {
            if (!(error instanceof PorticoError)) throw error
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
