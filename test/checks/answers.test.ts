/** What servers of each protocol answer, right and wrong, in one piece, byte by byte, and cut short anywhere. */
import { createServer } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { createCheck } from '../../src/checks/create.ts'
import type { ProbePlan } from '../../src/site/check-plan.ts'
import type { Address } from '../../src/site/plan.ts'
import { NO_FILES } from '../../src/transports/backend/tls.ts'
import { encodeStream, RecordType, recordHead, writeEndRequest } from '../../src/wire/fastcgi.ts'

const smtp = { kind: 'smtp', helo: 'localhost' } as const
const redis = { kind: 'redis', user: '', passwordFile: '', role: 'any' } as const
const mysql = { kind: 'mysql', user: 'portico' } as const
const amqp = { kind: 'amqp' } as const
const fastcgi = { kind: 'fastcgi', path: '', body: '' } as const
const ping = { kind: 'fastcgi', path: '/ping', body: 'pong' } as const

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Of MySQL: three bytes of length, a number, the body. */
function packet(number: number, body: string): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = number
  return Buffer.concat([head, latin1(body)])
}
const GREETING = packet(0, `\n8.0.0-test\0${'x'.repeat(60)}`)
const denied = (number: number): Buffer =>
  packet(number, "\xff\x15\x04#28000Access denied for user 'portico'")

function methodFrame(classId: number, method: number, end = '\xce'): Buffer {
  const payload = Buffer.alloc(20)
  payload.writeUInt16BE(classId, 0)
  payload.writeUInt16BE(method, 2)
  const head = Buffer.alloc(7)
  head[0] = 1
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, latin1(end)])
}

function cgi(text: string, status = 0): Buffer {
  const end = Buffer.alloc(16)
  writeEndRequest(end, 0, 1, 0, status)
  const content = encodeStream(RecordType.STDOUT, 1, latin1(text))
  return Buffer.concat([content, recordHead(RecordType.STDOUT, 1, 0, 0), end])
}

/** Name, check, all that the server says, why it is not well ('' for well). */
const answers: readonly (readonly [string, ProbePlan, Buffer, string | RegExp])[] = [
  ['smtp', smtp, latin1('220-hi\r\n220 ESMTP\r\n250-SIZE\r\n250 8BITMIME\r\n221 bye\r\n'), ''],
  ['smtp, busy', smtp, latin1('421 too many of you\r\n'), 'greeting: 421 too many of you'],
  ['smtp, strict', smtp, latin1('220 x\r\n550 no\r\n'), 'EHLO: 550 no'],
  ['smtp, endless', smtp, latin1('220-a\r\n'.repeat(101)), /more than 100 lines/],
  ['not smtp', smtp, latin1('HTTP/1.1 400 Bad Request\r\n\r\n'), 'does not speak SMTP'],
  ['redis', redis, latin1('+PONG\r\n'), ''],
  ['redis, loading', redis, latin1('-LOADING Redis is loading\r\n'), 'LOADING Redis is loading'],
  ['redis, odd', redis, latin1('$4\r\nPONG\r\n'), 'does not answer PING'],
  [
    'redis, master',
    { ...redis, role: 'master' },
    latin1('+PONG\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n'),
    '',
  ],
  [
    'redis, sentinel',
    { ...redis, role: 'master' },
    latin1('+PONG\r\n*2\r\n$8\r\nsentinel\r\n*0\r\n'),
    'is a sentinel',
  ],
  ['mysql, refusing', mysql, Buffer.concat([GREETING, denied(2)]), ''],
  ['mysql, letting in', mysql, Buffer.concat([GREETING, packet(2, '\0\0\0\x02\0\0\0')]), ''],
  [
    'mysql, switching',
    mysql,
    Buffer.concat([GREETING, packet(2, '\xfecaching_sha2_password\0salt'), denied(4)]),
    '',
  ],
  [
    'mysql, never content',
    mysql,
    Buffer.concat([GREETING, packet(2, '\xfea\0'), packet(4, '\xfea\0'), packet(6, '\xfea\0')]),
    'does not come to an end with a login',
  ],
  [
    'mysql, full',
    mysql,
    packet(0, '\xff\x10\x04Too many connections'),
    'Too many connections (1040)',
  ],
  [
    'mysql, ending',
    mysql,
    Buffer.concat([GREETING, packet(2, '\xff\x1d\x04#08S01Server shutdown in progress')]),
    'Server shutdown in progress (1053)',
  ],
  ['not mysql', mysql, latin1('SSH-2.0-OpenSSH_9.2\r\n'), 'does not speak MySQL'],
  ['amqp', amqp, methodFrame(10, 10), ''],
  ['amqp, another version', amqp, latin1('AMQP\0\0\x09\x02....'), 'wants another version of AMQP'],
  ['amqp, another method', amqp, methodFrame(10, 50), 'does not speak AMQP 0-9-1'],
  ['amqp, without an end', amqp, methodFrame(10, 10, 'x'), 'does not speak AMQP 0-9-1'],
  ['uwsgi', { kind: 'uwsgi' }, Buffer.of(100, 0, 0, 1), ''],
  [
    'uwsgi with a warning',
    { kind: 'uwsgi' },
    Buffer.of(100, 0, 0, 0),
    'does not answer a uwsgi ping',
  ],
  ['fastcgi', fastcgi, recordHead(RecordType.GET_VALUES_RESULT, 0, 0, 0), ''],
  ['fastcgi, not knowing', fastcgi, Buffer.concat([recordHead(11, 0, 8, 0), Buffer.alloc(8)]), ''],
  ['fastcgi, a page', ping, cgi('Content-Type: text/plain\r\n\r\npong'), ''],
  ['fastcgi, an error', ping, cgi('Status: 503 Busy\r\n\r\npong'), 'answered 503'],
  ['fastcgi, another page', ping, cgi('X: y\r\n\r\nnothing'), 'the answer is not the one expected'],
  ['fastcgi, no head', ping, cgi('pong'), 'gave no CGI answer'],
  ['fastcgi, overloaded', ping, cgi('', 2), 'is overloaded'],
  ['tcp', { kind: 'tcp', send: '', expect: '~^RE[A]DY$' }, latin1('READY'), ''],
]

/** What the next connection is told, and how. */
let said: { bytes: Buffer; slowly: boolean; ends: boolean }
const server = createServer((socket) => {
  const { bytes, slowly, ends } = said
  socket.on('error', () => {})
  socket.resume()
  socket.setNoDelay(true)
  let at = 0
  const next = (): void => {
    if (socket.destroyed) return
    if (at < bytes.length) socket.write(bytes.subarray(at, ++at), () => setImmediate(next))
    else if (ends) socket.end()
  }
  if (slowly) next()
  else if (ends) socket.end(bytes)
  else socket.write(bytes)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
afterAll(() => server.close())
const { port } = server.address() as { port: number }
const address: Address = { kind: 'tcp', host: '127.0.0.1', port }

async function probe(plan: ProbePlan, how: typeof said): Promise<string> {
  said = how
  return createCheck(plan, '', NO_FILES)
    .probe({ address, first: null }, AbortSignal.timeout(5_000))
    .then(
      () => '',
      (error: Error) => error.message,
    )
}

describe.each(answers)('%s', (_name, plan, bytes, why) => {
  const expected = typeof why === 'string' ? why : expect.stringMatching(why)

  it('in one piece', async () => {
    expect(await probe(plan, { bytes, slowly: false, ends: false })).toEqual(expected)
  })

  it('byte by byte', async () => {
    expect(await probe(plan, { bytes, slowly: true, ends: false })).toEqual(expected)
  })
})

// One that was right to begin with is not right before its end.
it.each(answers.filter(([, , , why]) => why === ''))(
  '%s, cut short anywhere',
  async (_name, plan, bytes) => {
    const all = new Set<string>()
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length)
      all.add(await probe(plan, { bytes: cut, slowly: false, ends: true }))
    }
    expect(all).not.toContain('')
  },
)
