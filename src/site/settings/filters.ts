/** What stands before a handler: every route may have these. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Flag,
  flag,
  type Mapping,
  mapping,
  numberOf,
  type OptionalRate,
  optionalRate,
  type Text,
  text,
} from '../setting-types.ts'

const limit = {
  rate: optionalRate(
    'How often: `100/s`, `5/m`, `1/10s`. Requests are counted as a token bucket has them, exactly over all server threads.',
  ) as OptionalRate,
  burst: count(
    0,
    0,
    1_000_000,
    'How many may come at once, before they have to keep to the rate. 0: as many as the number in the rate, 100 for `100/s`.',
  ) as Count,
  delay: count(
    0,
    0,
    1_000_000,
    'How many of a burst are answered at once; the others wait for their turn at the rate. 0: all of them are, and nobody waits.',
  ) as Count,
  concurrency: count(
    0,
    0,
    1_000_000,
    'How many requests may be in hand at a time, WebSockets included; 0: as many as come.',
  ) as Count,
  by: text(
    'address',
    'Who is counted together: `address` (of the visitor as `trusted` proxies tell it; an IPv6 network of /64 is one visitor), `host`, `header:NAME`, `cookie:NAME`, or `everyone`. Who sends no such header or cookie is counted by address.',
    'address, host, header:NAME, cookie:NAME or everyone',
  ) as Text,
  answer: numberOf(
    429,
    [429, 503],
    'The status for who comes too often; `Retry-After` says when to try again.',
  ) as Count,
  tell: flag(
    false,
    'Tell visitors how much is left of the rate: `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`.',
  ) as Flag,
  share: text(
    '',
    'A name: routes whose limits have the same one are counted together. Default: each limit by itself.',
    'a name',
  ) as Text,
  keys: count(
    100_000,
    1,
    4_000_000,
    'How many visitors are remembered at a time, 24 bytes each. Of more, those are forgotten that are nearest to their full burst again.',
  ) as Count,
}

type LimitMapping = Mapping<typeof limit>
type LimitForm = z.ZodUnion<readonly [z.ZodString, LimitMapping]>
export type Limits = z.ZodOptional<
  z.ZodUnion<readonly [z.ZodString, LimitMapping, z.ZodArray<LimitForm>]>
>

function limits(sentence: string): Limits {
  const error = 'a rate such as 100/s, a mapping with rate or concurrency, or a list of them'
  const one = mapping(limit).register(z.globalRegistry, {
    id: 'limit',
    description:
      'How often visitors may come, and how many requests they may have in hand. What is counted is forgotten when the site is reloaded.',
  })
  const some = z.array(z.union([z.string({ error }), one], { error }), { error })
  return z
    .union([z.string({ error }), one, some], { error })
    .optional()
    .register(z.globalRegistry, {
      title: 'rate, mapping or list',
      description: sentence,
    }) as Limits
}

/** The settings of one limit, from either form. */
export type LimitSettings = z.output<LimitMapping>

export function parseLimit(input: object): LimitSettings {
  return mapping(limit).parse(input)
}

type Users = Mapping<{ users: z.ZodRecord<z.ZodString, z.ZodString> }>

const users: Users = mapping({
  users: z
    .record(z.string(), z.string({ error: 'a hash, as `htpasswd -nB` prints it' }), {
      error: 'a mapping of names to hashes',
    })
    .register(z.globalRegistry, { title: 'names to hashes', description: 'Hashes by name.' }),
})

const auth = {
  basic: z
    .union([z.string(), users], {
      error: 'the name of a file, or { users: { NAME: HASH } }',
    })
    .register(z.globalRegistry, {
      title: 'file or users',
      description:
        'A file as `htpasswd -B` writes it, read again when it changes; or `{ users: { NAME: HASH } }`. Hashes are of bcrypt, apr1 or SHA-1; passwords in plain text are refused.',
    }) as Basic,
  realm: text('restricted', 'What browsers call it.', 'text') as Text,
  pass: flag(
    false,
    'Pass the `Authorization` field on to who answers. False: the password ends here.',
  ) as Flag,
  satisfy: choice(
    'all',
    ['all', 'any'],
    'With `allow` or `deny` beside it: `any` asks only those for a password whom they do not let in.',
  ) as Choice<'all' | 'any'>,
}

type Basic = z.ZodUnion<readonly [z.ZodString, Users]>
export type Auth = z.ZodOptional<Mapping<typeof auth>>

const NETWORKS = 'an address, a network such as 10.0.0.0/8, unix or all'

export type OptionalTexts = z.ZodOptional<z.ZodType<string[], string | string[]>>

function networks(sentence: string): OptionalTexts {
  const one = z.string({ error: NETWORKS })
  return z
    .union([one, z.array(one)], { error: `${NETWORKS}, or a list of them` })
    .transform((input) => (typeof input === 'string' ? [input] : input))
    .register(z.globalRegistry, { title: 'text or list' })
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

export const filters = {
  limit: limits(
    'How often visitors may come, and how many requests they may have in hand: a rate such as `100/s`, or a mapping, or a list of both. See [Filters](#filters).',
  ) as Limits,
  allow: networks(
    'Who is let in, by address: `10.0.0.0/8`, `::1`, `unix` for visitors by a unix socket, `all`. Everybody else gets 403. See [Filters](#filters) for both lists.',
  ) as OptionalTexts,
  auth: mapping(auth)
    .register(z.globalRegistry, {
      id: 'auth',
      description:
        'Ask visitors for a name and a password. Applications know the name as REMOTE_USER.',
    })
    .optional()
    .register(z.globalRegistry, {
      title: 'mapping',
      description:
        'Ask visitors for a name and a password: `{ basic: ./htpasswd }`. See [Filters](#filters).',
    }) as Auth,
  deny: networks(
    'Who is refused, by address. The most specific network that has an address decides, whatever the order; of two equal ones `deny`.',
  ) as OptionalTexts,
}

export type FilterSettings = z.output<Mapping<typeof filters>>
