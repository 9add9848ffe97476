/** What is remembered of a peer's last request is never another one's. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Exchange } from '../../../src/request/exchange.ts'
import {
  encodedFields,
  encodeLine,
  repeatedHead,
  writeHead,
} from '../../../src/transports/worker-link/encode.ts'
import { parseRequestFields } from '../../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../../src/wire/request-line.ts'

const LINES = ['GET /a/b HTTP/1.1', 'GET /a/c HTTP/1.1', 'PUT /a/b HTTP/1.1'].map(parseRequestLine)
const FIELDS = ['Host: a\r\n', 'Host: b\r\n', 'Host: a\r\nCookie: x\r\n'].map((block) =>
  parseRequestFields(block, 1, 10),
)
const peerAt = (port: number): object => ({
  ...{ address: '::1', port, localAddress: '::2', localPort: 80, scheme: 'http' },
  encoded: null,
})

function plainly(exchange: Exchange, length: string): Buffer {
  const line = encodeLine(exchange, length)
  const fields = encodedFields(exchange.fields)
  const bytes = Buffer.alloc(8 + line.length + fields.length)
  expect(writeHead(bytes, 0, line, fields)).toBe(bytes.length)
  return bytes
}

const asked = fc.record({
  line: fc.constantFrom(...LINES),
  fields: fc.constantFrom(...FIELDS),
  prefix: fc.constantFrom('/', '/a/'),
  peer: fc.nat(1),
  length: fc.constantFrom('', '7'),
  times: fc.integer({ min: 1, max: 4 }),
})

it('a head that is remembered is what it would be when it is made', () => {
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 30 }), (requests) => {
      const peers = [peerAt(1), peerAt(2)]
      for (const { peer, length, times, ...rest } of requests) {
        const exchange = { ...rest, peer: peers[peer], trace: null } as unknown as Exchange
        for (let i = 0; i < times; i++) {
          const head = repeatedHead(exchange, length)
          if (i > 0) expect(head).not.toBeNull()
          if (head !== null) expect(head).toEqual(plainly(exchange, length))
        }
      }
    }),
  )
})

it('nothing is remembered of requests that have names, nor for peers that are not there for long', () => {
  const [line] = LINES
  const [fields] = FIELDS
  const of = (more: object): Exchange =>
    ({ line, fields, prefix: '/', peer: peerAt(1), trace: null, ...more }) as unknown as Exchange
  const named = of({ trace: { traceparent: '00-1', id: '1' } })
  const passing = of({ peer: { address: '::1', port: 1 } })
  for (let i = 0; i < 3; i++) {
    expect(repeatedHead(named, '')).toBeNull()
    expect(repeatedHead(passing, '')).toBeNull()
  }
})
