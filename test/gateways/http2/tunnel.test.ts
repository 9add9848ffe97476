/** Extended CONNECT (RFC 8441): what an upgrade is to HTTP/1. */
import type { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import type { Exchange } from '../../../src/request/exchange.ts'
import { FrameType, Http2Code, Setting } from '../../../src/wire/http2.ts'
import { asksForWebSocket, readHandshake } from '../../../src/wire/websocket-handshake.ts'
import { handler, OK, says } from '../http1/handlers.ts'
import { until } from '../http1/visitor.ts'
import { frame, request } from './peer.ts'
import { serve } from './site.ts'

const CONNECT = request('/chat', { ':method': 'CONNECT', ':protocol': 'websocket' })
const ASKED = [...CONNECT, ['sec-websocket-version', '13'] as const]
const SWITCHING = {
  status: 101,
  reason: '',
  fields: 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nX-A: b\r\n',
  has: 0,
}

/** Upgrades whatever comes, and keeps both sides for the test. */
class Switchboard {
  readonly name = 'switchboard'
  readonly tunnels: Duplex[] = []
  readonly exchanges: Exchange[] = []

  handle(exchange: Exchange): void {
    this.exchanges.push(exchange)
    const tunnel = exchange.upgrade(SWITCHING)
    tunnel.on('error', () => {})
    this.tunnels.push(tunnel)
  }
}

it('is a request for a WebSocket as HTTP/1 has it', async () => {
  const { visitor } = await serve({
    routes: {
      '/': handler((exchange) => {
        const { line, fields, canUpgrade } = exchange
        const handshake = readHandshake(line, fields).right
        const seen = { method: line.method, canUpgrade, asks: asksForWebSocket(fields), handshake }
        exchange.respond(OK, Buffer.from(JSON.stringify(seen)))
      }),
    },
  })
  const peer = await visitor()
  peer.ask(1, [...ASKED, ['sec-websocket-key', 'not heard']], false)
  const { heads, body } = await peer.over(1)
  expect(heads[0]![':status']).toBe('200')
  expect(JSON.parse(body.toString())).toEqual({
    method: 'GET',
    canUpgrade: true,
    asks: true,
    handshake: true,
  })
})

it('no other request can be upgraded', async () => {
  const { visitor } = await serve({
    routes: {
      '/': handler((exchange) => exchange.respond(OK, Buffer.from(String(exchange.canUpgrade)))),
    },
  })
  const peer = await visitor()
  peer.ask(1, request('/'))
  expect((await peer.over(1)).body.toString()).toBe('false')
})

it('carries bytes both ways, whatever came before it was granted', async () => {
  const board = new Switchboard()
  const { visitor, totals } = await serve({ routes: { '/': board } })
  const peer = await visitor()
  peer.ask(1, ASKED, false).data(1, 'early ')
  await until(() => board.tunnels.length === 1)
  const [tunnel] = board.tunnels
  let heard = ''
  let ended = false
  tunnel!.on('data', (bytes: Buffer) => {
    heard += bytes.toString()
  })
  tunnel!.on('end', () => {
    ended = true
  })
  tunnel!.write('hello')
  peer.data(1, 'late')
  await until(() => heard === 'early late')
  await peer.until(() => peer.told(1).body.toString() === 'hello')
  expect(peer.told(1).heads).toEqual([
    { ':status': '200', server: 'portico', date: expect.any(String), 'x-a': 'b' },
  ])
  peer.data(1, '', true)
  await until(() => ended)
  tunnel!.end('bye')
  expect(await peer.over(1)).toMatchObject({ ended: true, reset: -1 })
  expect(peer.told(1).body.toString()).toBe('hellobye')
  await until(() => totals().active === 0)
  expect(totals().answers['1xx']).toBe(1)
})

it('holds back whoever is faster than the other', async () => {
  const board = new Switchboard()
  const { visitor } = await serve({ routes: { '/': board } })
  const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 1000]], false)
  peer.ask(1, ASKED, false)
  await until(() => board.tunnels.length === 1)
  const [tunnel] = board.tunnels
  let taken = false
  tunnel!.write(Buffer.alloc(3000, 'x'), () => {
    taken = true
  })
  await peer.until(() => peer.told(1).body.length === 1000)
  expect(taken).toBe(false)
  peer.update(1, 5000)
  await until(() => taken)
  // Nobody reads: no more than the Duplex and the window hold is let in.
  const windows = (): number =>
    peer
      .of(FrameType.WINDOW_UPDATE)
      .filter(({ stream }) => stream === 1)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535)
  let sent = 0
  for (let idle = 0; idle < 20; ) {
    if (sent + 16_384 > windows()) {
      idle++
      await new Promise((resolve) => setTimeout(resolve, 5))
      continue
    }
    peer.data(1, Buffer.alloc(16_384))
    sent += 16_384
  }
  expect(sent).toBeLessThan(600_000)
  let read = 0
  tunnel!.on('data', (bytes: Buffer) => {
    read += bytes.length
  })
  await until(() => read === sent)
  tunnel!.destroy()
  expect((await peer.over(1)).reset).toBe(Http2Code.CANCEL)
})

it('ends with its visitor', async () => {
  const board = new Switchboard()
  const { visitor, totals } = await serve({ routes: { '/': board } })
  const peer = await visitor()
  peer.ask(1, ASKED, false).ask(3, ASKED, false)
  await until(() => board.tunnels.length === 2)
  let closed = 0
  for (const tunnel of board.tunnels) {
    tunnel.resume()
    tunnel.on('close', () => closed++)
  }
  peer.reset(1)
  await until(() => closed === 1)
  peer.leave()
  await until(() => closed === 2 && totals().active === 0)
})

it('ends when nothing comes for too long', async () => {
  const board = new Switchboard()
  const { visitor } = await serve({ routes: { '/': board }, tunnelMs: 300 })
  const peer = await visitor()
  peer.ask(1, ASKED, false)
  expect((await peer.over(1)).reset).toBe(Http2Code.CANCEL)
  peer.ask(3, request('/'))
})

it('is answered as any request where nobody wants it', async () => {
  const { visitor } = await serve({ routes: { '/': says('no socket here') } })
  const peer = await visitor()
  peer.ask(1, ASKED, false)
  expect((await peer.over(1)).body.toString()).toBe('no socket here')
})

it('keeps small frames that nobody reads in one piece, and asks for no more', async () => {
  const board = new Switchboard()
  const { visitor } = await serve({ routes: { '/': board } })
  const peer = await visitor()
  peer.ask(1, ASKED, false)
  await until(() => board.tunnels.length === 1)
  const [tunnel] = board.tunnels
  tunnel!.pause()
  for (let i = 0; i < 100; i++) {
    peer.send(Buffer.concat(Array(200).fill(frame(FrameType.DATA, 0, 1, Buffer.from('xy')))))
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  peer.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8)))
  await peer.until(() => peer.of(FrameType.PING).length > 0)
  expect(tunnel!.readableLength).toBe(2)
  expect(peer.of(FrameType.WINDOW_UPDATE)).toEqual([])
  let pieces = 0
  let bytes = 0
  tunnel!.on('data', (piece: Buffer) => {
    pieces++
    bytes += piece.length
  })
  tunnel!.resume()
  await until(() => bytes === 40_000)
  expect(pieces).toBeLessThan(5)
  await peer.until(() => peer.of(FrameType.WINDOW_UPDATE).length > 0)
})
