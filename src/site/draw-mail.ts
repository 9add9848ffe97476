/** What an imap, pop3 or smtp listener has of its own → the Plan's. */

import { orNever } from './draw-stream.ts'
import { type Drawing, textAsWritten } from './drawing.ts'
import type { KeyPath } from './problem.ts'
import type { ListenSettings } from './settings/listen.ts'
import type { MailPlan, MailScheme } from './stream-plan.ts'

type Settings = Exclude<ListenSettings, string | number>

/** As nginx's proxy_timeout for mail, ms. */
const IDLE_MS = 86_400_000

/** What servers can do in any case. */
const CAPABILITIES: Readonly<Record<MailScheme, readonly string[]>> = {
  imap: ['IMAP4rev1', 'SASL-IR'],
  pop3: ['TOP', 'UIDL'],
  smtp: [],
}
/** Ways to log in that only one protocol has. */
const ONLY: Readonly<Record<string, MailScheme>> = { apop: 'pop3', none: 'smtp' }

export function drawMail(
  drawing: Drawing,
  settings: Settings | null,
  path: KeyPath,
  scheme: MailScheme,
): MailPlan | undefined {
  const mail = settings?.mail
  if (settings === null || mail === undefined) {
    drawing.report.problem(path, `${scheme}:// needs mail, with auth in it`, {
      expected: `{ on: "${scheme}://:…", mail: { auth: "http://127.0.0.1:9000/auth" } }`,
    })
    return undefined
  }
  const { report } = drawing
  const here = [...path, 'mail']
  for (const method of mail.methods) {
    const only = ONLY[method]
    if (only === undefined || only === scheme) continue
    report.problem([...here, 'methods'], `${method} is a way of ${only}, not of ${scheme}`)
  }
  const hasTls = settings.tls !== undefined || settings.certificate !== ''
  if (mail.starttls !== 'off' && !hasTls) {
    report.problem([...here, 'starttls'], 'needs a certificate', {
      expected: 'certificate and key, or tls, beside mail',
    })
  }
  if (mail.methods.includes('external') && settings.tls === undefined) {
    report.problem([...here, 'methods'], 'external is who a certificate says', {
      expected: 'tls, with clients in it',
    })
  }
  checkUrl(drawing, [...here, 'auth'], mail.auth)
  const { capabilities } = mail
  const proxyProtocol = mail['proxy-protocol']
  return {
    auth: mail.auth,
    authHeaders: textAsWritten(drawing, [...here, 'headers'], mail.headers),
    authTimeoutMs: mail['auth-timeout'],
    methods: mail.methods,
    capabilities: capabilities.length > 0 ? capabilities : CAPABILITIES[scheme],
    serverName: mail['server-name'],
    startTls: mail.starttls !== 'off',
    needsTls: mail.starttls === 'only',
    xclient: mail.xclient,
    smtpAuth: mail['smtp-auth'],
    loginTimeoutMs: mail.timeout,
    connectTimeoutMs: mail['connect-timeout'],
    idleMs: orNever(settings.idle) ?? IDLE_MS,
    maxConnections: settings['max-connections'],
    attempts: mail.attempts,
    ...(proxyProtocol === 'off' ? {} : { proxyProtocol }),
  }
}

function checkUrl({ report }: Drawing, path: KeyPath, text: string): void {
  if (/^http:\/\/unix:\/[^:]+(:\/.*)?$/.test(text)) return
  if (URL.canParse(text) && !/[\s#]/.test(text) && new URL(text).username === '') return
  report.problem(path, 'not a URL', {
    expected: 'http://127.0.0.1:9000/auth or http://unix:/run/auth.sock:/auth',
  })
}
