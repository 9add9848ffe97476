/** The setting `cache`: what applications share. */
import {
  type Count,
  count,
  type Section,
  type Size,
  section,
  size,
  type Text,
  text,
} from '../setting-types.ts'

const shape = {
  size: size(
    '64MB',
    'Memory for all of it. When it is used up, what was cached goes, the least used first; queues, counters and locks stay, and what does not fit is refused.',
    1024 ** 2,
    64 * 1024 ** 3,
  ) as Size,
  item: size('1MB', 'The longest key or value.', 1024, 512 * 1024 ** 2) as Size,
  connections: count(1000, 1, 1_000_000, 'Most clients at a time.') as Count,
  redis: text(
    '',
    'Where other programs find it as a Redis server, such as `unix:/run/shop/redis.sock` or `127.0.0.1:6379`. It asks for no password. Applications need none: they find it through the variable PORTICO_COMMONS.',
    'an address',
  ) as Text,
  memcached: text(
    '',
    'Where programs find it as a memcached server, such as `unix:/run/shop/memcached.sock` or `127.0.0.1:11211`.',
    'an address',
  ) as Text,
}

export type CacheType = Section<typeof shape>

export function cacheType(): CacheType {
  return section(
    shape,
    'What applications share: a cache, queues, counters, locks and metrics, kept in memory by a process of its own that starts when it is first asked for and speaks the protocols of Redis and memcached.',
  )
}
