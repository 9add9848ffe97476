/** What gateways rely on, of all kinds of streams, over TCP and unix sockets. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, createSecureContext } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import type { ByteStream, Connection } from '../../src/listen/byte-stream.ts'
import { LightStream } from '../../src/listen/light-stream.ts'
import { NodeStream } from '../../src/listen/node-stream.ts'
import { secure } from '../../src/listen/secure.ts'
import { isStreamHandle } from '../../src/listen/stream-handle.ts'
import { pair as certificate } from '../tls/support/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-streams-'))
afterAll(() => rmSync(folder, { recursive: true }))

const shared = Buffer.alloc(65_536)

/** A connection that notes what it is told. */
class Notes implements Connection {
  readonly stream: ByteStream
  readonly told: string[] = []
  bytes = 0
  takes = true
  readonly over = Promise.withResolvers<void>()

  constructor(stream: ByteStream) {
    this.stream = stream
  }

  read(bytes: Buffer, length: number): boolean {
    this.bytes += length
    if (length < 100) this.told.push(bytes.toString('latin1', 0, length))
    return this.takes
  }

  ended(): void {
    this.told.push('END')
  }

  drained(): void {
    this.told.push('DRAIN')
  }

  closed(): void {
    this.told.push('CLOSED')
    this.over.resolve()
  }
}

/** Has `server` make streams of its connections. */
type Attach = (server: Server, made: (stream: ByteStream) => Notes) => void

const onHandles: Attach = (server, made) => {
  Reflect.get(server, '_handle').onconnection = (_: number, handle: unknown) => {
    if (!isStreamHandle(handle)) throw new Error('this Node has other handles')
    const stream = new LightStream(handle, shared)
    stream.start(made(stream))
  }
}

const onSockets: Attach = (server, made) => {
  server.on('connection', (socket: Socket) => {
    const stream = new NodeStream(socket)
    stream.start(made(stream))
  })
}

const { cert, key } = certificate()
const context = createSecureContext({ cert, key })

/** A connection that says nothing but its end to the one that TLS makes of it. */
class Handshake implements Connection {
  readonly #stream: ByteStream
  readonly #made: (stream: ByteStream) => Notes
  #notes: Notes | null = null

  constructor(stream: ByteStream, made: (stream: ByteStream) => Notes) {
    this.#stream = stream
    this.#made = made
  }

  read(bytes: Buffer, length: number): boolean {
    const options = { context, protocols: null, asksCertificate: false, ocsp: null }
    secure(this.#stream, options, {
      begun: () => bytes.subarray(0, length),
      done: (stream) => {
        this.#notes = this.#made(stream)
        return this.#notes
      },
      failed: () => {},
    })
    return false
  }

  ended(): void {}
  drained(): void {}
  closed(): void {
    this.#notes?.closed()
  }
}

function overTls(attach: Attach): Attach {
  return (server, made) => {
    attach(server, (stream) => new Handshake(stream, made) as unknown as Notes)
  }
}

const kinds: Record<string, Attach> = {
  'on a handle': onHandles,
  'on a net.Socket': onSockets,
  'of TLS on a handle': overTls(onHandles),
  'of TLS on a net.Socket': overTls(onSockets),
}

async function pair(kind: string, unix: boolean): Promise<[Notes, Socket, Server]> {
  const server = createServer({ allowHalfOpen: true, highWaterMark: 1 })
  server.listen(unix ? join(folder, `${Math.random()}.sock`) : { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const accepted = new Promise<Notes>((resolve) => {
    kinds[kind]!(server, (stream) => {
      const notes = new Notes(stream)
      resolve(notes)
      return notes
    })
  })
  const address = server.address()
  const target = typeof address === 'string' ? { path: address } : { port: address!.port }
  const visitor = dial({ ...target, allowHalfOpen: true })
  visitor.on('error', () => {})
  await once(visitor, 'connect')
  if (!kind.includes('TLS')) return [await accepted, visitor, server]
  const secured = connectTls({ socket: visitor, rejectUnauthorized: false })
  secured.on('error', () => {})
  await once(secured, 'secureConnect')
  return [await accepted, secured, server]
}

async function come(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) await sleep(10)
  expect(what()).toBe(true)
}

describe.each(Object.keys(kinds))('a stream %s', (kind) => {
  describe.each([
    ['over TCP', false],
    ['over a unix socket', true],
  ])('%s', (_, unix) => {
    it('reads, writes and closes when both sides have said all', async () => {
      const [notes, visitor, server] = await pair(kind, unix)
      const { stream } = notes
      visitor.write('hello')
      await come(() => notes.told.includes('hello'))
      stream.write(Buffer.from('one '))
      stream.cork()
      stream.write(Buffer.from('two '))
      stream.write(Buffer.from('three'))
      stream.uncork()
      // TLS takes one write in each turn.
      if (kind.includes('TLS')) await come(() => stream.writableLength === 0)
      else expect(stream.writableLength).toBe(0)
      const [answer] = await once(visitor, 'data')
      expect(String(answer)).toContain('one ')
      visitor.end()
      await come(() => notes.told.includes('END'))
      stream.write(Buffer.from('!'))
      stream.end()
      await notes.over.promise
      expect(notes.told.filter((each) => each !== 'DRAIN')).toEqual(['hello', 'END', 'CLOSED'])
      expect(stream.destroyed).toBe(true)
      expect(stream.fd).toBe(-1)
      server.close()
    })

    it('knows its ends', async () => {
      const [{ stream, over }, visitor, server] = await pair(kind, unix)
      expect(stream.remoteAddress).toBe(unix ? undefined : '127.0.0.1')
      expect(stream.remotePort).toBe(unix ? undefined : visitor.localPort)
      expect(stream.localPort).toBe(unix ? undefined : visitor.remotePort)
      // Nothing may be written past TLS.
      if (kind.includes('TLS')) expect(stream.fd).toBe(-1)
      else expect(stream.fd).toBeGreaterThan(2)
      stream.destroy()
      await over.promise
      server.close()
    })

    it('says when a slow reader has taken everything', async () => {
      const [notes, visitor, server] = await pair(kind, unix)
      const { stream } = notes
      visitor.pause()
      const block = Buffer.alloc(8_000_000, 'x')
      stream.write(block)
      expect(stream.writableLength).toBeGreaterThan(0)
      expect(stream.queueSize).toBeGreaterThan(0)
      expect(notes.told).toEqual([])
      let got = 0
      visitor.on('data', (part: Buffer) => {
        got += part.length
      })
      visitor.resume()
      await come(() => notes.told.includes('DRAIN'))
      expect(stream.writableLength).toBe(0)
      stream.destroySoon()
      await notes.over.promise
      await come(() => got === block.length)
      server.close()
    })

    it('closes soon: what was written leaves first', async () => {
      const [notes, visitor, server] = await pair(kind, unix)
      let got = 0
      visitor.on('data', (part: Buffer) => {
        got += part.length
      })
      notes.stream.cork()
      notes.stream.write(Buffer.alloc(6_000_000))
      notes.stream.write(Buffer.alloc(10))
      notes.stream.end()
      notes.stream.destroySoon()
      await once(visitor, 'end')
      expect(got).toBe(6_000_010)
      await notes.over.promise
      server.close()
    })

    it('reads no more until it is resumed', async () => {
      const [notes, visitor, server] = await pair(kind, unix)
      notes.takes = false
      visitor.write(Buffer.alloc(4_000_000))
      await come(() => notes.bytes > 0)
      const before = notes.bytes
      await sleep(50)
      expect(notes.bytes).toBe(before)
      notes.takes = true
      notes.stream.resume()
      await come(() => notes.bytes === 4_000_000)
      notes.stream.destroy()
      await notes.over.promise
      server.close()
    })

    it('says what broke it, once, and takes everything that comes later in silence', async () => {
      const [notes, visitor, server] = await pair(kind, unix)
      const { stream } = notes
      visitor.destroy()
      for (let i = 0; i < 50 && !stream.destroyed; i++) {
        stream.write(Buffer.alloc(100_000))
        await sleep(5)
      }
      await notes.over.promise
      expect(['EPIPE', 'ECONNRESET']).toContain(stream.trouble)
      for (const act of [
        'end',
        'cork',
        'uncork',
        'destroy',
        'destroySoon',
        'resetAndDestroy',
        'resume',
      ] as const) {
        stream[act]()
      }
      await sleep(20)
      expect(notes.told.filter((each) => each === 'CLOSED')).toHaveLength(1)
      server.close()
    })
  })

  it.each(kind === 'on a handle' ? [1] : [])(
    'reads what came before the other side closed, though a write fails',
    async () => {
      const [notes, visitor, server] = await pair(kind, true)
      notes.takes = false
      visitor.write('a')
      await come(() => notes.told.includes('a'))
      // Unread in the kernel when the write meets a closed socket.
      visitor.write('the last words')
      visitor.destroySoon()
      await once(visitor, 'close')
      notes.takes = true
      notes.stream.resume()
      notes.stream.write(Buffer.from('more room'))
      notes.stream.write(Buffer.from('more room'))
      await notes.over.promise
      expect(notes.told).toEqual(['a', 'the last words', 'END', 'CLOSED'])
      expect(notes.stream.trouble).toBe('EPIPE')
      server.close()
    },
  )

  it('resets', async () => {
    const [notes, visitor, server] = await pair(kind, false)
    const failed = once(visitor, 'error')
    notes.stream.resetAndDestroy()
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
    await notes.over.promise
    server.close()
  })
})
