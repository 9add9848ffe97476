/** `pools.NAME.persistence`: which visitors belong to a server. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type RequiredText,
  type Text,
  text,
} from '../setting-types.ts'
import { COOKIE_NAME } from './names.ts'

/** Under the names that nginx, HAProxy and keepalived have for it. */
export const PERSISTENCE_NAMES: Readonly<
  Record<string, 'source' | 'cookie' | 'header' | 'learned'>
> = {
  source: 'source',
  ip: 'source',
  cookie: 'cookie',
  header: 'header',
  learned: 'learned',
  learn: 'learned',
  appsession: 'learned',
}

/** Any text: what is none of them is told with the nearest one. */
function name(sentence: string, error: string): RequiredText {
  return z.string({ error }).register(z.globalRegistry, {
    title: 'text',
    description: sentence,
    enum: Object.keys(PERSISTENCE_NAMES),
  })
}

type Mode = 'insert' | 'rewrite' | 'prefix'
type SameSite = 'lax' | 'strict' | 'none' | 'off'

const options = {
  by: name(
    '`source`: by address; `cookie`: by a cookie of ours; `header`: by a field of the request; `learned`: by the session that the application names in a cookie. Also `ip`, `learn`, `appsession`.',
    'source, cookie, header or learned',
  ) as RequiredText,
  'when-down': choice(
    'another',
    ['another', 'stick', 'refuse'],
    'When the visitor’s server cannot answer: `another` does, and has the visitor from then on; `stick`: it is asked all the same (HAProxy’s `option persist`); `refuse`: nobody is, the answer is 503. One in maintenance has given its visitors up.',
  ) as Choice<'another' | 'stick' | 'refuse'>,
  timeout: duration(
    '30m',
    'For `source`, `header` and `learned`: a visitor who does not come for so long is forgotten.',
  ) as Duration,
  entries: count(
    100_000,
    100,
    10_000_000,
    'For `source`, `header` and `learned`: visitors remembered at a time, for all threads together, 55 bytes each; beyond, who was not seen for longest goes.',
  ) as Count,
  mask: count(
    32,
    1,
    32,
    'For `source`: bits of an IPv4 address that tell visitors apart (keepalived’s persistence_granularity): 24 for a network each.',
  ) as Count,
  'mask-ipv6': count(
    64,
    1,
    128,
    'The same of an IPv6 address. Visitors change the lower half of theirs by themselves.',
  ) as Count,
  header: text(
    '',
    'For `header`: its name.',
    'the name of a field',
    /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/,
  ) as Text,
  cookie: text(
    '',
    'For `learned`: the application’s cookie, such as JSESSIONID or PHPSESSID.',
    'the name of a cookie',
    COOKIE_NAME,
  ) as Text,
  query: text(
    '',
    'For `learned`: a parameter of the query, or of the path (`;jsessionid=`), that names the session of visitors without cookies.',
    'the name of a parameter',
    /^[^\s=&;/?#]*$/,
  ) as Text,
  'from-requests': flag(
    true,
    'For `learned`: a session that a visitor brings and nobody knows, such as one from before a restart, belongs to who answers it. False: only those that servers have named here.',
  ) as Flag,
  mode: choice(
    'insert',
    ['insert', 'rewrite', 'prefix'],
    'For `cookie`, as HAProxy has it: `insert`: one of our own; `rewrite`: the value of a cookie that the server sets becomes ours; `prefix`: ours and `~` come before that value, and are taken off before the server sees it.',
  ) as Choice<Mode>,
  name: text(
    '',
    'For `cookie`: its name; PORTICO by default.',
    'the name of a cookie',
    COOKIE_NAME,
  ) as Text,
  domain: text(
    '',
    'Its Domain; by default the visited host alone.',
    'a domain',
    /^\.?[A-Za-z0-9.-]*$/,
  ) as Text,
  path: text('/', 'Its Path.', 'a path', /^\/[^;]*$/) as Text,
  secure: choice(
    'auto',
    ['auto', 'always', 'never'],
    'Whether it is Secure: `auto` where the visitor came over https.',
  ) as Choice<'auto' | 'always' | 'never'>,
  'http-only': flag(true, 'Keep it from scripts (HttpOnly).') as Flag,
  'same-site': choice(
    'lax',
    ['lax', 'strict', 'none', 'off'],
    'Its SameSite; `off`: without.',
  ) as Choice<SameSite>,
  'max-age': durationOrZero(
    '0s',
    'For how long browsers keep it; 0: until they are closed.',
    2_147_483_647_000,
  ) as Duration,
  idle: durationOrZero(
    '0s',
    'For `insert`: it counts no longer when it was not brought for so long; 0: it does.',
    2_147_483_647_000,
  ) as Duration,
  life: durationOrZero(
    '0s',
    'For `insert`: it counts no longer so long after it was first given; 0: it does.',
    2_147_483_647_000,
  ) as Duration,
  private: flag(
    true,
    'For `insert`: answers that set it get `Cache-Control: private`, so that no shared cache gives one visitor’s server to all (HAProxy’s `nocache`).',
  ) as Flag,
  pass: flag(false, 'For `insert`: the servers see it, too.') as Flag,
  secret: text(
    '',
    'For `cookie`: a file with the secret that it is signed with, of 16 bytes and more; the same on all machines that share visitors. By default one that the site makes and keeps in its `state` folder.',
    'a file',
  ) as Text,
}

export type PersistenceOptions = z.output<Mapping<typeof options>>
type Forms = z.ZodUnion<readonly [RequiredText, Mapping<typeof options>]>
export type PersistenceSetting = z.ZodOptional<Forms>
export type PersistenceSettings = z.output<PersistenceSetting>

export function persistenceSetting(): PersistenceSetting {
  const error = 'source, cookie, header or learned, or a mapping with by'
  return z
    .union([name('How visitors are known.', error), mapping(options)], { error })
    .register(z.globalRegistry, { title: 'name or mapping' })
    .optional()
    .register(z.globalRegistry, {
      description:
        'Visitors stay with the server that answered them: `source`, `cookie`, or a mapping with options: see [pools.md](pools.md). By default they do not.',
    }) as PersistenceSetting
}

/** Every option with its default. */
export function persistenceDefaults(by: string): PersistenceOptions {
  return mapping(options).parse({ by })
}
