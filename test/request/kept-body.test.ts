/** Whatever the order of pieces, pauses and new sinks: each sink gets the body from its beginning. */
import fc from 'fast-check'
import { afterEach, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import type { BodySink, Exchange } from '../../src/request/exchange.ts'
import { bytesKept, KeptBody } from '../../src/request/kept-body.ts'

afterEach(() => expect(bytesKept()).toBe(0))

/** What a gateway does: gives pieces while they are wanted. */
class Visitor {
  sink: BodySink | null = null
  wanted = false
  readonly exchange = {
    receive: (sink: BodySink) => {
      this.sink = sink
      this.wanted = true
    },
    resume: () => {
      this.wanted = true
    },
  } as unknown as Exchange
}

class Sink implements BodySink {
  text = ''
  ends = 0
  aborts = 0
  takes = true

  data(chunk: Uint8Array): boolean {
    this.text += Buffer.from(chunk).toString('latin1')
    return this.takes
  }

  end(trailers: string): void {
    this.text += `|${trailers}`
    this.ends++
  }

  abort(): void {
    this.aborts++
  }
}

type Step = 'piece' | 'pause' | 'go' | 'another'

it('from its beginning, once, and no more than is wanted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom<Step>('piece', 'piece', 'pause', 'go', 'another'), {
        maxLength: 40,
      }),
      fc.array(fc.string({ minLength: 1, maxLength: 8, unit: 'binary-ascii' }), { maxLength: 12 }),
      fc.integer({ min: 0, max: 60 }),
      (steps, pieces, most) => {
        const visitor = new Visitor()
        const body = new KeptBody(visitor.exchange, most)
        const shared = Buffer.alloc(8)
        let sink = new Sink()
        let said = ''
        let next = 0
        const piece = (): void => {
          if (!visitor.wanted || next === pieces.length) return
          const text = pieces[next++]!
          said += text
          // The chunk is valid only during the call.
          const length = shared.write(text, 'latin1')
          visitor.wanted = visitor.sink!.data(shared.subarray(0, length))
          shared.fill(0)
        }
        body.give(sink)
        for (const step of steps) {
          if (step === 'piece') piece()
          else if (step === 'pause') sink.takes = false
          else if (step === 'go') {
            sink.takes = true
            body.resume()
          } else if (body.whole) {
            const before = sink.text
            const old = sink
            sink = new Sink()
            body.give(sink)
            expect(said.startsWith(sink.text)).toBe(true)
            expect(old.text).toBe(before)
          }
          expect(said.startsWith(sink.text)).toBe(true)
        }
        sink.takes = true
        body.resume()
        while (next < pieces.length) {
          expect(visitor.wanted).toBe(true)
          piece()
        }
        visitor.sink!.end('T')
        body.resume()
        expect([sink.text, sink.ends]).toEqual([`${said}|T`, 1])
        body.drop()
      },
    ),
  )
})

it('is kept up to a bound, and then goes to the last one only', () => {
  const visitor = new Visitor()
  const body = new KeptBody(visitor.exchange, 10)
  const sink = new Sink()
  body.give(sink)
  visitor.sink!.data(Buffer.from('0123456789'))
  expect([body.whole, bytesKept()]).toEqual([true, 10])
  visitor.sink!.data(Buffer.from('x'))
  expect([body.whole, bytesKept(), sink.text]).toEqual([false, 0, '0123456789x'])
})

it('costs no more when it comes byte by byte', () => {
  const visitor = new Visitor()
  const body = new KeptBody(visitor.exchange, 65_536)
  body.give(new Sink())
  const began = performance.now()
  for (let i = 0; i < 65_536; i++) visitor.sink!.data(Buffer.of(0x61 + (i % 26)))
  // What it costs when each looks at all before it: half a minute.
  expect(performance.now() - began).toBeLessThan(3_000)
  const pieces: number[] = []
  body.give({
    data: (chunk) => {
      pieces.push(chunk.length)
      return true
    },
    end: () => {},
    abort: () => {},
  })
  expect([body.whole, pieces]).toEqual([true, [65_536]])
  body.drop()
})

it('tells of a body that will never be complete', () => {
  const visitor = new Visitor()
  const body = new KeptBody(visitor.exchange, 100)
  const sink = new Sink()
  body.give(sink)
  visitor.sink!.data(Buffer.from('part'))
  visitor.sink!.abort(new PorticoError('VISITOR_LEFT'))
  const other = new Sink()
  body.give(other)
  expect([sink.aborts, other.text, other.aborts, other.ends]).toEqual([1, 'part', 1, 0])
  body.drop()
})

it('is dropped when nobody wants it', () => {
  const visitor = new Visitor()
  const body = new KeptBody(visitor.exchange, 100)
  body.give(new Sink())
  visitor.sink!.data(Buffer.from('part'))
  body.drop()
  expect(visitor.sink!.data(Buffer.from('more'))).toBe(true)
  expect([bytesKept(), body.whole]).toEqual([0, false])
})

it('is not kept at all when there are too many', () => {
  const bodies = Array.from({ length: 80 }, () => {
    const visitor = new Visitor()
    const body = new KeptBody(visitor.exchange, 2 ** 20)
    body.give(new Sink())
    visitor.sink!.data(Buffer.alloc(2 ** 20))
    return body
  })
  expect(bodies.filter(({ whole }) => whole).length).toBe(64)
  for (const body of bodies) body.drop()
})
