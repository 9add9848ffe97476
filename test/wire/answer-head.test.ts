import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { BodyEnd, bodyEnd, parseAnswerHead } from '../../src/wire/answer-head.ts'

const MOST = 100

function code(text: string): string {
  try {
    parseAnswerHead(text, MOST)
    return 'accepted'
  } catch (error) {
    return error instanceof PorticoError ? error.code : String(error)
  }
}

describe('an answer head', () => {
  it('is read with its fields in order and its framing', () => {
    const head = parseAnswerHead(
      'HTTP/1.1 404 Not Found\r\nServer: x\r\nX-A:  b c \t\r\nContent-Length: 12\r\nConnection: close, X-A\r\n',
      MOST,
    )
    expect(head).toMatchObject({
      minor: 1,
      status: 404,
      reason: 'Not Found',
      names: ['server', 'x-a', 'content-length', 'connection'],
      values: ['x', 'b c', '12', 'close, X-A'],
      contentLength: 12,
      chunked: false,
      persistent: false,
      connection: ['close', 'x-a'],
    })
  })

  it.each([
    ['HTTP/1.1 200 \r\n', ''],
    ['HTTP/1.1 200\r\n', ''],
    ['HTTP/1.1 200 Tr\xe8s bien\r\n', 'Tr\xe8s bien'],
    ['HTTP/1.1 200  two blanks\r\n', ' two blanks'],
  ])('may have any reason: %j', (text, reason) => {
    expect(parseAnswerHead(text, MOST).reason).toBe(reason)
  })

  it.each([
    ['HTTP/1.1 200 OK\r\n', true],
    ['HTTP/1.1 200 OK\r\nConnection: Close\r\n', false],
    ['HTTP/1.0 200 OK\r\n', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n', true],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n', false],
    ['HTTP/1.9 200 OK\r\n', true],
  ])('tells whether its connection persists: %j', (text, persistent) => {
    expect(parseAnswerHead(text, MOST).persistent).toBe(persistent)
  })

  it.each([
    '',
    '\r\n',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\n',
    'HTTP/1.1 200 OK\n\r\n',
    'http/1.1 200 OK\r\n',
    'HTTP/2.0 200 OK\r\n',
    'HTTP/1.10 200 OK\r\n',
    'HTTP/1.1  200 OK\r\n',
    'HTTP/1.1 20 OK\r\n',
    'HTTP/1.1 2000 OK\r\n',
    'HTTP/1.1 099 OK\r\n',
    'HTTP/1.1 600 OK\r\n',
    'HTTP/1.1 200OK\r\n',
    'HTTP/1.1 200 O\x00K\r\n',
    'HTTP/1.1 200 O\rK\r\n',
    ' HTTP/1.1 200 OK\r\n',
    'SSH-2.0-OpenSSH_9.2\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n',
    'HTTP/1.1 200 OK\r\nA : b\r\n',
    'HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n',
    'HTTP/1.1 200 OK\r\n: b\r\n',
    'HTTP/1.1 200 OK\r\nA: b\rc\r\n',
    'HTTP/1.1 200 OK\r\nA: b\nc: d\r\n',
    'HTTP/1.1 200 OK\r\nA: b\x00\r\n',
    'HTTP/1.1 200 OK\r\nA: b',
    `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(MOST + 1)}`,
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1,\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length:\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n',
  ])('is refused: %j', (text) => {
    expect(code(text)).toBe('BACKEND_LIED')
  })

  it('may repeat the same length (RFC 9112 §6.3)', () => {
    expect(
      parseAnswerHead('HTTP/1.1 200 OK\r\nContent-Length: 7, 7\r\nContent-Length: 7\r\n', MOST),
    ).toMatchObject({
      contentLength: 7,
    })
  })
})

describe('the end of a body', () => {
  it.each([
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', BodyEnd.LENGTH],
    ['GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n', BodyEnd.CHUNKED],
    ['GET', 'HTTP/1.1 200 OK\r\n', BodyEnd.CLOSE],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', BodyEnd.NONE],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', BodyEnd.NONE],
    ['GET', 'HTTP/1.1 204 No Content\r\n', BodyEnd.NONE],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n', BodyEnd.NONE],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n', BodyEnd.NONE],
    ['GET', 'HTTP/1.1 103 Early Hints\r\n', BodyEnd.NONE],
    ['POST', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n', BodyEnd.LENGTH],
  ])('%s answered by %j', (method, text, end) => {
    expect(bodyEnd(parseAnswerHead(text, MOST), method)).toBe(end)
  })
})
