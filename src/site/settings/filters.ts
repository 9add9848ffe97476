/** What stands before a handler: every route may have these. */
import { z } from 'zod'
import {
  type Count,
  count,
  type Flag,
  flag,
  type Mapping,
  mapping,
  numberOf,
  type OptionalRate,
  optionalRate,
  type Section,
  section,
  type Text,
  text,
} from '../setting-types.ts'
import { type Auth, auth } from './auth.ts'
import { type Compress, compress } from './compress.ts'
import { type Cors, cors } from './cors.ts'
import { type Headers, headers, type RequestHeaders, requestHeaders } from './headers.ts'
import { type Errors, errors, type Maintenance, maintenance } from './maintenance.ts'
import { type Rewrite, rewrite } from './rewrite.ts'

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
  auth: auth as Auth,
  deny: networks(
    'Who is refused, by address. The most specific network that has an address decides, whatever the order; of two equal ones `deny`.',
  ) as OptionalTexts,
  'client-certificate': flag(
    false,
    'Only visitors with a good client certificate; others get 403. A listener has to ask for it: `tls: { client-certificates: { ca: staff.pem, mode: optional } }`.',
  ) as Flag,
  headers: headers as Headers,
  'request-headers': requestHeaders as RequestHeaders,
  rewrite: rewrite as Rewrite,
  cors: cors as Cors,
  compress: compress as Compress,
  maintenance: maintenance as Maintenance,
  errors: errors as Errors,
}

const everywhere = {
  headers: headers as Headers,
  'request-headers': requestHeaders as RequestHeaders,
  cors: cors as Cors,
  compress: compress as Compress,
  maintenance: maintenance as Maintenance,
  errors: errors as Errors,
}

type HostFilters = Mapping<typeof everywhere>
type ByHost = z.ZodPrefault<z.ZodRecord<z.ZodString, HostFilters>>

const whole = {
  ...everywhere,
  hosts: z
    .record(z.string(), mapping(everywhere), { error: 'a mapping of host names to filters' })
    .prefault({})
    .register(z.globalRegistry, {
      title: 'names to mappings',
      description: 'The same for the routes of single hosts, by the names that `hosts` has.',
    }) as ByHost,
}

export type SiteFilters = Section<typeof everywhere & { hosts: ByHost }>

/** Of all routes that do not say otherwise. */
export function siteFilters(): SiteFilters {
  return section(
    whole,
    'Filters of every route that does not say otherwise, key by key: the route’s own, those of its host, those of all.',
  )
}

export type CommonSettings = z.output<HostFilters>

export type FilterSettings = z.output<Mapping<typeof filters>>
