/** The same dialogues with nginx's mail module and with ours, before one and the same endpoint. */
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Daemon } from './support/daemon.ts'
import { MailAuth } from './support/mail-auth.ts'
import { base64, Talk } from './support/mail-talk.ts'
import { freePort } from './support/peers.ts'
import { Portico } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const PROTOCOLS = ['imap', 'pop3', 'smtp'] as const
type Protocol = (typeof PROTOCOLS)[number]

let auth: MailAuth
let nginx: Daemon
let portico: Portico
const ports: Record<string, number> = {}

beforeAll(async () => {
  auth = await MailAuth.start()
  for (const name of PROTOCOLS) ports[name] = await freePort()
  nginx = await Daemon.start({
    name: 'nginx-mail',
    command: (folder) => ['nginx', '-p', folder, '-c', `${folder}/nginx.conf`, '-e', 'stderr'],
    prepare: (folder) => mkdirSync(`${folder}/logs`),
    files: () => ({
      'nginx.conf': `load_module /usr/lib/nginx/modules/ngx_mail_module.so;
daemon off; pid nginx.pid; error_log stderr; ${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 64; }
mail {
  server_name mx.example.test;
  auth_http ${auth.url.slice(7)};
  auth_http_header X-Key secret;
  imap_capabilities IMAP4rev1;
  pop3_capabilities TOP UIDL;
  imap_auth plain login cram-md5; pop3_auth plain; smtp_auth login plain;
  server { listen 127.0.0.1:${ports.imap}; protocol imap; }
  server { listen 127.0.0.1:${ports.pop3}; protocol pop3; }
  server { listen 127.0.0.1:${ports.smtp}; protocol smtp; }
}
`,
    }),
    ready: async () => {
      const visitor = await Visitor.to(ports.smtp!).catch(() => null)
      visitor?.leave()
      return visitor !== null
    },
  })
  const mail = (more: string): string =>
    `mail: { auth: "${auth.url}", headers: { X-Key: secret }, server-name: mx.example.test, ${more} }`
  portico = await Portico.serve({
    'site.yaml': `
listen:
  - { on: "imap://127.0.0.1:0", ${mail('capabilities: IMAP4rev1, methods: [plain, login, cram-md5]')} }
  - { on: "pop3://127.0.0.1:0", ${mail('methods: [plain, login]')} }
  - { on: "smtp://127.0.0.1:0", ${mail('methods: [plain, login]')} }
log: { access: "off" }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  await nginx?.[Symbol.asyncDispose]()
  await auth?.stop()
})

/** What is heard in answer to `lines`, one after the other, and what the endpoint is asked. */
async function dialogue(
  port: number,
  lines: readonly (readonly [string, RegExp])[],
): Promise<object> {
  auth.asked.length = 0
  const talk = new Talk(await Visitor.to(port))
  const heard = [await talk.until(/^(\* OK|\+OK|220)/)]
  for (const [line, last] of lines) heard.push(await talk.ask(line, last))
  talk.visitor.leave()
  const asked = auth.asked.map((headers) =>
    Object.fromEntries(
      Object.entries(headers).filter(([name]) => /^(auth-|client-ip|x-key)/.test(name)),
    ),
  )
  // What is unique in a challenge is nobody else's.
  const text = JSON.stringify({ heard, asked }).replace(/\+ P[A-Za-z0-9+/=]{20,}/g, '+ CHALLENGE')
  return JSON.parse(text)
}

const any = /^/
const dialogues: [string, Protocol, [string, RegExp][]][] = [
  ['a login', 'imap', [['a LOGIN joe "pass word"', any]]],
  [
    'a login in base64',
    'imap',
    [
      [`a AUTHENTICATE PLAIN`, any],
      [base64(['', 'joe@example.test', '100% x'].join('\0')), any],
    ],
  ],
  [
    'a login step by step',
    'imap',
    [
      ['a AUTHENTICATE LOGIN', any],
      [base64('joe'), any],
      [base64('x'), any],
    ],
  ],
  ['a digest', 'imap', [['a AUTHENTICATE CRAM-MD5', any]]],
  [
    'no command',
    'imap',
    [
      ['a WHAT', any],
      ['b NOOP', any],
      ['c LOGIN joe', any],
    ],
  ],
  [
    'literals',
    'imap',
    [
      ['a LOGIN {3}', any],
      ['joe {1}', any],
      ['x', any],
    ],
  ],
  ['good bye', 'imap', [['a LOGOUT', /^a /]]],
  [
    'a login',
    'pop3',
    [
      ['USER joe', any],
      ['PASS pass word', any],
    ],
  ],
  [
    'a login in base64',
    'pop3',
    [
      ['AUTH PLAIN', any],
      [base64('\0joe\0x'), any],
    ],
  ],
  [
    'no command',
    'pop3',
    [
      ['STAT', any],
      ['NOOP', any],
      ['PASS x', any],
      ['QUIT', any],
    ],
  ],
  [
    'a login',
    'smtp',
    [
      ['EHLO visitor.test', /^250 /],
      [`AUTH PLAIN ${base64('\0joe\0x y')}`, any],
    ],
  ],
  [
    'a login step by step',
    'smtp',
    [
      ['EHLO visitor.test', /^250 /],
      ['AUTH LOGIN', any],
      [base64('joe'), any],
      [base64('x'), any],
    ],
  ],
  [
    'a mail without a login',
    'smtp',
    [
      ['HELO visitor.test', any],
      ['MAIL FROM:<a@b.test>', any],
      ['QUIT', any],
    ],
  ],
  [
    'no command',
    'smtp',
    [
      ['NOOP', any],
      ['RSET', any],
      ['WHAT', any],
    ],
  ],
]

describe('as nginx has it', () => {
  test.each(dialogues)('%s of %s', async (_what, protocol, lines) => {
    const own = Number(new URL(portico.urls[PROTOCOLS.indexOf(protocol)]!).port)
    const expected = await dialogue(ports[protocol]!, lines)
    expect(await dialogue(own, lines)).toEqual(expected)
  })
})
