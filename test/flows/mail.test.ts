/** IMAP, POP3 and SMTP through the whole Portico: real dovecot and postfix behind, and whoever says who may. */
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { connectionLines, lineWhere } from './support/connection-lines.ts'
import type { Daemon } from './support/daemon.ts'
import { dovecot } from './support/dovecot.ts'
import { MailAuth } from './support/mail-auth.ts'
import { base64, Talk } from './support/mail-talk.ts'
import { freePort } from './support/peers.ts'
import { Portico } from './support/portico.ts'
import { postfix } from './support/postfix.ts'
import { Visitor } from './support/visitor.ts'

let auth: MailAuth
let mailboxes: Daemon
let relay: Daemon
let portico: Portico
let imap = 0
let pop3 = 0
let smtp = 0

const names = ['imap', 'pop3', 'smtp', 'open', 'few'] as const
type Name = (typeof names)[number]

async function talk(name: Name): Promise<Talk> {
  return new Talk(await Visitor.to(Number(new URL(portico.urls[names.indexOf(name)]!).port)))
}

beforeAll(async () => {
  auth = await MailAuth.start()
  ;[imap, pop3, smtp] = [await freePort(), await freePort(), await freePort()]
  mailboxes = await dovecot(imap, pop3)
  relay = await postfix(smtp)
  const mail = (more = ''): string =>
    `mail: { auth: "${auth.url}", server-name: mx.example.test${more} }`
  portico = await Portico.serve({
    'site.yaml': `
threads: 2
listen:
  - { on: "imap://127.0.0.1:0", ${mail(', methods: [plain, login, cram-md5]')} }
  - { on: "pop3://127.0.0.1:0", ${mail(', methods: [plain, login, apop]')} }
  - { on: "smtp://127.0.0.1:0", ${mail(', capabilities: ["SIZE 10240000"]')} }
  - { on: "smtp://127.0.0.1:0", ${mail(', methods: none')} }
  - { on: "imap://127.0.0.1:0", ${mail(', timeout: 500ms')} }
log: { access: stdout, format: json }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  await auth?.stop()
  for (const daemon of [mailboxes, relay]) await daemon?.[Symbol.asyncDispose]()
})

beforeEach(() => {
  auth.asked.length = 0
  auth.answer = (headers) => {
    const good = headers['auth-user'] === 'joe' && headers['auth-pass'] === 'pass%20word'
    const ports = { imap, pop3, smtp } as Record<string, number>
    const server = {
      'Auth-Status': 'OK',
      'Auth-Server': '127.0.0.1',
      'Auth-Port': String(ports[String(headers['auth-protocol'])]),
    }
    if (headers['auth-method'] === 'none') return server
    return good ? server : { 'Auth-Status': 'Invalid login or password', 'Auth-Wait': '0' }
  }
})

describe('IMAP', () => {
  test.each([
    ['quoted', (one: Talk) => one.say('a1 LOGIN joe "pass word"')],
    ['in base64', (one: Talk) => one.say(`a1 AUTHENTICATE PLAIN ${base64('\0joe\0pass word')}`)],
    [
      'as literals',
      async (one: Talk) => {
        expect(await one.say('a1 LOGIN {3}')).toBe('+ OK')
        expect(await one.say('joe {9}')).toBe('+ OK')
        return one.say('pass word')
      },
    ],
    [
      'step by step',
      async (one: Talk) => {
        expect(await one.say('a1 AUTHENTICATE LOGIN')).toBe('+ VXNlcm5hbWU6')
        expect(await one.say(base64('joe'))).toBe('+ UGFzc3dvcmQ6')
        return one.say(base64('pass word'))
      },
    ],
  ])('a login %s, and everything after it is dovecot’s', async (_how, login) => {
    const from = connectionLines(portico).length
    const one = await talk('imap')
    expect(await one.line()).toBe('* OK IMAP4 ready')
    expect(await one.ask('c CAPABILITY', /^c /)).toEqual([
      '* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5',
      'c OK completed',
    ])
    expect(await login(one)).toMatch(/^a1 OK .*Logged in$/)
    expect((await one.ask('a2 SELECT INBOX', /^a2 /)).at(-1)).toMatch(/^a2 OK/)
    expect((await one.ask('a3 LOGOUT', /^a3 /)).at(-1)).toMatch(/^a3 OK/)
    one.visitor.leave()
    expect(auth.asked.at(-1)).toMatchObject({
      'auth-method': 'plain',
      'auth-user': 'joe',
      'auth-pass': 'pass%20word',
      'auth-protocol': 'imap',
      'auth-login-attempt': '1',
      'client-ip': '127.0.0.1',
    })
    const line = await lineWhere(portico, from, ({ protocol }) => protocol === 'imap')
    expect(line).toMatchObject({ user: 'joe', server: `127.0.0.1:${imap}` })
    expect(JSON.stringify(line)).not.toContain('word')
  })

  test('who asks on and on and takes no answer is not heard until it does', async () => {
    const port = Number(new URL(portico.urls[0]!).port)
    const socket = connect(port, '127.0.0.1')
    // Nothing is read.
    socket.pause()
    const piece = 'c CAPABILITY\r\n'.repeat(4_096)
    let taken = 0
    const ask = (): boolean => socket.write(piece, () => taken++ < 1_000 && ask())
    ask()
    let before = -1
    const isStill = async (): Promise<boolean> => {
      before = taken
      await new Promise((resolve) => setTimeout(resolve, 2_500))
      return taken === before
    }
    // All that there is room for on the way, and no more.
    await until('it is not heard any more', isStill, 10_000)
    expect(before).toBeLessThan(120)
    socket.resume()
    await until('it is heard again', () => taken > before)
    socket.destroy()
  })

  test('a digest, with the password of whoever knows it', async () => {
    const one = await talk('imap')
    await one.line()
    const challenge = Buffer.from(
      (await one.say('a AUTHENTICATE CRAM-MD5')).slice(2),
      'base64',
    ).toString()
    auth.answer = (headers) => {
      const digest = createHmac('md5', 'pass word')
        .update(String(headers['auth-salt']))
        .digest('hex')
      if (headers['auth-pass'] !== digest) return { 'Auth-Status': 'wrong digest' }
      return {
        'Auth-Status': 'OK',
        'Auth-Server': '127.0.0.1',
        'Auth-Port': String(imap),
        'Auth-Pass': 'pass word',
      }
    }
    const digest = createHmac('md5', 'pass word').update(challenge).digest('hex')
    expect(await one.say(base64(`joe ${digest}`))).toMatch(/^a OK/)
    expect(auth.asked[0]).toMatchObject({ 'auth-method': 'cram-md5', 'auth-salt': challenge })
    one.visitor.leave()
  })

  test('a wrong password: told, and closed', async () => {
    const from = connectionLines(portico).length
    const one = await talk('imap')
    await one.line()
    expect(await one.say('a LOGIN joe wrong')).toBe('a NO Invalid login or password')
    expect(await one.until(/never/)).toEqual([])
    expect(await lineWhere(portico, from, ({ end }) => end === 'denied')).toMatchObject({
      user: 'joe',
    })
  })

  test('with Auth-Wait it is told later, and may try again', async () => {
    const one = await talk('imap')
    await one.line()
    const { answer } = auth
    auth.answer = () => ({ 'Auth-Status': 'not yet', 'Auth-Wait': '1' })
    const began = performance.now()
    expect(await one.say('a LOGIN joe wrong')).toBe('a NO not yet')
    expect(performance.now() - began).toBeGreaterThan(900)
    auth.answer = answer
    expect(await one.say('b LOGIN joe "pass word"')).toMatch(/^b OK/)
    expect(auth.asked.map((headers) => headers['auth-login-attempt'])).toEqual(['1', '2'])
    one.visitor.leave()
  })

  test('commands behind the login are the server’s', async () => {
    const one = await talk('imap')
    await one.line()
    one.visitor.send('a LOGIN joe "pass word"\r\nb SELECT INBOX\r\n')
    const lines = await one.until(/^b /)
    expect(lines[0]).toMatch(/^a OK/)
    expect(lines.at(-1)).toMatch(/^b OK/)
    one.visitor.leave()
  })

  test.each([
    ['a LF of its own', 'a NOOP\nb NOOP\r\n'],
    ['a CR of its own', 'a NOOP\rb NOOP\r\n'],
    ['a literal that does not ask', 'a LOGIN {3+}\r\njoe {1}\r\n'],
    ['too long a line', `a ${'x'.repeat(20_000)}`],
  ])('%s ends the connection, and nobody is asked', async (_what, text) => {
    const one = await talk('imap')
    await one.line()
    one.visitor.send(text)
    const lines = await one.until(/never/)
    expect(lines.join('\n')).toMatch(/^\* (BAD|BYE)/)
    expect(auth.asked).toEqual([])
  })

  test('a name with the end of a line in it is none', async () => {
    const one = await talk('imap')
    await one.line()
    const name = base64('\0joe\r\nx LOGOUT\0pass')
    expect(await one.say(`a AUTHENTICATE PLAIN ${name}`)).toBe('a BAD a control character')
    expect(auth.asked).toEqual([])
    one.visitor.leave()
  })

  test('whoever says nothing is closed', async () => {
    const from = connectionLines(portico).length
    const one = await talk('few')
    await one.line()
    expect(await one.until(/never/)).toEqual([])
    await lineWhere(portico, from, ({ end }) => end === 'slow')
  })

  test.each([
    ['no answer that makes sense', () => ({ 'X-Other': '1' }), /without Auth-Status/],
    [
      'a server that is gone',
      () => ({ 'Auth-Status': 'OK', 'Auth-Server': '127.0.0.1', 'Auth-Port': '1' }),
      /ECONNREFUSED/,
    ],
    [
      'a password that the server does not take',
      () => ({
        'Auth-Status': 'OK',
        'Auth-Server': '127.0.0.1',
        'Auth-Port': String(imap),
        'Auth-Pass': 'other',
      }),
      /no to a password/,
    ],
  ])('%s is ours to bear', async (_what, answer, logged) => {
    auth.answer = answer
    const from = portico.log.length
    const one = await talk('imap')
    await one.line()
    expect(await one.say('a LOGIN joe x')).toBe('* BAD internal server error')
    expect(await one.until(/never/)).toEqual([])
    await portico.logged(logged, from)
  })
})

describe('POP3', () => {
  test('USER and PASS', async () => {
    const one = await talk('pop3')
    expect(await one.line()).toMatch(/^\+OK <.*@mx\.example\.test>$/)
    expect(await one.ask('CAPA', /^\.$/)).toEqual([
      '+OK Capability list follows',
      'TOP',
      'UIDL',
      'USER',
      'SASL PLAIN LOGIN',
      '.',
    ])
    expect(await one.say('USER joe')).toBe('+OK')
    expect(await one.say('PASS pass word')).toBe('+OK Logged in.')
    expect(await one.say('STAT')).toBe('+OK 0 0')
    expect(await one.say('QUIT')).toMatch(/^\+OK/)
  })

  test('AUTH PLAIN, and a wrong one', async () => {
    const one = await talk('pop3')
    await one.line()
    expect(await one.ask('AUTH', /^\.$/)).toEqual(['+OK methods supported:', 'PLAIN', 'LOGIN', '.'])
    expect(await one.say('AUTH PLAIN')).toBe('+ ')
    expect(await one.say(base64('\0joe\0pass word'))).toBe('+OK Logged in.')
    one.visitor.leave()
    const other = await talk('pop3')
    await other.line()
    expect(await other.say('USER joe')).toBe('+OK')
    expect(await other.say('PASS no')).toBe('-ERR Invalid login or password')
  })

  test('APOP tells the salt', async () => {
    const one = await talk('pop3')
    const salt = (await one.line()).slice(4)
    auth.answer = () => ({
      'Auth-Status': 'OK',
      'Auth-Server': '127.0.0.1',
      'Auth-Port': String(pop3),
      'Auth-Pass': 'pass word',
    })
    expect(await one.say(`APOP joe ${'0'.repeat(32)}`)).toBe('+OK Logged in.')
    expect(auth.asked[0]).toMatchObject({ 'auth-method': 'apop', 'auth-salt': salt })
    one.visitor.leave()
  })
})

describe('SMTP', () => {
  test('AUTH, and postfix hears who the visitor is', async () => {
    const one = await talk('smtp')
    expect(await one.line()).toBe('220 mx.example.test ESMTP ready')
    expect(await one.ask('EHLO visitor.example', /^250 /)).toEqual([
      '250-mx.example.test',
      '250-SIZE 10240000',
      '250 AUTH PLAIN LOGIN',
    ])
    expect(await one.say('MAIL FROM:<a@example.test>')).toBe('530 5.7.1 Authentication required')
    expect(await one.say(`AUTH PLAIN ${base64('\0joe\0pass word')}`)).toBe('235 2.0.0 OK')
    expect(await one.say('MAIL FROM:<a@example.test>')).toMatch(/^250 /)
    expect(await one.say('RCPT TO:<joe@example.test>')).toMatch(/^250 /)
    expect(await one.say('DATA')).toMatch(/^354 /)
    one.visitor.send('Subject: hello\r\n\r\nhello\r\n.\r\n')
    expect(await one.line()).toMatch(/^250 2\.0\.0 Ok: queued/)
    expect(await one.say('QUIT')).toMatch(/^221 /)
  })

  test('without a login the first recipient is asked about', async () => {
    const one = await talk('open')
    await one.line()
    await one.ask('EHLO visitor.example', /^250 /)
    expect(await one.say('MAIL FROM:<a@example.test>')).toBe('250 2.0.0 OK')
    expect(await one.say('RCPT TO:<joe@example.test>')).toMatch(/^250 2\.1\.5 Ok/)
    expect(auth.asked[0]).toMatchObject({
      'auth-method': 'none',
      'auth-smtp-helo': 'visitor.example',
      'auth-smtp-from': 'MAIL%20FROM:<a@example.test>',
      'auth-smtp-to': 'RCPT%20TO:<joe@example.test>',
    })
    expect(await one.say('RCPT TO:<joe2@example.test>')).toMatch(/^250 /)
    one.visitor.leave()
  })

  test('what a server says of a recipient is heard', async () => {
    const one = await talk('open')
    await one.line()
    await one.say('HELO visitor.example')
    await one.say('MAIL FROM:<a@example.test>')
    expect(await one.say('RCPT TO:<joe@elsewhere.test>')).toMatch(/^[45]5\d /)
    one.visitor.leave()
  })

  test('nothing may stand behind AUTH', async () => {
    const one = await talk('smtp')
    await one.line()
    await one.ask('EHLO visitor.example', /^250 /)
    one.visitor.send(`AUTH PLAIN ${base64('\0joe\0pass word')}\r\nRSET\r\n`)
    expect(await one.line()).toBe('503 5.5.1 Nothing may follow AUTH')
    expect(await one.until(/never/)).toEqual([])
    expect(auth.asked).toEqual([])
  })

  test('a refusal has the code that was asked for', async () => {
    auth.answer = () => ({ 'Auth-Status': 'try later', 'Auth-Error-Code': '454 4.7.0' })
    const one = await talk('smtp')
    await one.line()
    await one.ask('EHLO visitor.example', /^250 /)
    expect(await one.say(`AUTH PLAIN ${base64('\0joe\0x')}`)).toBe('454 4.7.0 try later')
  })
})
