import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { LONGEST_HEAD } from '../../src/transports/backend/answer.ts'
import { AnswerDecoder } from '../../src/transports/http1/answer-decoder.ts'

/** What a decoder made of some bytes, told so that two runs can be compared. */
interface Story {
  readonly heads: string[]
  body: string
  done: boolean
  trailers: string
  consumed: number
  error: string
}

/** Feeds `parts` in order, then the end. Each part comes in the same buffer, overwritten each time. */
function decode(parts: readonly Buffer[], method = 'GET'): Story {
  const story: Story = { heads: [], body: '', done: false, trailers: '', consumed: 0, error: '' }
  const decoder = new AnswerDecoder({
    interim: ({ head }) => story.heads.push(`${head.status}! ${head.fields}`),
    head: ({ head }) => story.heads.push(`${head.status} ${head.fields}`),
    body: (view) => {
      story.body += Buffer.from(view).toString('latin1')
    },
  })
  decoder.expect(method)
  const shared = Buffer.alloc(parts.reduce((most, part) => Math.max(most, part.length), 1))
  try {
    for (const part of parts) {
      if (decoder.done) break
      shared.fill(0x58)
      part.copy(shared)
      story.consumed += decoder.decode(shared, part.length)
    }
    story.done = decoder.finish()
    story.trailers = decoder.trailers
  } catch (error) {
    story.error = error instanceof PorticoError ? error.code : String(error)
    // How much was read before the fault shows depends on the cuts; that it shows does not.
    story.consumed = 0
    story.body = ''
  }
  return story
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length))
}

function everySplit(text: string, method = 'GET'): Story {
  const bytes = Buffer.from(text, 'latin1')
  const whole = decode([bytes], method)
  for (let at = 1; at < bytes.length; at++) {
    expect(decode([bytes.subarray(0, at), bytes.subarray(at)], method)).toEqual(whole)
  }
  const singly = [...bytes].map((byte) => Buffer.of(byte))
  expect(decode(singly, method)).toEqual(whole)
  return whole
}

describe('the answer decoder', () => {
  it.each([
    [
      'a length',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
      { body: 'hello', done: true, consumed: 43 },
    ],
    [
      'no body',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      { body: '', done: true, consumed: 38 },
    ],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', { body: '', done: true }],
    ['until close', 'HTTP/1.1 200 OK\r\n\r\nhello\r\n\r\n', { body: 'hello\r\n\r\n', done: true }],
    [
      'cut short',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello',
      { body: 'hello', done: false },
    ],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le', { heads: [], done: false }],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-T: 1\r\n\r\n',
      { body: 'hello world', done: true, trailers: 'X-T: 1\r\n' },
    ],
    [
      'half the chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
      { done: false },
    ],
    [
      'interim answers',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      { heads: ['103! Link: </a>\r\n', '200 '], body: 'ok', done: true },
    ],
  ])('takes %s, however it is cut', (_name, text, expected) => {
    expect(everySplit(text)).toMatchObject({ error: '', ...expected })
  })

  it.each([
    ['HEAD with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['HEAD with chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('knows that %s has no body', (_name, text) => {
    expect(everySplit(text, 'HEAD')).toMatchObject({ done: true, body: '', error: '' })
  })

  it.each([
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc',
    'nonsense\r\n\r\n',
  ])('refuses %j, however it is cut', (text) => {
    expect(everySplit(text).error).toBe('BACKEND_LIED')
  })

  it('refuses endless interim answers', () => {
    expect(everySplit('HTTP/1.1 102 Processing\r\n\r\n'.repeat(40)).error).toBe('BACKEND_LIED')
  })

  it('looks at nothing behind the end', () => {
    const first = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
    expect(everySplit(`${first}HTTP/1.1 200 OK\r\n\r\nsmuggled`)).toMatchObject({
      body: 'ok',
      consumed: first.length,
    })
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    expect(everySplit(`${chunked}more`)).toMatchObject({ body: 'ok', consumed: chunked.length })
  })

  it('takes a long head and refuses a too long one, also when it trickles', () => {
    const field = `X-Long: ${'v'.repeat(1000)}\r\n`
    const long = Buffer.from(`HTTP/1.1 200 OK\r\n${field.repeat(60)}Content-Length: 2\r\n\r\nok`)
    const whole = decode([long])
    expect(whole).toMatchObject({ body: 'ok', done: true, consumed: long.length })
    expect(decode(cut(long, [1, 2047, 2048, 2049, 30_000, 60_000, 61_000]))).toEqual(whole)
    const endless = Buffer.from(`HTTP/1.1 200 OK\r\n${field.repeat(1100)}`)
    expect(endless.length).toBeGreaterThan(LONGEST_HEAD)
    expect(decode([endless]).error).toBe('BACKEND_LIED')
    expect(decode([...endless].map((byte) => Buffer.of(byte))).error).toBe('BACKEND_LIED')
  })

  it('makes the same of any bytes, wherever they are cut', () => {
    const piece = fc.constantFrom(
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 103 Early Hints\r\n',
      'HTTP/1.0 200\r\n',
      'Content-Length: 5\r\n',
      'Content-Length: 0\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Connection: close\r\n',
      'A: b\r\n',
      'A : b\r\n',
      '\r\n',
      '\r',
      '\n',
      '5\r\nhello\r\n',
      'hello',
      '0\r\n\r\n',
      '0\r\nT: 1\r\n\r\n',
      ':',
      '\0',
    )
    const bytes = fc
      .array(fc.oneof({ weight: 9, arbitrary: piece }, fc.string({ maxLength: 4 })), {
        maxLength: 12,
      })
      .map((pieces) => Buffer.from(pieces.join(''), 'latin1'))
    fc.assert(
      fc.property(
        bytes,
        fc.array(fc.nat(300), { maxLength: 6 }),
        fc.constantFrom('GET', 'HEAD'),
        (all, at, method) => {
          expect(decode(cut(all, at), method)).toEqual(decode([all], method))
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe('answers one after another', () => {
  const head = (rest: string): string => `HTTP/1.1 200 OK\r\n${rest}\r\n`
  const answers = fc.constantFrom(
    {
      text: `${head('X: 1\r\nContent-Length: 4\r\n')}\r\n\r\n`,
      story: ['200 X: 1\r\n', '\r\n\r\n'],
    },
    {
      text: `${head('X: 2\r\nContent-Length: 4\r\n')}\r\n\r\n`,
      story: ['200 X: 2\r\n', '\r\n\r\n'],
    },
    { text: head('X: 1\r\nContent-Length: 0\r\n'), story: ['200 X: 1\r\n', ''] },
    { text: head('Content-Length: 0\r\n'), story: ['200 ', ''] },
    { text: `${head('Content-Length: 1\r\n')}y`, story: ['200 ', 'y'] },
    {
      text: `HTTP/1.1 103 \r\nX: 1\r\n\r\n${head('X: 1\r\nContent-Length: 0\r\n')}`,
      story: ['103! X: 1\r\n', '200 X: 1\r\n', ''],
    },
  )

  it('are each themselves, however like the one before, and wherever they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(answers, fc.array(fc.nat(), { maxLength: 3 })), { maxLength: 10 }),
        (given) => {
          const heard: string[] = []
          let body = ''
          const decoder = new AnswerDecoder({
            interim: ({ head }) => heard.push(`${head.status}! ${head.fields}`),
            head: ({ head }) => heard.push(`${head.status} ${head.fields}`),
            body: (view) => {
              body += Buffer.from(view).toString('latin1')
            },
          })
          for (const [{ text, story }, cuts] of given) {
            heard.length = 0
            body = ''
            decoder.expect('GET')
            for (const part of cut(Buffer.from(text, 'latin1'), cuts)) {
              const shared = Buffer.concat([part, Buffer.from('\r\n\r\nHTTP/1.1 200 OK\r\n\r\n')])
              decoder.decode(shared, part.length)
            }
            expect([...heard, body]).toEqual(story)
            expect(decoder.done).toBe(true)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
