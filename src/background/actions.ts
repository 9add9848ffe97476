/** Does what a task is for. Nothing here throws: what goes wrong is the outcome of the run. */
import type { ActionPlan, TaskPlan } from '../site/background-plan.ts'
import { showDuration } from '../site/units.ts'
import type { RoleEnd } from '../supervisor/roles.ts'
import { said } from '../supervisor/said.ts'
import type { Credentials } from '../system/users.ts'
import { CommandProcess, showEnd } from './command-process.ts'
import type { JobOrder } from './enqueue.ts'
import { get } from './get.ts'
import type { Begin, Outcome, Run, RunOutput } from './task.ts'

/** What is told to end because of its time may take so long for it, ms. */
const KILL_AFTER_MS = 5_000

/** What calls, requests and the like need of the site. */
export interface SiteHands {
  readonly credentials: Credentials | null
  /** Rejects with the reason when the application cannot be called. */
  call(app: string, role: CallRole, timeoutMs: number): Promise<RoleEnd>
  /** Where it listens for plain HTTP; null: nowhere. */
  readonly front: Front | null
  /** Of one application; '' for the site. */
  reload(why: string, app: string): Promise<Outcome>
  /** Resolves with the job's id. */
  enqueue(order: JobOrder): Promise<string>
  /** Runs what waits for a signal of that name. */
  signal(name: string): void
}

export interface CallRole {
  readonly kind: 'call'
  readonly target: string
  readonly declared: boolean
  readonly arguments: readonly string[]
  /** For its lines in the log. */
  readonly task: string
  readonly run: string
  readonly [fact: string]: unknown
}

export type Front =
  | { readonly host: string; readonly port: number }
  | { readonly socketPath: string }

/** `site` is asked at the beginning of each run: a reload may have changed it. */
export function beginner(site: () => SiteHands): Begin {
  return (plan, output) => {
    try {
      return begin(plan, output, site())
    } catch (error) {
      return finished({ ok: false, how: said(error) })
    }
  }
}

function begin(plan: TaskPlan, output: RunOutput, site: SiteHands): Run {
  const { action, timeoutMs } = plan
  switch (action.kind) {
    case 'run':
      return command(action, timeoutMs, output, site.credentials)
    case 'call': {
      const { app, target, declared, argument } = action
      const about = { task: plan.name, run: output.id }
      const given = argument === '' ? [] : [argument]
      const role = { kind: 'call', target, declared, arguments: given, ...about } as const
      return promised(site.call(app, role, timeoutMs).then((end) => called(end, timeoutMs)))
    }
    case 'get': {
      const stopped = new AbortController()
      return {
        done: get(action, site.front, timeoutMs, stopped.signal, output.line),
        stop: async () => stopped.abort(),
      }
    }
    case 'job':
      return promised(site.enqueue(action).then((id) => ({ ok: true, how: `job ${id}` })))
    case 'signal':
      site.signal(action.signal)
      return finished({ ok: true, how: 'sent' })
    case 'reload':
      return promised(site.reload(`task ${plan.name}`, action.app))
  }
}

function command(
  { command }: Extract<ActionPlan, { kind: 'run' }>,
  timeoutMs: number,
  output: RunOutput,
  credentials: Credentials | null,
): Run {
  const process = new CommandProcess(command, credentials, output.line)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    void process.stop('SIGTERM', KILL_AFTER_MS)
  }, timeoutMs)
  if (timeoutMs === 0) clearTimeout(timer)
  const done = process.ended.then((end): Outcome => {
    clearTimeout(timer)
    if (timedOut) return { ok: false, how: `timed out after ${showDuration(timeoutMs)}` }
    return { ok: end.code === 0, how: showEnd(end) }
  })
  return { done, stop: () => process.stop('SIGTERM', KILL_AFTER_MS) }
}

function called({ code, signal, timedOut }: RoleEnd, timeoutMs: number): Outcome {
  if (timedOut) return { ok: false, how: `timed out after ${showDuration(timeoutMs)}` }
  return { ok: code === 0, how: signal === null ? `exit code ${code}` : `signal ${signal}` }
}

/** What has no process of its own to end: it goes with the application, or by itself. */
function promised(done: Promise<Outcome>): Run {
  return {
    done: done.catch((error: unknown) => ({ ok: false, how: said(error) })),
    async stop() {},
  }
}

function finished(outcome: Outcome): Run {
  return promised(Promise.resolve(outcome))
}
