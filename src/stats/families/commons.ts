/** Figures of what applications share. */
import type { CommonsStatus } from '../../commons/protocol.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

/** Nothing while there is no process for it. */
function commons(value: Of<CommonsStatus, number>): PlainMetric['read'] {
  return (status) => (status.commons === null ? [] : [{ labels: [], value: value(status.commons) }])
}

export const COMMONS: readonly Metric[] = [
  gauge(
    'commons_used_bytes',
    'commons.used',
    'What applications share: memory that it takes, of cache.size.',
    [],
    commons((status) => status.used),
  ),
  gauge(
    'commons_resident_memory_bytes',
    'commons.memory',
    'Memory of the process that holds what applications share.',
    [],
    commons((status) => status.rss),
  ),
  gauge(
    'commons_keys',
    'commons.keys',
    'Keys of all databases.',
    [],
    commons((status) => status.keys),
  ),
  gauge(
    'commons_clients',
    'commons.clients',
    'Connections to what applications share.',
    [],
    commons((status) => status.clients),
  ),
  counter(
    'commons_commands',
    'commons.commands',
    'Commands that clients have asked.',
    [],
    commons((status) => status.commands),
  ),
  counter(
    'commons_hits',
    'commons.hits',
    'Reads of cached values that were there.',
    [],
    commons((status) => status.hits),
  ),
  counter(
    'commons_misses',
    'commons.misses',
    'Reads of cached values that were not there.',
    [],
    commons((status) => status.misses),
  ),
  counter(
    'commons_evictions',
    'commons.evictions',
    'Cached values that were given up for want of memory: raise cache.size.',
    [],
    commons((status) => status.evicted),
  ),
]
