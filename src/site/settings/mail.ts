/** What listeners of mail have: `imap://`, `pop3://` and `smtp://`. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  duration,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type RequiredText,
  requiredText,
  type Text,
  type TextMap,
  type Texts,
  text,
  textMap,
  texts,
} from '../setting-types.ts'

export const MAIL_METHODS = ['plain', 'login', 'cram-md5', 'apop', 'external', 'none'] as const

const mail = {
  auth: requiredText(
    'Who says whether a visitor may log in, and to which server: a URL that is asked as nginx’s `auth_http` asks.',
    'a URL such as http://127.0.0.1:9000/auth',
    /^http:\/\//,
  ) as RequiredText,
  headers: textMap(
    'Sent with each question, such as a secret that tells our questions from others.',
    /^[A-Za-z0-9-]+$/,
    'the name of a header field',
  ) as TextMap,
  'auth-timeout': duration('60s', 'Longest wait for its answer.') as Duration,
  methods: texts(
    ['plain', 'login'],
    'Ways to log in: `plain` (with LOGIN of IMAP and USER of POP3), `login`, `cram-md5`, `apop` (POP3), `external`, and `none` for SMTP without a login: then the first recipient is asked about.',
    `one of ${MAIL_METHODS.join(', ')}`,
    new RegExp(`^(${MAIL_METHODS.join('|')})$`),
  ) as Texts,
  capabilities: texts(
    [],
    'What visitors are told that servers can do, in answer to CAPABILITY, CAPA and EHLO; ways to log in and STARTTLS are added. Default: IMAP4rev1 and SASL-IR for imap, TOP and UIDL for pop3.',
    'a word, such as UIDPLUS or "SIZE 10240000"',
    /^[!-~]+( [!-~]+)*$/,
  ) as Texts,
  'server-name': text(
    '',
    'What we call ourselves. Default: the name of this machine.',
    'a host name',
    /^$|^[A-Za-z0-9.-]{1,253}$/,
  ) as Text,
  starttls: choice(
    'off',
    ['off', 'on', 'only'],
    'With `tls` or `certificate`: visitors begin in clear text and may (`on`), or must before they log in (`only`), say STARTTLS. `off`: TLS comes first.',
  ) as Choice<'off' | 'on' | 'only'>,
  xclient: flag(
    true,
    'For smtp: tell servers who the visitor is (XCLIENT, which Postfix takes from `smtpd_authorized_xclient_hosts`). A server that does not offer it is not spoken to.',
  ) as Flag,
  'smtp-auth': flag(
    false,
    'For smtp: log in at servers with the visitor’s name and password.',
  ) as Flag,
  timeout: duration(
    '60s',
    'Longest between two lines of a visitor that has not logged in, and wait for each line of a server until then.',
  ) as Duration,
  'connect-timeout': duration(
    '60s',
    'Longest a connection to a server may take to be made.',
  ) as Duration,
  attempts: count(
    0,
    0,
    1_000,
    'Wrong logins after which the connection is closed. 0: as many as Auth-Wait allows; without Auth-Wait it is closed after the first.',
  ) as Count,
  'proxy-protocol': choice(
    'off',
    ['off', 'v1', 'v2'],
    'Begin each connection to a server with a PROXY protocol header, version 1 or 2, which names the visitor.',
  ) as Choice<'off' | 'v1' | 'v2'>,
}

export type MailType = z.ZodOptional<Mapping<typeof mail>>

export function mailType(): MailType {
  return mapping(mail).optional().register(z.globalRegistry, {
    description:
      'For imap://, pop3:// and smtp://: `{ auth: "http://127.0.0.1:9000/auth" }`. See [streams.md](streams.md).',
  })
}

export type MailSettings = z.output<Mapping<typeof mail>>
