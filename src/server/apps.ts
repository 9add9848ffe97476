/**
 * The applications of a site as one server thread serves them. What only some kinds need is loaded when
 * there is one: importing `handlers/fetch.ts` alone took 90 ms, from a warm compile cache on a busy machine.
 */
import { dirname } from 'node:path'
import type { Health } from '../handlers/health.ts'
import { AppCounts } from '../request/app-counts.ts'
import type { AppRoute } from '../request/app-route.ts'
import { shareBodies } from '../request/body.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import type { AppPlan } from '../site/plan.ts'
import { Claims } from '../transports/worker-link/claims.ts'
import { Dispatch, type DispatchHost } from '../transports/worker-link/dispatch.ts'
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
  handler(route: AppRoute): Handler
  /** What the supervisor says of its processes. */
  setStatus(status: AppState): void
  /** One of its workers has connected; null: it has none that do. */
  hello(link: WorkerLink, hello: Hello): LinkOwner | null
  /** No request goes to that worker any more; it ends after what it has in hand. */
  dismiss(slot: number, pid: number): void
  /** Called at each tick of the clock. */
  check(now: number): void
  /** Notes in shared memory what is in whose hands; called at each tick, too. */
  tally(): void
  /** What health checks are told. */
  health(): Health
  /** Every request in the hands of a worker that is known. */
  eachInHand(visit: (exchange: Exchange, slot: number, pid: number) => void): void
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
  /** A worker has a link to this thread. */
  linked(app: string, hello: Hello): void
}

export async function serveApp(
  plan: AppPlan,
  memory: AppMemory,
  start: ThreadStart,
  host: AppsHost,
): Promise<ServedApp> {
  const counts = AppCounts.of(memory.counts, start.thread, memory.slots)
  if (plan.kind === 'php') return phpApp(plan, memory, start, host, counts)
  if (plan.kind === 'node' && plan.run === 'threads') return threadApp(plan, memory, host, counts)
  if (plan.kind === 'container') {
    const { ContainerApp, containerHandler } = await import('../handlers/container.ts')
    const app = new ContainerApp(plan, start.spool, host, counts)
    return served(plan, memory, host, app, (route) => containerHandler(app, route), app)
  }
  const claims = new Claims(memory.claims, memory.slots, start.threads, start.thread)
  const own = start.quarters[plan.name]
  const spool = own?.spool ?? start.spool
  if (own !== undefined) shareBodies(spool)
  const dispatch = new Dispatch(plan, claims, own === undefined ? host : wary(host), counts)
  if (plan.kind !== 'node') {
    const { app } = await import('../handlers/app.ts')
    return served(plan, memory, host, dispatch, (route) => app(dispatch, spool, route), dispatch)
  }
  const { NodeApp, nodeHandler } = await import('../handlers/node.ts')
  const workers = new NodeApp(plan, dispatch, spool, host)
  return served(plan, memory, host, workers, (route) => nodeHandler(workers, route), workers)
}

/** What another user's process, or one within walls, calls a file may be one that only we can read. */
function wary(host: AppsHost): AppsHost {
  return { ...host, sendFile: (_job, _file, opened) => opened(false) }
}

async function phpApp(
  plan: Extract<AppPlan, { kind: 'php' }>,
  memory: AppMemory,
  start: ThreadStart,
  host: AppsHost,
  counts: AppCounts,
): Promise<ServedApp> {
  const [{ php }, { Gate }, { Seats }] = await Promise.all([
    import('../handlers/php.ts'),
    import('../handlers/php/gate.ts'),
    import('../handlers/php/seats.ts'),
  ])
  const socket = serviceSocket(
    dirname(start.linkPath),
    start.plan,
    plan.name,
    start.quarters[plan.name] ?? null,
  )
  const seats = new Seats(memory.claims, plan.workers, start.threads, start.thread, plan.name)
  const gate = new Gate(plan, socket, seats, host, counts)
  return served(plan, memory, host, gate, (route) => php(plan, gate, start.spool, route), gate)
}

async function threadApp(
  plan: Extract<AppPlan, { kind: 'node' }>,
  memory: AppMemory,
  host: AppsHost,
  counts: AppCounts,
): Promise<ServedApp> {
  const [{ fetchHandler, ThreadApp }, { surviveStrayErrors }] = await Promise.all([
    import('../handlers/fetch.ts'),
    import('../handlers/fetch/stray-errors.ts'),
  ])
  // An application's stray error is no reason to end the site; one of ours is.
  surviveStrayErrors(host.complain)
  const app = new ThreadApp(plan, host.dev, counts, host.slow)
  const detail = await app.load()
  if (detail !== '') host.broken(plan.name, detail)
  return served(plan, memory, host, app, (route) => fetchHandler(app, route), {
    // It has no workers, and runs or does not since the server began.
    health: () => ({
      state: detail === '' ? 'running' : 'broken',
      workers: 0,
      sleeps: true,
      waiting: [],
      queue: 0,
    }),
    check: (now) => app.check(now),
    drain: () => app.drain(),
    finished: () => app.settled(),
  })
}

/** What an application may have to do with its thread's life; what it leaves out does not concern it. */
type Life = Partial<Omit<ServedApp, 'facts' | 'handler'>>

function served(
  plan: AppPlan,
  memory: AppMemory,
  host: AppsHost,
  facts: Facts,
  handler: ServedApp['handler'],
  life: Life,
): ServedApp {
  let state: AppState['state'] = 'starting'
  return {
    facts,
    handler,
    setStatus: (status) => {
      state = status.state
      life.setStatus?.(status)
    },
    health:
      life.health ??
      (() => ({
        state,
        workers: facts.workers,
        sleeps: plan.scale?.min === 0,
        waiting: AppCounts.waiting(memory.counts, memory.slots),
        queue: plan.queue,
      })),
    hello: (link, hello) => {
      const owner = hello.slot < memory.slots ? life.hello?.(link, hello) : undefined
      if (owner === undefined || owner === null) return null
      host.linked(plan.name, hello)
      return owner
    },
    dismiss: (slot, pid) => life.dismiss?.(slot, pid),
    check: (now) => life.check?.(now),
    tally: () => {
      facts.counts.now(facts.waiting, facts.busy, facts.workers)
      life.tally?.()
    },
    eachInHand: (visit) => life.eachInHand?.(visit),
    drain: () => life.drain?.(),
    close: () => life.close?.(),
    finished: async () => life.finished?.(),
  }
}
