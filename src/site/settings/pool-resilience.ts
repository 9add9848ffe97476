/** `retry`, `passive`, `breaker`, `queue`, `slow-start`, `hedge` and `sorry` of a pool. */
import { z } from 'zod'
import {
  type Count,
  count,
  type Duration,
  duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type Size,
  size,
  type Text,
  type Texts,
  text,
} from '../setting-types.ts'

/** From 0 to 1. */
export type Percent = z.ZodPrefault<z.ZodType<number, string | number>>

const PERCENT = /^(\d{1,3}(?:\.\d{1,3})?) ?%$/

function percent(preset: string, from: number, sentence: string): Percent {
  const expected = `a part of a hundred such as 20%, from ${from}% to 100%`
  return z
    .union([z.string(), z.number()], { error: expected })
    .transform((input, context): number => {
      const written = PERCENT.exec(String(input).trim())?.[1]
      const value = Number(input) === 0 ? 0 : Number(written ?? Number.NaN)
      if (value >= from && value <= 100) return value / 100
      context.issues.push({ code: 'custom', message: expected, input })
      return z.NEVER
    })
    .register(z.globalRegistry, { title: 'percentage', pattern: '^(0|[\\d.]+ ?%|\\$\\{.*\\})$' })
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

/** What may go wrong, besides a refused connection. */
export const TROUBLE_WORDS = ['closed', 'timeout', 'garbage'] as const
const ON_FORM = `${TROUBLE_WORDS.join(', ')}, or a status such as 503`

function troubles(preset: readonly (string | number)[], sentence: string): Texts {
  const one = z.union([z.string(), z.number()], { error: ON_FORM })
  return z
    .union([one, z.array(one, { error: ON_FORM })], { error: `${ON_FORM}, or a list of them` })
    .transform((input) => (Array.isArray(input) ? input : [input]).map(String))
    .register(z.globalRegistry, { title: 'text or list' })
    .prefault([...preset])
    .register(z.globalRegistry, { description: sentence }) as unknown as Texts
}

const retry = {
  on: troubles(
    [...TROUBLE_WORDS],
    'When: `closed` (the connection ended before the answer began), `timeout` (the head of the answer took too long), `garbage` (what came was no answer), and statuses of answers such as 503. A server that refuses the connection is always passed over.',
  ) as Texts,
  tries: count(
    3,
    1,
    100,
    'Servers that are asked at most, the first included. Those that refuse the connection do not count.',
  ) as Count,
  time: durationOrZero(
    '0',
    'From the request to the end of the last try’s wait; each try has what is left of it. 0: no bound but `tries`.',
  ) as Duration,
  each: durationOrZero(
    '0',
    'Longest wait for the head of an answer where another try may follow; whoever has no other chance has `response-timeout`. 0: all have.',
  ) as Duration,
  budget: percent(
    '20%',
    0,
    'Retries for a hundred requests, over all server threads; ten a second are free. So retries never multiply an outage. 0: none at all.',
  ) as Percent,
  unsafe: flag(
    false,
    'Also requests whose method may do something twice when it is sent twice, such as POST. By default GET, HEAD, OPTIONS, PUT and DELETE (RFC 9110 §9.2.2).',
  ) as Flag,
  body: size(
    '64KB',
    'Longest request body that is kept for another try. A request with a longer one is sent once.',
    0,
    64 * 1024 * 1024,
  ) as Size,
}

/** What makes somebody rest. */
const rest = {
  on: troubles(
    [...TROUBLE_WORDS, 502, 503, 504],
    'What counts as a failure: `closed`, `timeout`, `garbage`, and statuses. A refused connection always does.',
  ) as Texts,
  failures: count(5, 0, 1_000_000, 'Failures in a row. 0: they do not count.') as Count,
  share: percent(
    '0',
    0,
    'Failures of a hundred requests within `window`. 0: they do not count.',
  ) as Percent,
  window: duration('10s', 'Over which `share` is counted.') as Duration,
  least: count(20, 1, 4_000, 'Requests in a window without which `share` says nothing.') as Count,
  rest: duration(
    '10s',
    'How long, the first time; twice as long each time after. Then one request shows whether it works again.',
  ) as Duration,
  longest: duration('5m', 'The longest rest.') as Duration,
}

const ofServers = {
  most: percent(
    '50%',
    0,
    'Of the pool’s servers, so many rest at once at most. One may always, the last one never.',
  ) as Percent,
}

const ofPool = {
  pending: count(
    0,
    0,
    10_000_000,
    'Requests that its servers have in hand, or that wait, at most; more get 503 at once. 0: as many as come.',
  ) as Count,
}

const queue = {
  size: count(
    1_000,
    1,
    1_000_000,
    'How many wait at most, of all server threads; more get 503.',
  ) as Count,
  timeout: duration(
    '5s',
    'Longest wait; then the visitor gets 503 with `Retry-After`.',
  ) as Duration,
}

const hedge = {
  after: text(
    'p95',
    'When: after a duration such as `50ms`, or `p95`: after as long as 95 of 100 answers of this pool take to begin, as measured.',
    'p95, or a duration such as 50ms',
  ) as Text,
  budget: percent(
    '5%',
    0,
    'Second requests for a hundred requests, over all server threads; ten a second are free.',
  ) as Percent,
}

const sorry = {
  status: count(503, 200, 599, 'The answer’s status.') as Count,
  text: text('', 'What it says.') as Text,
  page: text('', 'A file with what it says, in place of `text`.', 'a file') as Text,
  type: text(
    '',
    'Its Content-Type. By default `text/html` for a page `.html`, else plain text.',
  ) as Text,
}

type Optional<Shape extends z.ZodRawShape> = z.ZodOptional<Mapping<Shape>>

function optional<Shape extends z.ZodRawShape>(shape: Shape, sentence: string): Optional<Shape> {
  return mapping(shape).optional().register(z.globalRegistry, { description: sentence })
}

export const poolResilience = {
  retry: optional(
    retry,
    'A request that fails is sent to another server, where that is safe. Its visitor sees the last answer only.',
  ) as Optional<typeof retry>,
  passive: optional(
    { ...rest, ...ofServers },
    'Servers that fail visitors are not asked for a while: what nginx does by `max_fails` and `fail_timeout`, Envoy by outlier detection. Counted over all server threads.',
  ) as Optional<typeof rest & typeof ofServers>,
  breaker: optional(
    { ...rest, ...ofPool },
    'When the pool as a whole fails, visitors get 503 at once, until one request shows that it works again.',
  ) as Optional<typeof rest & typeof ofPool>,
  queue: optional(
    queue,
    'Requests wait for a place when all servers have their `max-connections`: first come, first served, over all server threads.',
  ) as Optional<typeof queue>,
  'slow-start': durationOrZero(
    '0',
    'A server that has come back takes a growing part of its requests over this time. 0: all at once. Hashes send a key where it belongs, whatever this says.',
  ) as Duration,
  hedge: optional(
    hedge,
    'GET and HEAD requests whose answer is late are sent to a second server as well; the first answer is the visitor’s.',
  ) as Optional<typeof hedge>,
  sorry: optional(
    sorry,
    'What visitors get when no server can be asked, in place of an error page.',
  ) as Optional<typeof sorry>,
}

export type ResilienceSettings = z.output<Mapping<typeof poolResilience>>
export type RestSettings = z.output<Mapping<typeof rest>>
