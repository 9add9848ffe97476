/**
 * Every figure that monitors get, once: its names, what it means and where it is in the status. OpenMetrics,
 * StatsD and docs/metrics.md derive from here.
 */
import { APPS } from './families/apps.ts'
import { BACKGROUND } from './families/background.ts'
import { CERTIFICATES } from './families/certificates.ts'
import { COMMONS } from './families/commons.ts'
import { JOBS } from './families/jobs.ts'
import { POOL_SERVERS } from './families/pool-servers.ts'
import { POOLS } from './families/pools.ts'
import { ROUTES } from './families/routes.ts'
import { SITE } from './families/site.ts'
import { STREAMS } from './families/streams.ts'
import { TLS } from './families/tls.ts'
import { WORKERS } from './families/workers.ts'
import type { Metric } from './metric.ts'

export const METRICS: readonly Metric[] = [
  ...SITE,
  ...TLS,
  ...CERTIFICATES,
  ...APPS,
  ...WORKERS,
  ...ROUTES,
  ...STREAMS,
  ...POOL_SERVERS,
  ...POOLS,
  ...BACKGROUND,
  ...COMMONS,
  ...JOBS,
]
