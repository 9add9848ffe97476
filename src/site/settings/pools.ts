/** `pools`, and what a `proxy` that names addresses has of them. */
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
  text,
  textMap,
} from '../setting-types.ts'
import { VARIABLE } from './names.ts'
import { type PersistenceSetting, persistenceSetting } from './persistence.ts'
import { type PoolCheck, poolCheck, type ServerCheck, serverCheck } from './pool-check.ts'
import { poolResilience } from './pool-resilience.ts'
import { type PoolTls, poolTlsSection } from './pool-tls.ts'
import { type Schedule, schedule } from './schedule.ts'

const target = {
  to: requiredText(
    '`host:port`, `http://host:port`, `https://host:port` for TLS, `h2://host:port` and `h2c://host:port` for HTTP/2 with and without it, or `unix:/run/app.sock`; with `uwsgi://`, `puwsgi://`, `fastcgi://` or `scgi://` for a server that speaks it: `fastcgi://127.0.0.1:9000`, `uwsgi://unix:/run/app.sock`.',
    'an address such as "10.0.0.1:80"',
  ) as RequiredText,
  weight: count(
    1,
    0,
    65_535,
    'Its share of the requests, relative to the other servers; 0: no new ones.',
  ) as Count,
  backup: flag(
    false,
    'Asked only while no other server takes requests: all are down, full or unreachable.',
  ) as Flag,
  down: flag(
    false,
    'Out of service: never asked. It keeps its place in hashes, so that no other server’s keys move.',
  ) as Flag,
  'max-connections': count(
    0,
    0,
    1_000_000,
    'Most requests it has in hand at once, counted exactly over all server threads; others are asked then. 0: as many as come.',
  ) as Count,
  check: serverCheck() as ServerCheck,
}

type Server = z.ZodUnion<readonly [z.ZodString, Mapping<typeof target>]>
type Servers = z.ZodArray<Server>

function servers(sentence: string): Servers {
  const error = 'an address such as "10.0.0.1:80", or a mapping with to and weight'
  return z
    .array(z.union([z.string(), mapping(target)], { error }), { error: 'a list of servers' })
    .min(1, { error: 'at least one server' })
    .register(z.globalRegistry, { title: 'list of addresses', description: sentence })
}

/** What servers that speak uwsgi, FastCGI or SCGI are told beside the request. */
export const variables = {
  root: text(
    '',
    'For FastCGI, SCGI and uwsgi servers: the document root, as their machine sees it. The path of the request below it is SCRIPT_FILENAME.',
    'a folder',
  ) as Text,
  index: text(
    'index.php',
    'With `root`: the script that answers for a folder.',
    'the name of a file',
  ) as Text,
  script: text(
    '',
    'For FastCGI and SCGI servers: the one program that answers for every path (SCRIPT_FILENAME).',
    'a file',
  ) as Text,
  params: textMap(
    'For FastCGI, SCGI and uwsgi servers: more variables, over those of the request.',
    VARIABLE,
    'the name of a variable',
  ) as TextMap,
  modifier1: count(
    0,
    0,
    255,
    'For uwsgi servers: the kind of request, such as 5 for PSGI, 7 for Rack, 14 for PHP.',
  ) as Count,
}

const pool = {
  servers: servers('Where requests go: addresses, or mappings with `to` and `weight`.') as Servers,
  schedule: schedule(
    'round-robin',
    'Which server is next: `round-robin` (each in turn, by weight), `least-connections`, `least-time`, `hash`, `random`, `two-choices`, `first`, `maglev`, one of LVS’s `rr`, `wrr`, `lc`, `wlc`, `sed`, `nq`, `sh`, `dh`, `lblc`, `lblcr`, `fo`, `ovf`, `mh`, `twos`, or a name of nginx’s or HAProxy’s: see [pools.md](pools.md). `{ by: hash, key: uri, consistent: true }` for options.',
  ) as Schedule,
  'connect-timeout': duration('5s', 'Longest a connection may take to be made.') as Duration,
  'response-timeout': duration(
    '60s',
    'Longest wait for the head of an answer, and between two reads of its body.',
  ) as Duration,
  'keep-alive': count(
    32,
    0,
    100_000,
    'Idle connections kept for the next request, per server and server thread; for http, puwsgi and FastCGI. With FastCGI servers none are kept unless this says so: each holds one of their workers, so keep fewer than those have for all threads together.',
  ) as Count,
  'keep-alive-timeout': duration(
    '4s',
    'How long an idle one is kept. Shorter than the 5s after which Node servers close theirs, so that no request meets a closing connection; raise it for servers that wait longer.',
  ) as Duration,
  'preserve-host': flag(
    true,
    'Pass the visitor’s `Host` on; false: the server’s own address. By default false where all servers are named as `https://name`.',
  ) as Flag,
  tls: poolTlsSection() as PoolTls,
  persistence: persistenceSetting() as PersistenceSetting,
  check: poolCheck() as PoolCheck,
  'proxy-protocol': choice(
    'off',
    ['off', 'v1', 'v2'],
    'Begin each connection with a PROXY protocol header, version 1 or 2, which names the visitor: for servers that expect it (`accept-proxy`, `proxy_protocol`). A connection is then kept for that visitor’s connection alone.',
  ) as Choice<'off' | 'v1' | 'v2'>,
}

export type PoolType = Mapping<typeof pool & typeof poolResilience & typeof variables>

export function poolType(): PoolType {
  return mapping({ ...pool, ...poolResilience, ...variables }).register(z.globalRegistry, {
    id: 'pool',
    description: 'Servers that share the requests of a `proxy`.',
  })
}

export type PoolSettings = z.output<PoolType>

/** The pool that a `proxy:` with addresses in it stands for; `more` is what the route says of it. */
export function anonymousPool(
  addresses: readonly string[],
  more: Pick<PoolSettings, keyof typeof variables>,
): PoolSettings {
  return { ...poolType().parse({ servers: [...addresses] }), ...more }
}
