/** `pools.NAME.check`: whether its servers are well, and what follows. */
import { z } from 'zod'
import { RecordTypes, ResponseCodes } from '../../wire/dns.ts'
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
  type OptionalDuration,
  optionalDuration,
  type Text,
  type TextMap,
  type Texts,
  text,
  textMap,
} from '../setting-types.ts'
import { VARIABLE } from './names.ts'

/** The checks that have a short form: a word in place of a mapping. */
export const CHECK_WORDS = [
  'tcp',
  'http',
  'https',
  'smtp',
  'dns',
  'ping',
  'fastcgi',
  'uwsgi',
  'redis',
  'mysql',
  'amqp',
] as const

type Wanted = z.ZodOptional<z.ZodType<string | boolean, string | boolean>>
type Command = z.ZodOptional<z.ZodType<string | string[], string | string[]>>

/** `true`, or what a check needs to know. */
function wanted(sentence: string, expected: string): Wanted {
  const line = z.string({ error: expected }).regex(/^[^\x00-\x1f\x7f]*$/, { error: expected })
  return z
    .union([z.boolean(), line], { error: expected })
    .register(z.globalRegistry, { title: 'true or text' })
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

/** Statuses and ranges of them, as text: YAML takes a lone `200` for a number. */
function statuses(preset: string, sentence: string): Texts {
  const expected = 'a status such as 200, 2xx or 200-399'
  const form = /^([1-5][0-9]{2}(-[1-5][0-9]{2})?|[1-5]xx)$/i
  const word = z.string().regex(form, { error: expected })
  const number = z
    .int({ error: expected })
    .min(100, { error: expected })
    .max(599, { error: expected })
  const one = z.union([word, number], { error: expected })
  return z
    .union([one, z.array(one)], { error: `${expected}, or a list of them` })
    .transform((input) => (Array.isArray(input) ? input : [input]).map(String))
    .register(z.globalRegistry, { title: 'text or list' })
    .prefault([preset])
    .register(z.globalRegistry, { description: sentence }) as unknown as Texts
}

function command(sentence: string): Command {
  const word = z.string().refine((text) => !text.includes('\0') && text !== '')
  const expected = 'a command for the shell, or a list: the program and its arguments'
  return z
    .union([word, z.array(word).min(1)], { error: expected })
    .register(z.globalRegistry, { title: 'text or list' })
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

/** What is asked: exactly one. */
const kinds = {
  tcp: wanted('It takes connections; see `send` and `expect`.', 'true'),
  http: wanted(
    'It answers a request for this path: `/healthz`, or `true` for `/`. Over TLS where the server is `https://`.',
    'a path such as /healthz, or true',
  ),
  https: wanted('The same over TLS, whatever the server is.', 'a path such as /healthz, or true'),
  smtp: wanted(
    'It greets and answers EHLO with this name of ours, or with `localhost` for `true`.',
    'our name in the mail system, or true',
  ),
  dns: wanted(
    'It answers a question for this name; `true`: for the root. See `type`, `rcode` and `answer`.',
    'a name such as example.com, or true',
  ),
  ping: wanted('Its machine answers an ICMP echo. Needs `ping` (iputils).', 'true'),
  script: command(
    'A program: text for `/bin/sh`, or a list of the program and its arguments. Exit code 0: it is well; see `dynamic`. It finds PORTICO_POOL, PORTICO_SERVER, PORTICO_ADDRESS and PORTICO_PORT in its environment, and never runs as root unless `user: root` says so.',
  ) as Command,
  file: wanted('This file holds a number: 0 is well. See `dynamic`.', 'a file'),
  fastcgi: wanted(
    'It answers a request for this path over FastCGI, such as php-fpm’s `ping.path`; `true`: it says what it can do (FCGI_GET_VALUES).',
    'a path such as /ping, or true',
  ),
  uwsgi: wanted('It answers a uwsgi ping.', 'true'),
  redis: wanted('It answers PING; see `role`, `user` and `password-file`.', 'true'),
  mysql: wanted(
    'It judges a login of this user, without a password; `true`: of `portico`. There need not be such a user: a refusal is an answer, and blocks nobody.',
    'the name of a user, or true',
  ),
  amqp: wanted('It begins a conversation (AMQP 0-9-1, as RabbitMQ speaks it).', 'true'),
} as Record<Exclude<CheckKind, 'script'>, Wanted> & { script: Command }

export type CheckKind = (typeof CHECK_WORDS)[number] | 'script' | 'file'

/** Of some of them: see OPTIONS_OF in draw-check.ts. */
const options = {
  send: text('', 'For `tcp`: what is sent first. `\\r`, `\\n` and `\\xNN` are escapes.') as Text,
  expect: text(
    '',
    'For `tcp`: a text that has to be in what it says; a regular expression after `~`.',
  ) as Text,
  method: text(
    'GET',
    'For `http`: how it is asked.',
    'a method such as GET, HEAD or OPTIONS',
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/,
  ) as Text,
  host: text(
    '',
    'For `http`: the Host that is asked for, and the name its certificate has to be for. Default: the server’s own address.',
    'a host name',
    /^[\x21-\x7e]*$/,
  ) as Text,
  headers: textMap(
    'For `http`: more header fields of the request.',
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/,
    'the name of a header field',
  ) as TextMap,
  status: statuses(
    '200-399',
    'For `http`: the statuses that are well: `200`, `2xx`, `200-399`, or a list of them.',
  ) as Texts,
  body: text(
    '',
    'For `http` and `fastcgi`: a text that has to be in the first 64 KB of the answer’s body; a regular expression after `~`.',
  ) as Text,
  digest: text(
    '',
    'For `http`: the MD5 (as keepalived has it) or SHA-256 of the answer’s body, in hexadecimal.',
    '32 or 64 hexadecimal digits',
    /^([0-9a-f]{32}|[0-9a-f]{64})?$/i,
  ) as Text,
  verify: flag(
    true,
    'For `http` over TLS: the certificate has to be valid. Default: as the pool’s `tls` says.',
  ) as Flag,
  type: choice(
    'SOA',
    Object.keys(RecordTypes),
    'For `dns`: the type of record that is asked for.',
  ) as Choice<string>,
  rcode: choice('NOERROR', ResponseCodes, 'For `dns`: the code of the answer.') as Choice<string>,
  answer: text(
    '',
    'For `dns`: a text that has to be in one of the answers, such as an address; a regular expression after `~`.',
  ) as Text,
  role: choice(
    'any',
    ['any', 'master', 'replica'],
    'For `redis`: what it has to be. With `master`, requests follow a failover.',
  ) as Choice<'any' | 'master' | 'replica'>,
  user: text('', 'For `redis`: who logs in with the password; default: nobody by name.') as Text,
  'password-file': text(
    '',
    'For `redis`: a file that holds the password. It is read at each check: a new one needs no reload.',
    'a file',
  ) as Text,
  dynamic: flag(
    false,
    'For `script` and `file`: it says how much it can take as well. A script by its exit code, as keepalived’s `misc_dynamic`: 0 is well, 1 is not, 2 to 255 are well with the weight code − 2 (but 126 and 127, which say that a program cannot be run, are not). A file by its number: that is the weight; a negative one is not well.',
  ) as Flag,
  env: textMap(
    'For `script`: more environment variables.',
    VARIABLE,
    'the name of a variable',
  ) as TextMap,
}

const when = {
  every: duration('2s', 'From one question to the next.') as Duration,
  fast: optionalDuration(
    'The same while its answers contradict what is known of it, so that the verdict comes soon. Default: a quarter of `every`.',
  ) as OptionalDuration,
  'while-down': optionalDuration(
    'The same while it is down. Default: as `every`.',
  ) as OptionalDuration,
  jitter: count(
    10,
    0,
    100,
    'By how many percent these vary, so that several machines do not ask at once.',
  ) as Count,
  timeout: optionalDuration(
    'An answer that takes longer is none. Default: 1s, or `every` if that is less.',
  ) as OptionalDuration,
  rise: count(2, 1, 1_000, 'Good answers in a row that bring it up again.') as Count,
  fall: count(3, 1, 1_000, 'Bad answers in a row that take it down.') as Count,
  start: choice(
    'up',
    ['up', 'down'],
    'Whether it is asked by visitors before its first check. That one decides at once, whatever `rise` and `fall` say.',
  ) as Choice<'up' | 'down'>,
  port: count(
    0,
    0,
    65_535,
    'Another port of the server to ask, where its health is told; 0: its own.',
  ) as Count,
}

const HOOK_ENVIRONMENT =
  'It finds PORTICO_POOL, PORTICO_SERVER, PORTICO_STATE (`up` or `down`), PORTICO_WHY, PORTICO_UP (how many servers of the pool are up) and PORTICO_SERVERS in its environment, runs as an ordinary user, and is killed after 30s.'

const hooks = {
  'on-up': command(`A command that is run when a server comes up. ${HOOK_ENVIRONMENT}`) as Command,
  'on-down': command('A command that is run when a server goes down.') as Command,
}

const check: Shape = { ...kinds, ...options, ...when, ...hooks }

type Shape = typeof kinds & typeof options & typeof when & typeof hooks
type Form = z.ZodUnion<readonly [z.ZodLiteral<false>, z.ZodString, Mapping<Shape>]>
export type PoolCheck = z.ZodPrefault<Form>
export type CheckSettings = z.output<Mapping<Shape>>
export type CheckKey = keyof CheckSettings

const EXPECTED =
  'a word such as tcp, a path such as /healthz, or a mapping such as { http: /healthz }'

function form(): Form {
  return z.union([z.literal(false), z.string(), mapping(check)], { error: EXPECTED })
}

/** Of a pool. */
export function poolCheck(): PoolCheck {
  return form()
    .register(z.globalRegistry, { title: 'word, path or mapping' })
    .prefault('off')
    .register(z.globalRegistry, {
      description:
        'Whether its servers are well: one that is not gets no requests. `tcp`, `/healthz` (a path to ask for over HTTP), `redis` …, or a mapping with one of them and when to ask: see [pools.md](pools.md#health). `off`: nobody asks.',
    })
}

/** Of a server: other than its pool's in what it says. */
export type ServerCheck = z.ZodOptional<Form>
export function serverCheck(): ServerCheck {
  return form()
    .register(z.globalRegistry, { title: 'word, path or mapping' })
    .optional()
    .register(z.globalRegistry, {
      description:
        'How this server is checked, where that is other than the pool’s `check`: `{ port: 8081 }` changes that alone, `off` leaves it out.',
    })
}

export type CheckForm = z.output<Form>
/** All presets. */
export function checkSettings(): CheckSettings {
  return mapping(check).parse({})
}
