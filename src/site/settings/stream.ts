/** What listeners without HTTP have: `tcp://`, `tls://` and `udp://`. */
import { z } from 'zod'
import {
  type Count,
  count,
  type OptionalDuration,
  optionalDuration,
  type Text,
  type TextMap,
  text,
  textMap,
} from '../setting-types.ts'

/** A server name of TLS, or a wildcard. */
const SERVER_NAME: RegExp = /^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/

type OptionalCount = z.ZodOptional<z.ZodType<number, string | number>>

function optionalCount(from: number, to: number, sentence: string): OptionalCount {
  return (count(0, from, to, sentence).unwrap() as z.ZodType<number, string | number>)
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

export const stream = {
  pool: text(
    '',
    'For tcp://, tls:// and udp://: the pool that connections or datagrams go to, or one address: `10.0.0.1:3306`.',
    'the name of a pool, or an address',
  ) as Text,
  names: textMap(
    'For tls://: server name, or `*.example.com`, to pool or address. The name is read from the client hello; the connection stays encrypted up to the server. `pool` takes all others.',
    SERVER_NAME,
    'a server name such as www.example.com or *.example.com',
  ) as TextMap,
  idle: optionalDuration(
    'For connections without HTTP: longest that nothing comes from the visitor and it takes nothing, or the same of the server. 0: never. Default: 10m, for udp 1m, for mail 24h.',
  ) as OptionalDuration,
  'client-idle': optionalDuration(
    'The same of the visitor alone. Default: `idle`.',
  ) as OptionalDuration,
  'server-idle': optionalDuration(
    'The same of the server alone. Default: `idle`.',
  ) as OptionalDuration,
  'half-closed': optionalDuration(
    'For tcp:// and tls://, when one side has said that it sends no more: longest that nothing moves then. Default: `idle`.',
  ) as OptionalDuration,
  'max-connections': count(
    0,
    0,
    10_000_000,
    'For connections without HTTP: most at once, counted exactly over all server threads (udp: sessions); more are closed. 0: `limits.connections` in each thread.',
  ) as Count,
  requests: count(
    0,
    0,
    1_000_000,
    'For udp://: datagrams from a visitor after which its session ends, and its next one may go to another server; with `responses`, once they are answered. 0: no bound.',
  ) as Count,
  responses: optionalCount(
    0,
    1_000_000,
    'For udp://: answers to each datagram. When as many have come, the session ends: 1 for DNS, 0 for syslog. Default: not known, it ends when it is idle.',
  ) as OptionalCount,
}
