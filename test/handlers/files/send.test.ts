/** Files on their way: slow visitors, visitors that leave, files that shrink; by kernel and by hand. */
import { mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Piece, sendFile, sendPieces } from '../../../src/handlers/files/send.ts'
import type { AnswerHead, Exchange, Handler } from '../../../src/request/exchange.ts'
import { ask } from '../ask.ts'
import { type Served, serve } from '../serve.ts'

const SIZE = 12_000_000
const HEAD: AnswerHead = { status: 200, reason: '', fields: '', has: 0 }
let dir: string
let path: string
let content: Buffer

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portico-send-'))
  path = join(dir, 'file')
  content = Buffer.alloc(SIZE)
  for (let i = 0; i < SIZE; i++) content[i] = (i * 2_654_435_761) >>> 24
  writeFileSync(path, content)
})
afterAll(() => rmSync(dir, { recursive: true }))

/** Without `sendFile`, as gateways are over TLS. */
function byHand(exchange: Exchange): Exchange {
  return new Proxy(exchange, {
    get(target, name) {
      if (name === 'sendFile') return undefined
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  })
}

function handler(kernel: boolean, send: (exchange: Exchange) => void): Handler {
  return { name: 'test', handle: (exchange) => send(kernel ? exchange : byHand(exchange)) }
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A raw connection that has asked for the file and reads nothing yet. */
async function visitor(served: Served): Promise<Socket> {
  const socket = connect(served.port, '127.0.0.1')
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  return socket
}

describe.each([
  ['by the kernel', true],
  ['by hand', false],
])('%s', (_, kernel) => {
  test('a part, and parts with bytes between them', async () => {
    const served = await serve(
      handler(kernel, (exchange) => {
        if (exchange.line.path === '/part') {
          return sendFile(exchange, HEAD, openSync(path, 'r'), 1_000_001, 9_000_003)
        }
        const pieces: Piece[] = [
          Buffer.from('<'),
          { from: 5, length: 3_000_000 },
          Buffer.from('|'),
          Buffer.from('|'),
          { from: 0, length: 0 },
          { from: 0, length: 10 },
          Buffer.from('>'),
        ]
        sendPieces(exchange, HEAD, openSync(path, 'r'), pieces)
      }),
    )
    const before = openFiles()
    for (let i = 0; i < 5; i++) {
      const part = await ask(served.port, '/part')
      expect(part.body.equals(content.subarray(1_000_001, 10_000_004))).toBe(true)
      const parts = await ask(served.port, '/parts')
      const expected = [
        Buffer.from('<'),
        content.subarray(5, 3_000_005),
        Buffer.from('||'),
        content.subarray(0, 10),
        Buffer.from('>'),
      ]
      expect(parts.body.equals(Buffer.concat(expected))).toBe(true)
      const head = await ask(served.port, '/part', {}, 'HEAD')
      expect([head.headers['content-length'], head.body.length]).toEqual(['9000003', 0])
    }
    await wait(50)
    expect(openFiles()).toBeLessThanOrEqual(before)
    served.close()
  })

  test('many visitors of every pace get the same bytes', async () => {
    const served = await serve(
      handler(kernel, (exchange) => sendFile(exchange, HEAD, openSync(path, 'r'), 0, SIZE)),
    )
    const pace = async (pause: number): Promise<Buffer> => {
      const socket = await visitor(served)
      const parts: Buffer[] = []
      await wait(pause * 20)
      for await (const part of socket) {
        parts.push(part)
        if (pause > 0 && parts.length % 20 === 0) await wait(pause)
      }
      return Buffer.concat(parts)
    }
    const all = await Promise.all([0, 0, 0, 1, 1, 2, 5, 5].map(pace))
    for (const bytes of all) {
      expect(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4).equals(content)).toBe(true)
    }
    served.close()
  })

  test('a visitor that leaves costs no descriptor', async () => {
    const served = await serve(
      handler(kernel, (exchange) => sendFile(exchange, HEAD, openSync(path, 'r'), 0, SIZE)),
    )
    const before = openFiles()
    for (let i = 0; i < 60; i++) {
      const socket = await visitor(served)
      await wait(i % 7)
      if (i % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
    }
    for (let i = 0; i < 100 && openFiles() > before; i++) await wait(20)
    expect(openFiles()).toBeLessThanOrEqual(before)
    expect((await ask(served.port, '/')).body.length).toBe(SIZE)
    served.close()
  })

  test('a file that shrinks meanwhile cuts the connection', async () => {
    const shrinking = join(dir, 'shrinking')
    writeFileSync(shrinking, Buffer.alloc(30_000_000))
    const served = await serve(
      handler(kernel, (exchange) =>
        sendFile(exchange, HEAD, openSync(shrinking, 'r'), 0, 30_000_000),
      ),
    )
    const before = openFiles()
    const socket = await visitor(served)
    await wait(100)
    truncateSync(shrinking, 1000)
    let length = 0
    socket.on('data', (part) => {
      length += part.length
    })
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(length).toBeLessThan(30_000_000)
    await wait(50)
    expect(openFiles()).toBeLessThanOrEqual(before)
    served.close()
  })

  test('a file that is empty by now, and a part behind its end', async () => {
    const served = await serve(
      handler(kernel, (exchange) => sendFile(exchange, HEAD, openSync(path, 'r'), SIZE, 1_000_000)),
    )
    const cut = await ask(served.port, '/').catch((error: Error) => error)
    expect(cut instanceof Error || cut.cut).toBe(true)
    served.close()
  })

  test('a visitor that reads nothing holds little memory', async () => {
    const served = await serve(
      handler(kernel, (exchange) => sendFile(exchange, HEAD, openSync(path, 'r'), 0, SIZE)),
    )
    const external = (): number => process.memoryUsage().arrayBuffers
    const before = external()
    const sockets = await Promise.all(Array.from({ length: 40 }, () => visitor(served)))
    await wait(300)
    expect((external() - before) / 40).toBeLessThan(400_000)
    for (const socket of sockets) socket.destroy()
    await wait(50)
    served.close()
  })
})
