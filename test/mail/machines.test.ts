/** What mail's machines say, line by line, and what never comes out of them: a command that nobody gave. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Front, FrontOptions } from '../../src/mail/front.ts'
import { ImapFront } from '../../src/mail/imap-front.ts'
import { ImapLogin } from '../../src/mail/imap-login.ts'
import type { Login, LoginOptions } from '../../src/mail/login.ts'
import { Pop3Front } from '../../src/mail/pop3-front.ts'
import { Pop3Login } from '../../src/mail/pop3-login.ts'
import { type Credentials, Sasl } from '../../src/mail/sasl.ts'
import { SmtpFront } from '../../src/mail/smtp-front.ts'
import { SmtpLogin } from '../../src/mail/smtp-login.ts'

const options: FrontOptions = {
  serverName: 'mx.test',
  methods: ['plain', 'login', 'cram-md5', 'apop', 'external', 'none'],
  capabilities: [],
  salt: '<1.2@mx.test>',
  offersTls: true,
  needsTls: false,
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

const makers: readonly (readonly [string, (more?: Partial<FrontOptions>) => Front])[] = [
  ['imap', (more) => new ImapFront({ ...options, ...more })],
  ['pop3', (more) => new Pop3Front({ ...options, ...more })],
  ['smtp', (more) => new SmtpFront({ ...options, ...more })],
]

function told(front: Front, ...lines: readonly string[]): (string | object)[] {
  return lines.map((line) => {
    const step = front.hear(line, true)
    return 'text' in step ? `${step.do}: ${step.text.trimEnd()}` : step
  })
}

describe('what is sayable', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', '\r', '\n', '\0', ' ', '"', '\\', '\xff'),
    maxLength: 6,
  })

  it.each(makers)('%s: no name and no password ends a line', (name, make) => {
    fc.assert(
      fc.property(word, word, (user, password) => {
        const front = make()
        const line = base64(`\0${user}\0${password}`)
        const before = name === 'smtp' ? [front.hear('EHLO x', true)] : []
        const step = front.hear(
          name === 'imap' ? `a AUTHENTICATE PLAIN ${line}` : `AUTH PLAIN ${line}`,
          true,
        )
        expect(before.length).toBeLessThan(2)
        if (step.do !== 'login') return
        const { credentials } = step.asked
        expect(`${credentials.user}${credentials.password}`).not.toMatch(/[\r\n\0]/)
      }),
      { numRuns: 500 },
    )
  })

  it.each(makers)('%s: whatever comes, it answers in lines', (_name, make) => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.constantFrom(
              'EHLO x',
              'AUTH LOGIN',
              'USER joe',
              'PASS x',
              'a LOGIN {3}',
              'joe',
              'MAIL FROM:<>',
              'a CAPABILITY',
            ),
          ),
          { maxLength: 8 },
        ),
        (lines) => {
          const front = make()
          for (const line of lines) {
            const step = front.hear(line.replace(/[\r\n]/g, ''), true)
            if ('text' in step && step.text !== '') expect(step.text).toMatch(/\r\n$/)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('SASL', () => {
  it('asks step by step', () => {
    const login = new Sasl('login', '')
    expect(login.begin()).toEqual({ challenge: 'VXNlcm5hbWU6' })
    expect(login.answer(base64('joe'))).toEqual({ challenge: 'UGFzc3dvcmQ6' })
    expect(login.answer(base64('x'))).toEqual({
      credentials: { method: 'plain', user: 'joe', password: 'x', salt: '' },
    })
  })

  it.each([
    ['plain', 'not base64!'],
    ['plain', base64('joe\0x')],
    ['plain', base64('\0joe\0x\0y')],
    ['plain', base64('\0\0x')],
    ['plain', 'AGpvZQ='],
    ['cram-md5', base64('joe 0123')],
    ['cram-md5', base64(`joe ${'g'.repeat(32)}`)],
    ['plain', '*'],
  ] as const)('%s refuses %j', (name, line) => {
    expect(new Sasl(name, '<s>').answer(line)).toHaveProperty('wrong')
  })

  it('external may be empty', () => {
    expect(new Sasl('external', '').answer('=')).toMatchObject({
      credentials: { method: 'external', user: '' },
    })
  })
})

describe('before a login', () => {
  it('IMAP', () => {
    expect(
      told(new ImapFront(options), 'a NOOP', 'a FETCH 1 (BODY[])', 'b LOGIN joe', 'c LOGOUT'),
    ).toEqual([
      'say: a OK completed',
      'say: a BAD invalid command',
      'say: b BAD invalid command',
      'bye: * BYE\r\nc OK completed',
    ])
    const strict = new ImapFront({ ...options, needsTls: true })
    expect(told(strict, 'a LOGIN joe x', 'a AUTHENTICATE PLAIN', 'a CAPABILITY')).toEqual([
      'say: a NO [PRIVACYREQUIRED] say STARTTLS first',
      'say: a NO [PRIVACYREQUIRED] say STARTTLS first',
      'say: * CAPABILITY STARTTLS LOGINDISABLED\r\na OK completed',
    ])
  })

  it('POP3', () => {
    const front = new Pop3Front({ ...options, methods: ['plain'] })
    expect(told(front, 'STAT', 'PASS x', 'APOP joe x', 'USER', 'USER joe', 'QUIT')).toEqual([
      ...Array(4).fill('say: -ERR invalid command'),
      'say: +OK',
      'bye: +OK',
    ])
    expect(
      told(new Pop3Front({ ...options, needsTls: true }), 'USER joe', 'AUTH PLAIN', 'STLS'),
    ).toEqual(['say: -ERR [AUTH] say STLS first', 'say: -ERR [AUTH] say STLS first', 'secure: +OK'])
  })

  it('SMTP', () => {
    const front = new SmtpFront(options)
    expect(
      told(
        front,
        'AUTH PLAIN',
        'EHLO a b',
        'EHLO',
        'EHLO x',
        'RCPT TO:<a@b>',
        'MAIL FROM:<a@b> X\r',
        'MAIL FROM:<a@b>',
        'MAIL FROM:<a@b>',
        'RSET',
        'VRFY x',
        'DATA',
      ),
    ).toEqual([
      'say: 503 5.5.1 Say EHLO first',
      'say: 501 5.5.4 Invalid name',
      'say: 501 5.5.4 Invalid name',
      'say: 250-mx.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5 EXTERNAL',
      'say: 503 5.5.1 Bad sequence of commands',
      'say: 501 5.5.4 Invalid sender',
      'say: 250 2.0.0 OK',
      'say: 503 5.5.1 Bad sequence of commands',
      'say: 250 2.0.0 OK',
      'say: 252 2.1.5 Cannot VRFY user, but will take message',
      'say: 500 5.5.1 Invalid command',
    ])
  })

  it('nothing stands behind STARTTLS', () => {
    expect(new ImapFront(options).hear('a STARTTLS', false).do).toBe('bye')
    expect(new Pop3Front(options).hear('STLS', false).do).toBe('bye')
    expect(new SmtpFront(options).hear('STARTTLS', false).do).toBe('bye')
    expect(new SmtpFront({ ...options, offersTls: false }).hear('STARTTLS', true).do).toBe('say')
  })
})

describe('logging in', () => {
  const credentials: Credentials = { method: 'plain', user: 'joe', password: 'x', salt: '' }
  const asked = { credentials, tag: 'a7', helo: 'visitor.test', esmtp: true }
  const about: LoginOptions = {
    asked,
    user: 'joe',
    password: 'pass "word"',
    serverName: 'mx.test',
    xclient: false,
    smtpAuth: false,
    address: '2001:db8::1',
  }

  function talk(login: Login, ...lines: readonly string[]): string[] {
    return lines.map((line) => {
      const step = login.hear(line)
      return step.do === 'say' || step.do === 'done'
        ? `${step.do}: ${step.text.trimEnd()}`
        : step.do
    })
  }

  it('IMAP, with what the server says unasked', () => {
    expect(
      talk(new ImapLogin(about), '* OK hello', '+ go', '+ go', '* CAPABILITY X', 'a7 OK in'),
    ).toEqual([
      'say: a7 LOGIN {3}',
      'say: joe {11}',
      'say: pass "word"',
      'wait',
      'done: * CAPABILITY X\r\na7 OK in',
    ])
    expect(talk(new ImapLogin(about), '* BYE busy')).toEqual(['failed'])
    expect(talk(new ImapLogin(about), '* PREAUTH in')).toEqual(['failed'])
    expect(talk(new ImapLogin(about), '* OK', '+', '+', 'b1 OK in')).toContain('failed')
  })

  it('POP3', () => {
    expect(talk(new Pop3Login(about), '+OK', '+OK', '+OK in')).toEqual([
      'say: USER joe',
      'say: PASS pass "word"',
      'done: +OK in',
    ])
    expect(talk(new Pop3Login(about), '+OK', '-ERR no')).toEqual(['say: USER joe', 'failed'])
  })

  it('SMTP, telling who the visitor is', () => {
    const login = new SmtpLogin({ ...about, xclient: true, smtpAuth: true })
    expect(
      talk(
        login,
        '220-hello',
        '220 there',
        '250-mx',
        '250-XCLIENT NAME ADDR PORT',
        '250 SIZE',
        '220 again',
        '250 mx',
        '235 in',
      ),
    ).toEqual([
      'wait',
      'say: EHLO mx.test',
      'wait',
      'wait',
      'say: XCLIENT ADDR=IPV6:2001:db8::1 NAME=[UNAVAILABLE]',
      'say: EHLO visitor.test',
      `say: AUTH PLAIN ${base64('\0joe\0pass "word"')}`,
      'done: 235 2.0.0 OK',
    ])
    const loose = new SmtpLogin({ ...about, xclient: true, user: 'a+b=c d' })
    expect(talk(loose, '220 x', '250 XCLIENT LOGIN')).toEqual([
      'say: EHLO mx.test',
      'say: XCLIENT LOGIN=a+2Bb+3Dc+20d',
    ])
    expect(talk(new SmtpLogin({ ...about, xclient: true }), '220 x', '250 mx')).toEqual([
      'say: EHLO mx.test',
      'failed',
    ])
  })

  it('SMTP without a login', () => {
    const envelope = { from: 'MAIL FROM:<a@b>', to: 'RCPT TO:<c@d>' }
    const some = (): SmtpLogin =>
      new SmtpLogin({ ...about, asked: { ...asked, esmtp: false, envelope } })
    expect(talk(some(), '220 x', '250 mx', '250 ok', '550 no such user')).toEqual([
      'say: HELO mx.test',
      'say: MAIL FROM:<a@b>',
      'say: RCPT TO:<c@d>',
      'done: 550 no such user',
    ])
    expect(talk(some(), '220 x', '250 mx', '451 later')).toContain('failed')
    expect(talk(some(), 'hello')).toEqual(['failed'])
  })
})
