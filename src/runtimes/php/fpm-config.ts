/** The configuration of an application's own php-fpm. Pure. */
import { join } from 'node:path'
import type { PhpAppPlan } from '../../site/plan.ts'
import type { ServicePlace } from '../service.ts'
import { lines } from './ini.ts'

/** Longer lines of workers arrive in pieces, characters. */
const LONGEST_LINE = 16_384
/** A worker is replaced after so many requests: what extensions leak does not add up for ever. */
const REQUESTS_EACH = 10_000
/** php-fpm lets its workers finish; how long they may take, the supervisor says. Seconds. */
const FINISH_SECONDS = 86_400

export const SLOW_LOG = 'slow.log'

/** Seconds after which php-fpm logs the stack of a request: when its first deadline has just passed. */
export function slowSeconds(deadlineMs: number): number {
  return Math.floor(deadlineMs / 1000) + 1
}

export function fpmConfig(app: PhpAppPlan, place: ServicePlace): string {
  const global = {
    // It logs to stderr (-O), but insists on being able to open a file.
    error_log: '/dev/null',
    daemonize: 'no',
    log_limit: String(LONGEST_LINE),
    process_control_timeout: String(FINISH_SECONDS),
  }
  const pool = {
    listen: place.socket,
    'listen.mode': '0600',
    'listen.backlog': String(place.backlog),
    ...(place.becomes === '' ? {} : { user: place.becomes }),
    ...processes(app),
    'pm.max_requests': String(app.recycle?.requests || REQUESTS_EACH),
    catch_workers_output: 'yes',
    // The environment is the one that it is started with, which holds what the application shall see.
    clear_env: 'no',
    'security.limit_extensions': '.php',
    ...(place.slowMs === 0
      ? {}
      : {
          request_slowlog_timeout: String(slowSeconds(place.slowMs)),
          slowlog: join(place.folder, SLOW_LOG),
        }),
  }
  const sections = [`[global]\n${lines(global)}`, `[app]\n${lines(pool)}`]
  if (place.slowMs !== 0) sections.push(`[pulse]\n${lines(pulse(place))}`)
  return sections.join('\n')
}

/** Its process manager. Idle workers are what it counts. */
function processes({ workers, scale }: PhpAppPlan): Record<string, string> {
  const most = { 'pm.max_children': String(workers) }
  // All of them from the start: nobody waits for a fork.
  if (scale === undefined) return { pm: 'static', ...most }
  if (scale.min === 0) {
    const seconds = Math.max(1, Math.round(scale.idleMs / 1000))
    return { pm: 'ondemand', ...most, 'pm.process_idle_timeout': `${seconds}s` }
  }
  const spare = Math.min(scale.spare, workers)
  const resting = Math.max(scale.min, spare)
  return {
    pm: 'dynamic',
    ...most,
    'pm.start_servers': String(resting),
    'pm.min_spare_servers': String(spare),
    'pm.max_spare_servers': String(resting),
  }
}

/**
 * php-fpm looks for slow requests three times in the shortest timeout of all its pools: for a deadline
 * of a minute that is every 20 s. This pool never has a process; its timeout makes that 0.3 s.
 */
function pulse(place: ServicePlace): Record<string, string> {
  return {
    listen: join(place.folder, 'pulse'),
    'listen.mode': '0600',
    ...(place.becomes === '' ? {} : { user: place.becomes }),
    pm: 'ondemand',
    'pm.max_children': '1',
    request_terminate_timeout: '1',
  }
}
