/** Whatever comes: the gateway goes on, and nothing of it is left. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PorticoError } from '../../../src/errors.ts'
import type { RoutedExchange } from '../../../src/request/flow.ts'
import type { AccessLog } from '../../../src/request/log.ts'
import { encodeSettings, PREFACE, Setting } from '../../../src/wire/http2.ts'
import { echo, handler, OK, says } from '../http1/handlers.ts'
import { until } from '../http1/visitor.ts'
import { encode, frame, Peer, request } from './peer.ts'
import { serve } from './site.ts'

/** Streams that are likely to be open, closed and idle. */
const stream = fc.constantFrom(0, 1, 1, 3, 3, 5, 7, 2, 0x7fffffff)
const block = fc.oneof(
  fc.constantFrom(
    encode(request('/')),
    encode(request('/echo', { ':method': 'POST' })),
    encode(request('/parts')),
    encode([['x-trailer', 'y']]),
    encode(request('/echo', { ':method': 'CONNECT', ':protocol': 'websocket' })),
  ),
  fc.uint8Array({ maxLength: 40 }),
)
const one = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constant(1), fc.constantFrom(4, 5, 5, 0, 0x25), stream, block),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant(0),
      fc.constantFrom(0, 1, 8, 9),
      stream,
      fc.uint8Array({ maxLength: 30 }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom(3, 8),
      fc.constant(0),
      stream,
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.integer({ min: 0, max: 17 }),
      fc.integer({ min: 0, max: 255 }),
      stream,
      fc.uint8Array({ maxLength: 24 }),
    ),
  },
)

/** What the log was told of. */
const codes = new Set<string>()
const log = {
  exchange: ({ error }: RoutedExchange) => codes.add(error?.code ?? ''),
  refused: ({ code }: PorticoError) => codes.add(code),
} as unknown as AccessLog

it('in frames, in whatever pieces', { timeout: 60_000 }, async () => {
  const { port, totals, gateway } = await serve({
    log,
    routes: {
      '/': says('hello'),
      '/echo': echo(),
      '/parts': handler((exchange) => {
        exchange.start(OK, -1)
        const write = (left: number): void => {
          if (exchange.gone) return
          if (left === 0) return exchange.end('x-last: 1\r\n')
          if (exchange.write(Buffer.alloc(5_000), true)) setImmediate(() => write(left - 1))
          else exchange.onDrain = () => write(left - 1)
        }
        write(5)
      }),
    },
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { maxLength: 25 }),
      fc.constantFrom(0, 10, 65_535),
      fc.integer({ min: 1, max: 200 }),
      fc.boolean(),
      async (frames, window, size, half) => {
        const peer = await Peer.silent(port, false)
        const settings = encodeSettings([[Setting.INITIAL_WINDOW_SIZE, window]])
        const bytes = Buffer.concat([
          PREFACE,
          settings,
          ...frames.map((each) => frame(...(each as Parameters<typeof frame>))),
        ])
        for (let at = 0; at < bytes.length; at += size) {
          peer.socket.write(bytes.subarray(at, at + size))
          if (at % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        if (half) peer.socket.end()
        await new Promise((resolve) => setImmediate(resolve))
        peer.leave()
      },
    ),
    { numRuns: 300 },
  )
  await until(() => totals().open === 0 && totals().active === 0)
  expect(gateway.size).toBe(0)
  expect(codes).toContain('BAD_HTTP2')
  expect(codes).not.toContain('INTERNAL')
  // And it still serves.
  const peer = await Peer.at(port)
  peer.ask(1, request('/'))
  expect((await peer.over(1)).body.toString()).toBe('hello')
  peer.leave()
})
