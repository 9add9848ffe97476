/** RFC 6455 §4.2: who may have a WebSocket. */
import { expect, test } from 'vitest'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'
import { acceptKey, asksForWebSocket, readHandshake } from '../../src/wire/websocket-handshake.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const GOOD = {
  Host: 'a',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Version': '13',
}

function judge(change: Record<string, string | undefined>, line = 'GET / HTTP/1.1'): unknown {
  const { minor } = parseRequestLine(line)
  const block = Object.entries({ ...GOOD, ...change })
    .map(([name, value]) => (value === undefined ? '' : `${name}: ${value}\r\n`))
    .join('')
  const fields = parseRequestFields(block, minor, 20)
  return asksForWebSocket(fields) ? readHandshake(parseRequestLine(line), fields) : 'not asked for'
}

test('the example of the RFC', () => {
  expect(judge({})).toEqual({ right: true, key: KEY })
  expect(acceptKey(KEY)).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

test.each([
  [{ Upgrade: 'h2c, WebSocket' }],
  [{ Connection: 'keep-alive, upgrade' }],
  [{ 'Sec-WebSocket-Protocol': 'chat' }],
])('%j is right', (change) => {
  expect(judge(change)).toEqual({ right: true, key: KEY })
})

test.each([
  [{ Upgrade: undefined }, 'GET / HTTP/1.1'],
  [{ Upgrade: 'websocket2' }, 'GET / HTTP/1.1'],
  [{ Connection: 'keep-alive' }, 'GET / HTTP/1.1'],
  [{ Connection: undefined }, 'GET / HTTP/1.1'],
  [{}, 'GET / HTTP/1.0'],
])('%j, %s asks for none', (change, line) => {
  expect(judge(change, line)).toBe('not asked for')
})

test.each([
  [{}, 'POST / HTTP/1.1', 'request'],
  [{}, 'HEAD / HTTP/1.1', 'request'],
  [{ 'Content-Length': '1' }, 'GET / HTTP/1.1', 'request'],
  [{ 'Transfer-Encoding': 'chunked' }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Version': undefined }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Version': '8' }, 'GET / HTTP/1.1', 'version'],
  [{ 'Sec-WebSocket-Version': '13, 8' }, 'GET / HTTP/1.1', 'version'],
  [{ 'Sec-WebSocket-Key': undefined }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Key': '' }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ' }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZR==' }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' }, 'GET / HTTP/1.1', 'request'],
  [{ 'Sec-WebSocket-Key': `${KEY}, ${KEY}` }, 'GET / HTTP/1.1', 'request'],
])('%j, %s is wrong', (change, line, wrong) => {
  expect(judge(change, line)).toMatchObject({ right: false, wrong })
})
