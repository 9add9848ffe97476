/** A status as a supervisor tells it, for what only reads one. */
import { BOUNDS_MS, type Histogram } from '../../src/request/histogram.ts'
import { noTimes } from '../../src/stats/histograms.ts'
import type { AppStatus, SiteStatus, WorkerStatus } from '../../src/supervisor/status.ts'

/** So many times of each length, ms. */
export function timesOf(...pairs: readonly (readonly [ms: number, count: number])[]): Histogram {
  const counts = [...noTimes.counts]
  let sumMs = 0
  for (const [ms, count] of pairs) {
    const bucket = BOUNDS_MS.findIndex((bound) => ms <= bound)
    counts[bucket < 0 ? BOUNDS_MS.length : bucket]! += count
    sumMs += ms * count
  }
  return { sumMs, counts }
}

export function workerStatus(more: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    slot: 0,
    pid: 4711,
    restarts: 2,
    reasons: { deadline: 1, signal: 1 },
    lastRestart: { reason: 'signal', how: 'SIGKILL', at: '2026-11-21T14:00:00.000Z' },
    uptimeMs: 60_000,
    requests: 100,
    own: 40,
    errors: 3,
    runMs: 250,
    sent: 5_000,
    inHand: 1,
    rss: 20 * 1024 ** 2,
    vsz: 200 * 1024 ** 2,
    cpuMs: 1_500,
    ...more,
  }
}

export function appStatus(more: Partial<AppStatus> = {}): AppStatus {
  return {
    state: 'running',
    detail: '',
    version: '3.11.2',
    parent: 4700,
    runs: 'workers',
    places: 2,
    workers: [workerStatus()],
    restarts: 3,
    reasons: { deadline: 1, signal: 1, parent: 1 },
    requests: 1_000,
    errors: 10,
    waiting: 4,
    busy: 1,
    connected: 1,
    sent: 50_000,
    served: timesOf([0.3, 900], [30, 100]),
    waited: timesOf([5, 20]),
    ...more,
  }
}

export function siteStatus(more: Partial<SiteStatus> = {}): SiteStatus {
  const route = { requests: 1_000, active: 2, errors: 10, sent: 50_000 }
  return {
    version: '0.1.0',
    pid: 4600,
    phase: 'ready',
    site: '/srv/site.yaml',
    urls: ['http://127.0.0.1:8080'],
    commonsSocket: '/run/portico/commons.sock',
    background: { tasks: [], daemons: [], mules: [] },
    automatic: [],
    generation: 3,
    uptimeMs: 3_600_000,
    reloads: { succeeded: 2, failed: 0 },
    lastReload: null,
    server: { pid: 4601, restarts: 0, threads: 2 },
    draining: [],
    totals: {
      connections: { open: 7, accepted: 300 },
      requests: { total: 2_000, active: 3 },
      answers: { '1xx': 0, '2xx': 1_900, '3xx': 50, '4xx': 40, '5xx': 10 },
      bytes: { received: 100_000, sent: 900_000 },
      memory: { rss: 90 * 1024 ** 2 },
    },
    apps: { shop: appStatus() },
    routes: [
      { host: '', path: '', app: '', ...route, took: noTimes, requests: 0, errors: 0, active: 0 },
      { host: 'www.example.com', path: '/', app: 'shop', ...route, took: timesOf([0.4, 1_000]) },
      { host: '*', path: '~^/a"b\\', app: '', ...route, took: timesOf([70_000, 2], [0.05, 998]) },
    ],
    commons: {
      clients: 3,
      connections: 9,
      commands: 1000,
      keys: 12,
      used: 4096,
      limit: 67_108_864,
      evicted: 2,
      expired: 5,
      hits: 700,
      misses: 50,
      rss: 60_000_000,
      uptimeMs: 1000,
      metrics: [],
      jobs: [{ queue: 'mail', waiting: 5, delayed: 2, running: 1, dead: 3, oldestMs: 4_500 }],
    },
    pools: {},
    boundsMs: BOUNDS_MS,
    ...more,
  }
}
