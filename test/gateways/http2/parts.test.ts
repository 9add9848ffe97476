/** The parts of a connection that hold something. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Blocks } from '../../../src/gateways/http2/blocks.ts'
import { Closed, ClosedStreams } from '../../../src/gateways/http2/closed-streams.ts'
import { HeldBytes } from '../../../src/gateways/http2/held-bytes.ts'
import { SendQueue } from '../../../src/gateways/http2/send-queue.ts'
import { Turns } from '../../../src/gateways/http2/turns.ts'
import { reserved } from '../../../src/gateways/http2/wider.ts'
import { Windows } from '../../../src/gateways/http2/windows.ts'
import { unsent } from '../../../src/listen/unsent.ts'
import { DEFAULT_WINDOW, Http2Fault } from '../../../src/wire/http2.ts'
import { parsePriority, type USUAL_PRIORITY } from '../../../src/wire/priority.ts'
import { encode, type Fields, request } from './peer.ts'

describe('held bytes', () => {
  it('are given back in one piece, whatever pieces they came in', () => {
    const held = new HeldBytes()
    const bytes = Buffer.from('0123456789'.repeat(1000))
    for (let at = 0; at < bytes.length; at += 7) {
      held.add(bytes, at, Math.min(bytes.length, at + 7), 65_535)
    }
    expect(held.length).toBe(10_000)
    expect(held.take().equals(bytes)).toBe(true)
    expect([held.length, held.take().length]).toEqual([0, 0])
  })
})

describe('the window of a connection', () => {
  it('is never more than it may be, whatever comes, and is given back whole', () => {
    const step = fc.tuple(fc.constantFrom('wide', 'over', 'come', 'take'), fc.nat(200_000))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const windows = new Windows()
        let [wide, open, held] = [0, DEFAULT_WINDOW, 0]
        for (const [what, bytes] of steps) {
          if (what === 'wide') {
            open += windows.enlarge()
            wide++
          } else if (what === 'over' && wide > 0) {
            windows.reduce()
            wide--
          } else if (what === 'come') {
            const come = Math.min(bytes, open)
            windows.receive(come)
            open -= come
            held += come
          } else if (what === 'take') {
            const taken = Math.min(bytes, held)
            open += windows.credit(taken)
            held -= taken
          }
          expect(windows.full).toBe(open === 0)
          // All that the visitor may still fill, or has filled, is accounted for.
          expect(open + held).toBeLessThanOrEqual(reserved() + DEFAULT_WINDOW)
          expect(reserved()).toBeLessThanOrEqual(1_048_576 - DEFAULT_WINDOW)
          // Nobody waits for ever: when all is taken, half of the window is open at least.
          if (held === 0) expect(open * 2).toBeGreaterThan(DEFAULT_WINDOW)
        }
        expect(() => windows.receive(open + 1)).toThrow(Http2Fault)
        windows.drop()
        expect(reserved()).toBe(0)
      }),
    )
  })

  it('stays as it was where the thread has no room', () => {
    const all = Array.from({ length: 300 }, () => new Windows())
    const wider = all.map((windows) => windows.enlarge())
    expect(wider.filter((told) => told > 0)).toHaveLength(256)
    expect(wider.at(-1)).toBe(-1)
    expect(all.at(-1)!.credit(0)).toBe(0)
    all[0]!.drop()
    expect(all.at(-1)!.enlarge()).toBe(262_144)
    for (const windows of all) windows.drop()
    expect(reserved()).toBe(0)
  })
})

it('what waits to be sent counts as unsent until it has left, or nobody wants it', () => {
  const before = unsent.bytes
  const queue = new SendQueue()
  const [large, small] = [Buffer.alloc(5_000, 'l'), Buffer.from('small')]
  queue.push(large, true)
  queue.push(small, true)
  expect([queue.length, queue.isLast, unsent.bytes - before]).toEqual([5_005, false, 5_005])
  expect(queue.first).toBe(large)
  queue.left(2)
  expect([queue.from, queue.length, unsent.bytes - before]).toEqual([2, 5_003, 5_003])
  queue.left(4_998)
  expect([queue.from, queue.isLast, queue.first?.toString()]).toEqual([0, true, 'small'])
  queue.drop()
  expect([queue.length, queue.first, unsent.bytes - before]).toEqual([0, undefined, 0])
})

it('what waits to be sent is what was given, small pieces in few', () => {
  const size = fc.oneof(fc.nat(10), fc.nat(3_000), fc.integer({ min: 4_090, max: 9_000 }))
  const step = fc.tuple(fc.boolean(), size)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const queue = new SendQueue()
      const [given, taken]: [Buffer[], Buffer[]] = [[], []]
      let fill = 0
      for (const [push, bytes] of steps) {
        const { first, from } = queue
        if (push && bytes > 0) {
          const piece = Buffer.alloc(bytes, fill++)
          given.push(Buffer.from(piece))
          queue.push(piece, false)
          piece.fill(255)
        } else if (first !== undefined) {
          const end = Math.min(first.length, from + bytes + 1)
          taken.push(Buffer.from(first.subarray(from, end)))
          queue.left(end - from)
        }
      }
      for (let { first, from } = queue; first !== undefined; { first, from } = queue) {
        taken.push(Buffer.from(first.subarray(from)))
        queue.left(first.length - from)
      }
      expect(queue.length).toBe(0)
      expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true)
    }),
  )
  const queue = new SendQueue()
  for (let i = 0; i < 1_000_000; i++) queue.push(Buffer.of(i), true)
  let pieces = 0
  for (; queue.length > 0; pieces++) queue.left(queue.first!.length)
  expect(pieces).toBeLessThan(30)
})

it('closed streams are known for a while', () => {
  const closed = new ClosedStreams()
  expect(closed.what(1)).toBe(Closed.UNKNOWN)
  closed.add(1, false)
  closed.add(3, true)
  expect([1, 3, 5].map((id) => closed.what(id))).toEqual([
    Closed.ENDED,
    Closed.RESET,
    Closed.UNKNOWN,
  ])
  expect(closed.full).toBe(false)
  for (let id = 5; id < 400; id += 2) closed.add(id, false)
  expect([closed.what(1), closed.full]).toEqual([Closed.UNKNOWN, true])
})

it.each([
  ['', 3, true],
  ['u=0', 0, false],
  ['u=7, i', 7, true],
  ['i', 3, true],
  ['i=?0', 3, false],
  ['u=1;x=2,i=?1', 1, true],
  ['u=8', 3, true],
  ['u=-1, i', 3, true],
  ['garbage', 3, true],
])('priority %j', (text, urgency, incremental) => {
  expect(parsePriority(text)).toEqual({ urgency, incremental })
})

it('turns: the urgent first, equals in turn, the others one after another', () => {
  const turns = new Turns<{ id: number; priority: typeof USUAL_PRIORITY; line: number }>()
  const one = (id: number, text: string) => ({ id, priority: parsePriority(text), line: -1 })
  const all = [one(1, 'i'), one(3, 'u=3'), one(5, 'i'), one(7, 'u=1'), one(9, 'u=3')]
  for (const each of all) turns.add(each)
  turns.add(all[0]!)
  turns.remove(all[2]!)
  turns.remove(all[2]!)
  const order: number[] = []
  for (let next = turns.next(); next !== null; next = turns.next()) order.push(next.id)
  expect(order).toEqual([7, 3, 9, 1])
  expect(turns.none).toBe(true)
})

describe('blocks', () => {
  const limits = { line: 8_192, head: 16_384, fields: 100 }
  const read = (blocks: Blocks, bytes: Buffer) => blocks.request(bytes, 0, bytes.length, 1, true)

  it('are remembered, unless a few bytes have become a large request', () => {
    const blocks = new Blocks(limits)
    const small = encode(request('/'))
    expect(read(blocks, small)).toBe(read(blocks, small))
    // Indexed: from now on it is one byte.
    const learned = Buffer.concat([
      small,
      Buffer.of(0x40, 1, 0x78, 0x7f, ...[0x81, 0x1e]),
      Buffer.alloc(4_096 - 128, 'a'),
    ])
    read(blocks, learned)
    const large = Buffer.concat([encode(request('/large')), Buffer.of(0xbe, 0xbe, 0xbe)])
    const first = read(blocks, large)
    expect(first.fields.raw.length).toBeGreaterThan(10_000)
    expect(read(blocks, large)).not.toBe(first)
    expect(read(blocks, small)).toBe(read(blocks, small))
  })

  it('with a line break in a value are malformed, though the same lines came as fields before', () => {
    const blocks = new Blocks(limits)
    const path = `/${Math.random()}`
    read(blocks, encode(request(path, { 'x-one': 'a', 'x-two': 'b' })))
    for (const over of [true, false]) {
      const bytes = encode(request(path, { 'x-one': 'a\r\nx-two: b' }))
      expect(() => blocks.request(bytes, 0, bytes.length, 3, over)).toThrow(Http2Fault)
    }
    const bytes = encode(
      [
        ...request(path).filter(([name]) => name !== ':authority'),
        [':authority', 'localhost\r\nx-one: a'],
        ['x-two', 'b'],
      ].toSorted(([a], [b]) => Number(b!.startsWith(':')) - Number(a!.startsWith(':'))) as Fields,
    )
    expect(() => read(blocks, bytes)).toThrow(Http2Fault)
  })

  it('of trailers are as long as those of HTTP/1', () => {
    const blocks = new Blocks({ ...limits, fields: 300 })
    const trailers = (count: number) => {
      const bytes = encode(Array.from({ length: count }, (_, i) => [`x${i}`, 'y'] as const))
      return blocks.trailers(bytes, 0, bytes.length, 1)
    }
    expect(trailers(100).split('\r\n')).toHaveLength(101)
    expect(() => trailers(101)).toThrow(Http2Fault)
  })
})
