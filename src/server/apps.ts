/**
 * The applications of a site as one server thread serves them. What only some kinds need is loaded when
 * there is one: importing `handlers/fetch.ts` alone took 90 ms, from a warm compile cache on a busy machine.
 */
import { dirname } from 'node:path'
import type { Handler } from '../request/exchange.ts'
import type { AppPlan } from '../site/plan.ts'
import { Claims } from '../transports/worker-link/claims.ts'
import { type AppCounts, Dispatch, type DispatchHost } from '../transports/worker-link/dispatch.ts'
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import type { AppMemory, ThreadStart } from './messages.ts'
import type { AppState } from './protocol.ts'
import { serviceSocket } from './service-socket.ts'

/** One application in one thread. Counts only grow; the others are what is now. */
interface Facts {
  readonly counts: AppCounts
  readonly waiting: number
  readonly busy: number
  readonly workers: number
}

export interface ServedApp {
  readonly facts: Facts
  handler(): Handler
  /** What the supervisor says of its processes. */
  setStatus(status: AppState): void
  /** One of its workers has connected; null: it has none that do. */
  hello(link: WorkerLink, hello: Hello): LinkOwner | null
  /** Called at each tick of the clock. */
  check(now: number): void
  /** The server drains: what would never end is ended. */
  drain(): void
  close(): void
  /** Resolves when what it does after its answers is done. */
  finished(): Promise<unknown>
}

export interface AppsHost extends DispatchHost {
  /** A line for our log. */
  complain(message: string): void
  /** An application that runs in this thread did not load. */
  broken(app: string, detail: string): void
}

export async function serveApp(
  plan: AppPlan,
  memory: AppMemory,
  start: ThreadStart,
  host: AppsHost,
): Promise<ServedApp> {
  if (plan.kind === 'php') return phpApp(plan, memory, start, host)
  if (plan.kind === 'node' && plan.run === 'threads') return threadApp(plan, host)
  const claims = new Claims(memory.claims, memory.slots, start.threads, start.thread)
  const dispatch = new Dispatch(plan, claims, host)
  if (plan.kind !== 'node') {
    const { app } = await import('../handlers/app.ts')
    return served(dispatch, () => app(dispatch, start.spool), dispatch)
  }
  const { NodeApp, nodeHandler } = await import('../handlers/node.ts')
  const workers = new NodeApp(plan, dispatch, start.spool, host)
  return served(workers, () => nodeHandler(workers), workers)
}

async function phpApp(
  plan: Extract<AppPlan, { kind: 'php' }>,
  memory: AppMemory,
  start: ThreadStart,
  host: AppsHost,
): Promise<ServedApp> {
  const [{ php }, { Gate }, { Seats }] = await Promise.all([
    import('../handlers/php.ts'),
    import('../handlers/php/gate.ts'),
    import('../handlers/php/seats.ts'),
  ])
  const socket = serviceSocket(dirname(start.linkPath), start.plan, plan.name)
  const seats = new Seats(memory.claims, plan.workers, start.threads, start.thread, plan.name)
  const gate = new Gate(plan, socket, seats, host)
  return served(gate, () => php(plan, gate, start.spool), gate)
}

async function threadApp(
  plan: Extract<AppPlan, { kind: 'node' }>,
  host: AppsHost,
): Promise<ServedApp> {
  const [{ fetchHandler, ThreadApp }, { surviveStrayErrors }] = await Promise.all([
    import('../handlers/fetch.ts'),
    import('../handlers/fetch/stray-errors.ts'),
  ])
  // An application's stray error is no reason to end the site; one of ours is.
  surviveStrayErrors(host.complain)
  const app = new ThreadApp(plan, host.dev)
  const detail = await app.load()
  if (detail !== '') host.broken(plan.name, detail)
  return served(app, () => fetchHandler(app), {
    check: (now) => app.check(now),
    drain: () => app.drain(),
    finished: () => app.settled(),
  })
}

/** What an application may have to do with its thread's life; what it leaves out does not concern it. */
type Life = Partial<Omit<ServedApp, 'facts' | 'handler'>>

function served(facts: Facts, handler: () => Handler, life: Life): ServedApp {
  return {
    facts,
    handler,
    setStatus: (status) => life.setStatus?.(status),
    hello: (link, hello) => life.hello?.(link, hello) ?? null,
    check: (now) => life.check?.(now),
    drain: () => life.drain?.(),
    close: () => life.close?.(),
    finished: async () => life.finished?.(),
  }
}
