/**
 * The status in the form of uWSGI's stats server, for uwsgitop and the exporters that read it. Pure. Keys and
 * types are those of uWSGI 2.0 (core/master_utils.c, `uwsgi_master_generate_stats`); times are microseconds,
 * but `last_spawn` and `request_start`, which are seconds since 1970.
 */

import type { AppStatus, RequestsStatus, SiteStatus, WorkerStatus } from '../supervisor/status.ts'
import { processFacts } from '../system/process-facts.ts'
import { meanOf } from './histograms.ts'

/** Requests of one worker that are listed. */
const MOST_CORES = 1_000

type InHand = RequestsStatus['requests'][number]

interface UwsgiCore {
  readonly id: number
  readonly requests: number
  readonly static_requests: number
  readonly routed_requests: number
  readonly offloaded_requests: number
  readonly write_errors: number
  readonly read_errors: number
  readonly in_request: 0 | 1
  readonly vars: readonly string[]
  readonly req_info: { readonly request_start?: number }
}

interface UwsgiWorker {
  readonly id: number
  readonly pid: number
  readonly accepting: 0 | 1
  readonly requests: number
  readonly delta_requests: number
  readonly exceptions: number
  readonly harakiri_count: number
  readonly signals: number
  readonly signal_queue: number
  readonly status: 'idle' | 'busy'
  readonly rss: number
  readonly vsz: number
  readonly running_time: number
  readonly last_spawn: number
  readonly respawn_count: number
  readonly tx: number
  readonly avg_rt: number
  readonly apps: readonly object[]
  readonly cores: readonly UwsgiCore[]
}

export interface UwsgiStats {
  readonly version: string
  readonly listen_queue: number
  readonly listen_queue_errors: number
  readonly signal_queue: number
  readonly load: number
  readonly pid: number
  readonly uid: number
  readonly gid: number
  readonly cwd: string
  readonly daemons?: readonly object[]
  readonly locks: readonly object[]
  readonly sockets: readonly object[]
  readonly workers: readonly UwsgiWorker[]
}

/** Who we are, as far as the status does not say. */
export interface Self {
  readonly uid: number
  readonly gid: number
  readonly cwd: string
  /** Seconds since 1970. */
  readonly now: number
}

export function uwsgiStats(status: SiteStatus, inHand: RequestsStatus, self: Self): UwsgiStats {
  const apps = Object.entries(status.apps)
  const workers: UwsgiWorker[] = []
  // Ids stay with their places, so that a reader who compares two answers compares the same worker.
  let first = 1
  for (const [name, app] of apps) {
    if (app.runs === 'workers') {
      for (const worker of app.workers) {
        const requests = inHand.requests.filter((one) => one.pid === worker.pid)
        workers.push(workerOf(first + worker.slot, name, worker, requests, self))
      }
    } else {
      const requests = inHand.requests.filter((one) => one.app === name)
      workers.push(wholeOf(first, name, app, status, requests, self))
    }
    first += Math.max(1, app.places)
  }
  const daemons = status.background.daemons.map(({ name, pid, restarts }) => ({
    cmd: name,
    pid,
    respawns: restarts,
  }))
  return {
    version: `portico-${status.version}`,
    listen_queue: apps.reduce((sum, [, { waiting }]) => sum + waiting, 0),
    listen_queue_errors: 0,
    signal_queue: 0,
    load: apps.reduce((sum, [, { busy }]) => sum + busy, 0),
    pid: status.pid,
    uid: self.uid,
    gid: self.gid,
    cwd: self.cwd,
    // As there: only where there are some.
    ...(daemons.length === 0 ? {} : { daemons }),
    locks: [],
    sockets: status.urls.map((url) => ({
      name: url.replace(/^[a-z]+:\/\//, '').replace(/\/$/, ''),
      proto: url.slice(0, url.indexOf(':')),
      queue: 0,
      max_queue: 0,
      shared: 0,
      can_offload: 0,
    })),
    workers,
  }
}

function workerOf(
  id: number,
  app: string,
  worker: WorkerStatus,
  inHand: readonly InHand[],
  self: Self,
): UwsgiWorker {
  return {
    id,
    pid: worker.pid,
    accepting: 1,
    requests: worker.requests,
    delta_requests: worker.own,
    exceptions: worker.errors,
    harakiri_count: worker.reasons.deadline ?? 0,
    signals: 0,
    signal_queue: 0,
    status: worker.inHand > 0 || inHand.length > 0 ? 'busy' : 'idle',
    rss: worker.rss,
    vsz: worker.vsz,
    running_time: Math.round(worker.runMs * 1000),
    last_spawn: Math.round(self.now - worker.uptimeMs / 1000),
    respawn_count: worker.restarts + 1,
    tx: worker.sent,
    avg_rt: worker.requests === 0 ? 0 : Math.round((worker.runMs * 1000) / worker.requests),
    apps: [appOf(app, worker.own, worker.errors)],
    cores: coresOf(worker.requests, inHand, self),
  }
}

/** An application whose workers are not told apart is one worker with as many cores. */
function wholeOf(
  id: number,
  name: string,
  app: AppStatus,
  status: SiteStatus,
  inHand: readonly InHand[],
  self: Self,
): UwsgiWorker {
  const pid = app.runs === 'threads' ? status.server.pid : app.parent
  const facts = processFacts(pid)
  const rss = app.workers.reduce((sum, worker) => sum + worker.rss, facts.rss)
  const { uptimeMs = status.uptimeMs } = app.workers[0] ?? {}
  return {
    id,
    pid,
    accepting: 1,
    requests: app.requests,
    delta_requests: app.requests,
    exceptions: app.errors,
    harakiri_count: app.reasons.deadline ?? 0,
    signals: 0,
    signal_queue: 0,
    status: app.busy > 0 || inHand.length > 0 ? 'busy' : 'idle',
    rss,
    vsz: facts.vsz,
    running_time: Math.round(app.served.sumMs * 1000),
    last_spawn: Math.round(self.now - uptimeMs / 1000),
    respawn_count: app.restarts + 1,
    tx: app.sent,
    avg_rt: Math.round(meanOf(app.served) * 1000),
    apps: [appOf(name, app.requests, app.errors)],
    cores: coresOf(app.requests, inHand, self),
  }
}

function appOf(name: string, requests: number, exceptions: number): object {
  return { id: 0, modifier1: 0, mountpoint: name, startup_time: 0, requests, exceptions, chdir: '' }
}

/** One for each request in hand, at least one; the first has the worker's count. */
function coresOf(requests: number, inHand: readonly InHand[], { now }: Self): UwsgiCore[] {
  const count = Math.min(Math.max(1, inHand.length), MOST_CORES)
  return Array.from({ length: count }, (_, id): UwsgiCore => {
    const request = inHand[id]
    return {
      id,
      requests: id === 0 ? requests : 0,
      static_requests: 0,
      routed_requests: 0,
      offloaded_requests: 0,
      write_errors: 0,
      read_errors: 0,
      in_request: request === undefined ? 0 : 1,
      vars: request === undefined ? [] : varsOf(request),
      req_info:
        request === undefined ? {} : { request_start: Math.round(now - request.ageMs / 1000) },
    }
  })
}

/** Without the query and the other fields, which may be secret. uWSGI's list ends in an empty one. */
function varsOf({ method, target, host, peer }: InHand): string[] {
  const path = target.split('?', 1)[0]!
  return [
    `REQUEST_METHOD=${method}`,
    `REQUEST_URI=${path}`,
    `PATH_INFO=${path}`,
    `HTTP_HOST=${host}`,
    `REMOTE_ADDR=${peer}`,
    '',
  ]
}
