/** CGI answers and FastCGI records, fed whole, at every split, byte by byte and at random. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { LONGEST_HEAD } from '../../src/transports/backend/answer.ts'
import { CgiAnswerDecoder } from '../../src/transports/backend/cgi-answer.ts'
import { FastcgiReader } from '../../src/transports/fastcgi/reader.ts'
import { Reports } from '../../src/transports/fastcgi/reports.ts'
import { encodeStream, RecordType, recordHead, writeEndRequest } from '../../src/wire/fastcgi.ts'

interface Story {
  head: string
  body: string
  finished: boolean
  error: string
  reports: string[]
}

type Kind = 'cgi' | 'fastcgi'

/** Feeds the parts, each in the same memory, then the end. */
function tell(kind: Kind, parts: readonly Uint8Array[], method = 'GET'): Story {
  const story: Story = { head: '', body: '', finished: false, error: '', reports: [] }
  const receiver = {
    head: ({
      head,
      contentLength,
    }: {
      head: { status: number; fields: string }
      contentLength: number
    }) => {
      story.head += `${head.status} ${contentLength} ${head.fields}`
    },
    body: (view: Uint8Array) => {
      story.body += Buffer.from(view).toString('latin1')
    },
    interim: () => {},
  }
  const reports = new Reports((line) => story.reports.push(line))
  const decoder =
    kind === 'cgi' ? new CgiAnswerDecoder(receiver) : new FastcgiReader(receiver, reports)
  if (decoder instanceof FastcgiReader) decoder.next()
  decoder.expect(method)
  const shared = Buffer.alloc(parts.reduce((most, part) => Math.max(most, part.length), 1))
  try {
    for (const part of parts) {
      if (decoder.done) break
      shared.fill(0x58)
      shared.set(part)
      decoder.decode(shared, part.length)
    }
    story.finished = decoder.finish()
  } catch (error) {
    story.error = error instanceof PorticoError ? error.code : String(error)
  }
  return story
}

/** Tells it whole, then cut everywhere; all must be the same. */
function everyWay(kind: Kind, text: string, method?: string): Story {
  const bytes = Buffer.from(text, 'latin1')
  const whole = tell(kind, [bytes], method)
  const same = (parts: readonly Uint8Array[]): void =>
    expect(tell(kind, parts, method)).toEqual(whole)
  for (let cut = 1; cut < bytes.length; cut++) same([bytes.subarray(0, cut), bytes.subarray(cut)])
  same([...bytes].map((byte) => Uint8Array.of(byte)))
  return whole
}

const stdout = (text: string): string =>
  encodeStream(RecordType.STDOUT, 1, Buffer.from(text, 'latin1')).toString('latin1')
const stderr = (text: string): string =>
  encodeStream(RecordType.STDERR, 1, Buffer.from(text, 'latin1')).toString('latin1')
const empty = (type: number): string => recordHead(type, 1, 0, 0).toString('latin1')
function end(appStatus = 0): string {
  const bytes = Buffer.alloc(16)
  writeEndRequest(bytes, 0, 1, appStatus, 0)
  return bytes.toString('latin1')
}

describe('a CGI answer', () => {
  it('is read whatever way it is cut', () => {
    expect(everyWay('cgi', 'Status: 404 No\nX-A: b\n\nbody\n\nmore')).toMatchObject({
      head: '404 -1 X-A: b\r\n',
      body: 'body\n\nmore',
      finished: true,
    })
    expect(everyWay('cgi', 'Content-Length: 4\r\n\r\nbodymore')).toMatchObject({
      body: 'body',
      finished: true,
    })
    expect(everyWay('cgi', 'Content-Length: 4\r\n\r\nbod')).toMatchObject({
      body: 'bod',
      finished: false,
    })
    expect(everyWay('cgi', 'Content-Length: 4\r\n\r\nbody', 'HEAD')).toMatchObject({
      head: '200 4 ',
      body: '',
      finished: true,
    })
    expect(everyWay('cgi', 'Status: 304\n\nbody')).toMatchObject({ body: '', finished: true })
    expect(everyWay('cgi', 'X: y\r\nno colon\r\n\r\n').error).toBe('BACKEND_LIED')
    expect(everyWay('cgi', 'X: y\r\n').finished).toBe(false)
  })

  it('keeps to itself what is for us, or for one connection', () => {
    const text =
      'Connection: x-mine\nX-Mine: 1\nTransfer-Encoding: chunked\nKeep-Alive: 1\nUpgrade: a\nX-Accel-Redirect: /a\nX-Accel-Buffering: no\nX-Sendfile: /b\nX-Accelerate: 1\n\n'
    expect(tell('cgi', [Buffer.from(text)]).head).toBe('200 -1 X-Accelerate: 1\r\n')
  })

  it('has a bounded head', () => {
    const long = (size: number): Buffer => Buffer.from(`X: ${'y'.repeat(size - 5)}\n\n`)
    expect(tell('cgi', [long(LONGEST_HEAD)]).error).toBe('')
    expect(tell('cgi', [long(LONGEST_HEAD + 1)]).error).toBe('BACKEND_LIED')
  })

  it('that is any bytes at all is read or refused alike however it is cut', () => {
    const bytes = fc.string({
      unit: fc.constantFrom('A', ':', ' ', '\r', '\n', '\0', 'Status', '200', 'Location', '/', '9'),
    })
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 7 }), (text, size) => {
        const all = Buffer.from(text, 'latin1')
        const parts: Buffer[] = []
        for (let at = 0; at < all.length; at += size) parts.push(all.subarray(at, at + size))
        expect(tell('cgi', parts)).toEqual(tell('cgi', [all]))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a FastCGI answer', () => {
  it('is read whatever way it and its records are cut', () => {
    const text =
      stderr('a re') +
      stdout('Status: 201\nX-A') +
      stderr('port\nand') +
      stdout(': b\n\nbo') +
      stdout('dy')
    expect(
      everyWay('fastcgi', text + empty(RecordType.STDOUT) + empty(RecordType.STDERR) + end(3)),
    ).toEqual({
      head: '201 -1 X-A: b\r\n',
      body: 'body',
      finished: true,
      error: '',
      reports: ['- -: a report', '- -: and', '- -: exit status 3'],
    })
    expect(everyWay('fastcgi', text).finished).toBe(false)
    expect(everyWay('fastcgi', stdout('Content-Length: 2\n\nbody') + end())).toMatchObject({
      body: 'bo',
      finished: true,
    })
    expect(everyWay('fastcgi', stdout('Content-Length: 5\n\nbody') + end()).error).toBe(
      'BACKEND_LIED',
    )
    expect(everyWay('fastcgi', stdout('X: y\n\nbody') + end(), 'HEAD')).toMatchObject({
      body: '',
      finished: true,
    })
    expect(everyWay('fastcgi', end()).error).toBe('BACKEND_LIED')
  })

  it('that is any bytes at all ends in an answer or in BACKEND_LIED', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        stdout('X: y\n\n'),
        stdout('body'),
        stderr('report\n'),
        end(),
        empty(6),
        empty(7),
      ),
      fc.string({
        unit: fc.constantFrom('\0', '\x01', '\x03', '\x06', '\x07', '\xff'),
        maxLength: 20,
      }),
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        (pieces, size) => {
          const all = Buffer.from(pieces.join(''), 'latin1')
          const parts: Buffer[] = []
          for (let at = 0; at < all.length; at += size) parts.push(all.subarray(at, at + size))
          const whole = tell('fastcgi', [all])
          expect(['', 'BACKEND_LIED', 'NO_BACKEND']).toContain(whole.error)
          expect(tell('fastcgi', parts)).toEqual(whole)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
