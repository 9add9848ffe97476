/** Connections over HTTP/2: streams, windows, limits, floods, deadlines and ends (RFC 9113 §5 to §7, §10.5). */
import { describe, expect, it } from 'vitest'
import { reserved } from '../../../src/gateways/http2/wider.ts'
import type { BodySink } from '../../../src/request/exchange.ts'
import {
  encodeSettings,
  Flag,
  FrameType,
  Http2Code,
  PREFACE,
  Setting,
} from '../../../src/wire/http2.ts'
import { echo, Held, handler, OK, says } from '../http1/handlers.ts'
import { sleep, until } from '../http1/visitor.ts'
import { encode, frame, Peer, request } from './peer.ts'
import { serve } from './site.ts'

const NOBODY: BodySink = { data: () => true, end: () => {}, abort: () => {} }

/** A body of so many bytes, as long as somebody wants it. */
function large(size: number, fill: string): ReturnType<typeof handler> {
  const body = Buffer.alloc(size, fill)
  return handler((exchange) => exchange.respond(OK, body))
}

describe('at first', () => {
  it('settings are told, and read in whatever pieces they come', async () => {
    const { port } = await serve({ routes: { '/': says('hello') } }, { streams: 7 })
    const bytes = Buffer.concat([
      PREFACE,
      encodeSettings([[Setting.ENABLE_PUSH, 0]]),
      frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, encode(request('/'))),
    ])
    for (let at = 1; at < bytes.length; at += 3) {
      const peer = await Peer.silent(port)
      peer.send(bytes.subarray(0, at))
      await new Promise((resolve) => setImmediate(resolve))
      peer.send(bytes.subarray(at))
      expect((await peer.over(1)).body.toString()).toBe('hello')
      peer.leave()
    }
    const peer = await Peer.at(port)
    const { payload } = peer.of(FrameType.SETTINGS)[0]!
    const told = Array.from({ length: payload.length / 6 }, (_, i) => [
      payload.readUInt16BE(i * 6),
      payload.readUInt32BE(i * 6 + 2),
    ])
    expect(told).toEqual([
      [Setting.MAX_CONCURRENT_STREAMS, 7],
      [Setting.MAX_HEADER_LIST_SIZE, 16_384],
      [Setting.ENABLE_CONNECT_PROTOCOL, 1],
      [Setting.NO_RFC7540_PRIORITIES, 1],
    ])
    peer.leave()
  })

  it('what is not HTTP/2 is told so', async () => {
    const { port } = await serve({ routes: { '/': says('hello') } })
    const peer = await Peer.silent(port)
    peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect((await peer.goaway()).code).toBe(Http2Code.PROTOCOL_ERROR)
    await peer.until(() => peer.ended)
  })

  it('who says nothing is not waited for', async () => {
    const { port, totals } = await serve({ routes: { '/': says('') }, timeouts: { headMs: 300 } })
    const peer = await Peer.silent(port)
    peer.send(PREFACE.subarray(0, 10))
    await peer.until(() => peer.ended)
    peer.leave()
    await until(() => totals().open === 0)
  })
})

describe('streams', () => {
  it('more than allowed are refused, and may be asked again', async () => {
    const held = new Held()
    const { visitor, totals } = await serve({ routes: { '/': held } }, { streams: 2 })
    const peer = await visitor()
    for (const stream of [1, 3, 5]) peer.ask(stream, request('/'))
    expect((await peer.over(5)).reset).toBe(Http2Code.REFUSED_STREAM)
    expect(totals().http2).toEqual({ accepted: 1, open: 1, requests: 2, refused: 1, faults: 0 })
    held.exchanges[0]!.respond(OK, Buffer.from('one'))
    await peer.over(1)
    peer.ask(7, request('/'))
    await until(() => held.exchanges.length === 3)
  })

  it('that their visitor takes back are over for the handler', async () => {
    const held = new Held()
    const { visitor, totals } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    peer.ask(1, request('/'))
    await until(() => held.exchanges.length === 1)
    let left = false
    held.last.onGone = () => {
      left = true
    }
    peer.reset(1)
    await until(() => left && totals().active === 0)
    expect(held.last.gone).toBe(true)
    peer.ask(3, request('/'))
    await until(() => held.exchanges.length === 2)
  })

  it('are all over when the visitor is', async () => {
    const held = new Held()
    const { visitor, totals } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    for (let stream = 1; stream < 40; stream += 2) peer.ask(stream, request('/'))
    await until(() => held.exchanges.length === 20)
    peer.leave()
    await until(() => totals().open === 0 && totals().active === 0)
    expect(held.exchanges.every(({ gone }) => gone)).toBe(true)
  })

  it('of a visitor that has ended its side are answered, if something comes of them soon', async () => {
    const held = new Held()
    const { visitor, totals } = await serve({ routes: { '/': held }, timeouts: { abandonMs: 500 } })
    const peer = await visitor()
    peer.ask(1, request('/')).ask(3, request('/'))
    await until(() => held.exchanges.length === 2)
    peer.socket.end()
    held.exchanges[0]!.respond(OK, Buffer.from('still'))
    expect((await peer.over(1)).body.toString()).toBe('still')
    await until(() => held.exchanges[1]!.gone && totals().open === 0)
  })

  it('are listed while they are in hand', async () => {
    const held = new Held()
    const { visitor, gateway } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    peer.ask(1, request('/a')).ask(3, request('/b'))
    await until(() => held.exchanges.length === 2)
    const paths: string[] = []
    gateway.eachExchange(({ line }) => paths.push(line.path))
    expect(paths).toEqual(['/a', '/b'])
  })
})

describe('the windows of answers', () => {
  it('are kept, of stream and connection, and opened by either', async () => {
    const { visitor } = await serve({ routes: { '/': large(200_000, 'x') } })
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 10]], false)
    peer.ask(1, request('/'))
    await peer.until(() => peer.told(1).body.length === 10)
    peer.update(1, 5)
    await peer.until(() => peer.told(1).body.length === 15)
    peer.update(1, 1_000_000)
    await peer.until(() => peer.told(1).body.length === 65_535)
    peer.update(0, 1_000_000)
    expect((await peer.over(1)).body.length).toBe(200_000)
  })

  it('follow the settings, also below nothing', async () => {
    const { visitor } = await serve({ routes: { '/': large(50_000, 'x') } })
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 100]], false)
    peer.ask(1, request('/'))
    await peer.until(() => peer.told(1).body.length === 100)
    peer.send(encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 50]])).update(1, 60)
    await peer.until(() => peer.told(1).body.length === 110)
    peer.send(encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 100_000]]))
    expect((await peer.over(1)).body.length).toBe(50_000)
  })

  it('hold a handler back, and tell it when there is room', async () => {
    const held = new Held()
    const { visitor } = await serve({ routes: { '/': held } })
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 10]], false)
    peer.ask(1, request('/'))
    await until(() => held.exchanges.length === 1)
    const { last } = held
    let drained = 0
    last.onDrain = () => drained++
    last.start(OK, -1)
    const bytes = Buffer.from('0123456789')
    expect(last.write(bytes, false)).toBe(true)
    expect(last.write(bytes, false)).toBe(false)
    bytes.fill('!')
    peer.update(1, 4)
    await peer.until(() => peer.told(1).body.length === 14)
    expect(drained).toBe(0)
    peer.update(1, 100)
    await until(() => drained === 1)
    expect(last.write(Buffer.from('abc'), true)).toBe(true)
    last.end()
    expect((await peer.over(1)).body.toString()).toBe('01234567890123456789abc')
  })

  it('that stay shut are given up', async () => {
    const { visitor, totals } = await serve({
      routes: { '/': large(1000, 'x'), '/fine': says('fine') },
      timeouts: { sendMs: 300 },
    })
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 0]], false)
    peer.ask(1, request('/'))
    expect((await peer.over(1)).reset).toBe(Http2Code.CANCEL)
    await until(() => totals().active === 0)
    peer.ask(3, request('/fine')).update(3, 10)
    expect((await peer.over(3)).body.toString()).toBe('fine')
  })

  it('that overflow are a fault', async () => {
    const { visitor } = await serve({ routes: { '/': new Held() } })
    const peer = await visitor()
    peer.ask(1, request('/')).update(1, 0x7fffffff)
    expect((await peer.over(1)).reset).toBe(Http2Code.FLOW_CONTROL_ERROR)
    peer.update(0, 0x7fffffff)
    expect((await peer.goaway()).code).toBe(Http2Code.FLOW_CONTROL_ERROR)
  })
})

describe('several answers at once', () => {
  /** The streams of DATA in order, runs as one. */
  function order(peer: Peer): number[] {
    const streams = peer.of(FrameType.DATA).map(({ stream }) => stream)
    return streams.filter((stream, i) => stream !== streams[i - 1])
  }

  it('take turns', async () => {
    const { visitor } = await serve({ routes: { '/': large(100_000, 'x') } })
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]], false)
    for (const stream of [1, 3, 5]) peer.ask(stream, request('/'))
    await peer.until(() => peer.told(1).body.length === 65_535)
    peer.update(0, 1_000_000)
    for (const stream of [1, 3, 5]) expect((await peer.over(stream)).body.length).toBe(100_000)
    expect(order(peer).slice(1, 7)).toEqual([3, 5, 1, 3, 5, 1])
  })

  it('come by urgency, and one after another where parts are of no use', async () => {
    const { visitor } = await serve({ routes: { '/': large(50_000, 'x') } })
    const priorities = ['u=3', 'u=5', 'u=3', 'u=1', 'u=3, i']
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]], false)
    peer.ask(1, request('/')).ask(3, request('/'))
    await peer.until(() => peer.told(3).body.length > 0)
    priorities.forEach((priority, i) => {
      peer.ask(5 + i * 2, [...request('/'), ['priority', priority]])
    })
    const moved = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('u=0')])
    peer.send(frame(FrameType.PRIORITY_UPDATE, 0, 0, moved))
    await peer.until(() => peer.told(13).heads.length === 1)
    await sleep(50)
    peer.frames.length = 0
    peer.update(0, 10_000_000)
    for (const stream of [3, 5, 7, 9, 11, 13]) await peer.over(stream)
    const [first, second] = order(peer)
    expect([first, second]).toEqual([7, 11])
    const rest = order(peer).slice(2)
    expect(rest.slice(0, 2)).toEqual([5, 9])
    expect(new Set(rest.slice(2))).toEqual(new Set([3, 13]))
  })
})

describe('floods are ended', () => {
  const calm = async (say: (peer: Peer) => void, open = 0): Promise<void> => {
    const held = new Held()
    const { visitor, totals } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    for (let i = 0; i < open; i++) peer.ask(1 + i * 2, request('/', { ':method': 'POST' }), false)
    say(peer)
    expect((await peer.goaway()).code).toBe(Http2Code.ENHANCE_YOUR_CALM)
    await until(() => totals().active === 0)
    expect(totals().http2.faults).toBe(1)
  }
  const many = (count: number, one: Buffer): Buffer => Buffer.concat(Array(count).fill(one))

  it('of pings', () =>
    calm((peer) => peer.send(many(10_000, frame(FrameType.PING, 0, 0, Buffer.alloc(8))))))
  it('of settings', () => calm((peer) => peer.send(many(1_000, encodeSettings([])))))
  it('of priorities', () =>
    calm((peer) => peer.send(many(10_000, frame(FrameType.PRIORITY, 0, 1, Buffer.alloc(5))))))
  it('of empty DATA', () => calm((peer) => peer.send(many(10_000, frame(FrameType.DATA, 0, 1))), 1))
  it('of DATA by the byte', () =>
    calm((peer) => peer.send(many(10_000, frame(FrameType.DATA, 0, 1, Buffer.of(1)))), 1))
  it('of window updates', () =>
    calm((peer) => {
      for (let i = 0; i < 10_000; i++) peer.update(0, 1)
    }))
  it('of frames that nobody knows', () =>
    calm((peer) => peer.send(many(10_000, frame(99, 0, 0, Buffer.alloc(4))))))
  it('of requests that are taken back', () =>
    calm((peer) => {
      for (let i = 0; i < 1000; i++) peer.ask(1 + i * 2, request('/')).reset(1 + i * 2)
    }))
  it('of requests beyond the limit', () =>
    calm((peer) => {
      for (let i = 0; i < 1000; i++) peer.ask(1 + i * 2, request('/'))
    }))
  it('of continuations', () =>
    calm((peer) => {
      peer.send(frame(FrameType.HEADERS, Flag.END_STREAM, 1, encode(request('/'))))
      peer.send(many(100, frame(FrameType.CONTINUATION, 0, 1)))
    }))
  it('of fields without end', () =>
    calm((peer) => {
      peer.send(frame(FrameType.HEADERS, Flag.END_STREAM, 1, encode(request('/'))))
      const fields = encode([['x-a', 'y'.repeat(10_000)]])
      for (let i = 0; i < 10; i++) peer.send(frame(FrameType.CONTINUATION, 0, 1, fields))
    }))

  it('but not what browsers and slow readers do', async () => {
    const { visitor } = await serve({ routes: { '/': large(500_000, 'x'), '/now': says('') } })
    const peer = await visitor()
    for (let i = 0; i < 20; i++) {
      for (let n = 0; n < 20; n++) peer.ask(1 + (i * 20 + n) * 2, request('/now'))
      await peer.over(1 + (i * 20 + 19) * 2)
    }
    peer.ask(1001, request('/'))
    expect((await peer.over(1001)).body.length).toBe(500_000)
    for (let i = 0; i < 100; i++) peer.ask(1003 + i * 2, request('/')).reset(1003 + i * 2)
    peer.ask(2001, request('/now'))
    expect((await peer.over(2001)).ended).toBe(true)
  })

  it('a table of one large entry is no bomb', async () => {
    const { visitor } = await serve({ routes: { '/': says('hello') } })
    const peer = await visitor()
    const entry = Buffer.concat([
      Buffer.from([0x40, 1, 0x61, 0x7f, 0x81, 0x1e]),
      Buffer.alloc(4000, 'b'),
    ])
    const bomb = Buffer.alloc(8000, 0xbe)
    peer.send(
      frame(
        FrameType.HEADERS,
        Flag.END_STREAM | Flag.END_HEADERS,
        1,
        Buffer.concat([encode(request('/')), entry, bomb]),
      ),
    )
    expect((await peer.over(1)).heads[0]![':status']).toBe('431')
    peer.ask(3, request('/'))
    expect((await peer.over(3)).body.toString()).toBe('hello')
  })
})

describe('deadlines', () => {
  it.each<[string, (peer: Peer) => void, number]>([
    [
      'a header block',
      (peer) => peer.send(frame(FrameType.HEADERS, 0, 1, encode(request('/')))),
      Http2Code.ENHANCE_YOUR_CALM,
    ],
    ['silence', () => {}, Http2Code.NO_ERROR],
    ['half a frame', (peer) => peer.send(Buffer.from([0, 0, 8, 6, 0])), Http2Code.NO_ERROR],
  ])('of %s', async (_, say, code) => {
    const { visitor } = await serve({
      routes: { '/': says('hello') },
      timeouts: { headMs: 300, idleMs: 300 },
    })
    const peer = await visitor()
    say(peer)
    expect((await peer.goaway()).code).toBe(code)
    await peer.until(() => peer.ended)
  })

  it('of a body: the request is answered, the peers go on', async () => {
    const { visitor } = await serve({
      routes: { '/': echo(), '/held': new Held() },
      timeouts: { bodyMs: 300 },
    })
    const peer = await visitor()
    peer.ask(1, request('/', { ':method': 'POST' }), false).data(1, 'never complete')
    // Nobody reads this one, so it is not its visitor who is slow.
    peer.ask(3, request('/held', { ':method': 'POST' }), false)
    const { heads } = await peer.over(1)
    expect(heads[0]![':status']).toBe('408')
    peer.ask(5, request('/', { ':method': 'POST' }), false).data(5, 'fine', true)
    expect((await peer.over(5)).body.toString()).toBe('fine')
    expect(peer.told(3)).toMatchObject({ ended: false, reset: -1 })
  })

  it('of a visitor that reads nothing', async () => {
    const { visitor, totals } = await serve({
      routes: { '/': large(50_000_000, 'x') },
      timeouts: { sendMs: 500 },
    })
    const peer = await visitor([[Setting.INITIAL_WINDOW_SIZE, 0x7fffffff]])
    peer.update(0, 0x7fff0000)
    peer.socket.pause()
    peer.ask(1, request('/'))
    await until(() => totals().open === 0 && totals().active === 0)
  })

  it('of settings that are never acknowledged', async () => {
    const { port } = await serve({ routes: { '/': says('') }, timeouts: { headMs: 300 } })
    const peer = await Peer.silent(port)
    // Said as if by a visitor that does not listen.
    peer.send = () => peer
    peer.socket.write(Buffer.concat([PREFACE, encodeSettings([])]))
    expect((await peer.goaway()).code).toBe(Http2Code.SETTINGS_TIMEOUT)
    peer.leave()
  })
})

describe('a server that drains', () => {
  it('says so twice, answers what was on its way, and closes behind it', async () => {
    const held = new Held()
    const { visitor, gateway } = await serve({ routes: { '/': held } })
    const peer = await visitor()
    peer.ask(1, request('/'))
    await until(() => held.exchanges.length === 1)
    let drained = false
    gateway.drain(() => {
      drained = true
    })
    // Sent before the visitor could know.
    peer.ask(3, request('/'))
    expect(await peer.goaway(1)).toMatchObject({ last: 0x7fffffff, code: Http2Code.NO_ERROR })
    await until(() => held.exchanges.length === 2)
    expect(await peer.goaway(2)).toMatchObject({ last: 3, code: Http2Code.NO_ERROR })
    peer.ask(5, request('/'))
    expect((await peer.over(5)).reset).toBe(Http2Code.REFUSED_STREAM)
    expect(held.exchanges.length).toBe(2)
    for (const exchange of held.exchanges) exchange.respond(OK, Buffer.from('late'))
    expect((await peer.over(3)).body.toString()).toBe('late')
    await peer.until(() => peer.ended)
    expect(drained).toBe(false)
    peer.leave()
    await until(() => drained)
  })

  it('does not wait for visitors that do not answer', async () => {
    const { visitor, gateway } = await serve({ routes: { '/': says('') } })
    const peer = await visitor()
    gateway.drain(() => {})
    expect(await peer.goaway(2)).toMatchObject({ last: 0, code: Http2Code.NO_ERROR })
    await peer.until(() => peer.ended)
  })

  it('as does a connection that has carried enough', async () => {
    const { visitor } = await serve({ routes: { '/': says('hello') } }, { requests: 3 })
    const peer = await visitor()
    for (const stream of [1, 3, 5, 7]) peer.ask(stream, request('/'))
    expect((await peer.over(7)).body.toString()).toBe('hello')
    expect(await peer.goaway(2)).toMatchObject({ last: 7, code: Http2Code.NO_ERROR })
    await peer.until(() => peer.ended)
  })
})

it('what a handler wants of a body that was given up is nothing', async () => {
  const held = new Held()
  const { visitor, totals } = await serve({ routes: { '/': held } })
  const peer = await visitor()
  peer.ask(1, request('/', { ':method': 'POST' }), false).data(1, 'some')
  await until(() => held.exchanges.length === 1)
  let aborted = ''
  held.last.receive({ ...NOBODY, abort: (error) => (aborted = error.code) })
  peer.reset(1)
  await until(() => aborted === 'VISITOR_LEFT')
  held.last.resume()
  held.last.respond(OK, Buffer.from('for nobody'))
  await until(() => totals().active === 0)
  expect(peer.told(1).heads).toEqual([])
})

it('what was said last is not cut off because its visitor reads it slowly', async () => {
  const { gateway } = await serve({ routes: { '/': large(50_000, 'x') } })
  /** A socket whose kernel takes nothing for now. */
  const socket = {
    remoteAddress: '127.0.0.1',
    remotePort: 1,
    localAddress: '127.0.0.1',
    localPort: 2,
    writableLength: 0,
    queueSize: 0,
    fd: -1,
    trouble: '',
    destroyed: false,
    write: (bytes: Uint8Array) => {
      socket.writableLength += bytes.length
    },
    cork: () => {},
    uncork: () => {},
    end: () => {},
    destroy: () => {
      socket.destroyed = true
    },
    destroySoon: () => {},
    resetAndDestroy: () => {},
    resume: () => {},
  }
  const connection = gateway.connect(socket)
  const bytes = Buffer.concat([
    PREFACE,
    encodeSettings([]),
    frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, encode(request('/'))),
    frame(FrameType.DATA, 0, 0),
  ])
  connection.read(bytes, bytes.length)
  expect(socket.writableLength).toBeGreaterThan(50_000)
  await sleep(2_600)
  expect(socket.destroyed).toBe(false)
  socket.writableLength = 0
  await until(() => socket.destroyed)
  connection.closed()
})

describe('windows of bodies', () => {
  const told = (peer: Peer): number =>
    peer
      .of(FrameType.WINDOW_UPDATE)
      .filter(({ stream }) => stream === 0)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)

  it('are opened wider as long as the thread has room, and again when visitors have left', async () => {
    const held = new Held()
    const { visitor, totals } = await serve({ routes: { '/': held } })
    const ask = async (): Promise<Peer> => {
      const peer = await visitor()
      for (const stream of [1, 3, 5, 7]) {
        peer.ask(stream, request('/', { ':method': 'POST', 'content-length': '900000' }), false)
      }
      await peer.send(frame(FrameType.PING, 0, 0, Buffer.alloc(8))).until(() => pinged(peer))
      return peer
    }
    const pinged = (peer: Peer): boolean => peer.of(FrameType.PING).length > 0
    const peers: Peer[] = []
    for (let i = 0; i < 80; i++) peers.push(await ask())
    for (const exchange of held.exchanges) {
      exchange.receive({ data: () => false, end: () => {}, abort: () => {} })
    }
    const all = (): number => peers.reduce((sum, peer) => sum + told(peer), 0)
    await sleep(100)
    await peers[0]!.until(() => told(peers[0]!) > 900_000)
    expect(all()).toBeGreaterThan(66_000_000)
    expect(all()).toBeLessThanOrEqual(67_108_864)
    expect(told(peers.at(-1)!)).toBe(0)
    expect(reserved()).toBe(all())
    for (const peer of peers) peer.leave()
    await until(() => totals().active === 0 && reserved() === 0)
    const peer = await ask()
    held.last.receive({ data: () => true, end: () => {}, abort: () => {} })
    await peer.until(() => told(peer) > 190_000)
    peer.leave()
    await until(() => reserved() === 0)
  })

  it('give back what they do not need any more', async () => {
    const { visitor } = await serve({ routes: { '/': echo() } })
    const peer = await visitor()
    const size = 500_000
    for (let i = 0; i < 3; i++) {
      const stream = 1 + i * 2
      const length = String(size)
      peer.ask(stream, request('/', { ':method': 'POST', 'content-length': length }), false)
      for (let sent = 0; sent < size; sent += 10_000) {
        const opened = (one: number): number =>
          peer
            .of(FrameType.WINDOW_UPDATE)
            .filter((update) => update.stream === one)
            .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535)
        await peer.until(
          () => opened(stream) >= sent + 10_000 && opened(0) >= i * size + sent + 10_000,
        )
        peer.data(stream, Buffer.alloc(10_000), sent + 10_000 === size)
      }
      expect((await peer.over(stream)).body.length).toBe(size)
      expect(reserved()).toBeLessThanOrEqual(262_144)
    }
    peer.leave()
    await until(() => reserved() === 0)
  })
})
