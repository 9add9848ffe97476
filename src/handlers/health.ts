/**
 * Answers health checks by what the server thread knows: no queue and no worker is in the way. 200 when
 * the applications run, have workers and their queues have room; else 503, with which has not and why.
 */
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import type { HealthPlan } from '../site/plan.ts'

/** What is known of one application. */
export interface Health {
  readonly state: 'starting' | 'running' | 'asleep' | 'broken'
  /** Linked to this thread. */
  readonly workers: number
  /** It may have none: the next request starts one. */
  readonly sleeps: boolean
  /** Requests in the queue of each thread, and how many may be there. */
  readonly waiting: readonly number[]
  readonly queue: number
}

export interface HealthHost {
  /** The site is being stopped. */
  readonly leaving: boolean
  health(app: string): Health
}

const FIELDS = 'Content-Type: application/json\r\nCache-Control: no-store\r\n'
const WELL: AnswerHead = { status: 200, reason: '', fields: FIELDS, has: 0 }
const ILL: AnswerHead = { ...WELL, status: 503, fields: `${FIELDS}Retry-After: 1\r\n` }

export function health({ apps, leave }: HealthPlan, host: HealthHost): Handler {
  return {
    name: 'health',
    handle(exchange: Exchange): void {
      const { method } = exchange.line
      if (method !== 'GET' && method !== 'HEAD') {
        return exchange.fail(new PorticoError('METHOD_NOT_ALLOWED', method))
      }
      const why: string[] = leave && host.leaving ? ['the site is being stopped'] : []
      const told: Record<string, object> = {}
      for (const name of apps) {
        const { state, workers, sleeps, waiting, queue } = host.health(name)
        const trouble = troubleOf(state, workers, sleeps, waiting, queue)
        if (trouble !== '') why.push(`${name}: ${trouble}`)
        const sum = waiting.reduce((total, each) => total + each, 0)
        told[name] = { state, workers, waiting: sum }
      }
      const well = why.length === 0
      const body = {
        status: well ? 'ok' : 'unavailable',
        ...(well ? {} : { why }),
        ...(apps.length === 0 ? {} : { apps: told }),
      }
      exchange.respond(well ? WELL : ILL, Buffer.from(`${JSON.stringify(body)}\n`))
    },
  }
}

function troubleOf(
  state: Health['state'],
  workers: number,
  sleeps: boolean,
  waiting: readonly number[],
  queue: number,
): string {
  if (state === 'broken') return 'it did not load'
  if (state === 'starting') return 'it is starting'
  if (workers === 0 && !sleeps && state !== 'asleep') return 'it has no worker'
  // Where none may wait at all, one that does is already an urgent one.
  if (queue > 0 && waiting.some((each) => each >= queue)) return 'its queue is full'
  return ''
}
