/** The live view of a site as lines of a terminal: like uwsgitop, with applications and pools above. Pure. */
import type { ServerHealth } from '../balance/health-report.ts'
import { countOf, meanOf, timesSince } from '../stats/histograms.ts'
import type { AppStatus, SiteStatus, WorkerStatus } from '../supervisor/status.ts'
import { serverState } from './pool-text.ts'
import { harmless, scaled, showMs, showQuantile, showTime } from './show.ts'

export const SORTS = ['activity', 'requests', 'memory', 'running', 'worker'] as const
export type Sort = (typeof SORTS)[number]

export interface View {
  readonly columns: number
  readonly rows: number
  readonly sort: Sort
  readonly reversed: boolean
  readonly color: boolean
  readonly host: string
  /** What went wrong when it was last asked; '' for nothing. */
  readonly trouble: string
  readonly time: Date
}

/** What was before, and how long ago. */
export interface Before {
  readonly status: SiteStatus
  readonly ms: number
}

interface Column<Row> {
  readonly title: string
  /** The larger, the sooner it goes where the terminal is narrow; 0: never. */
  readonly spare: number
  readonly left?: true
  cell(row: Row): string
}

const LONGEST_STATE = 50

type Paint = 'plain' | 'head' | 'busy' | 'bad' | 'dim'

const SGR: Readonly<Record<Paint, string>> = {
  plain: '',
  head: '\x1b[7m',
  busy: '\x1b[32m',
  bad: '\x1b[31m',
  dim: '\x1b[2m',
}

interface AppRow {
  readonly name: string
  readonly app: AppStatus
  /** In the time since the last look; of all time at the first. */
  readonly rate: number
  readonly errorRate: number
  readonly served: AppStatus['served']
  readonly waited: AppStatus['waited']
}

interface ServerRow {
  readonly pool: string
  readonly server: ServerHealth
}

interface WorkerRow {
  readonly name: string
  readonly worker: WorkerStatus
  readonly rate: number
  /** Of its application's requests. */
  readonly share: number
  /** ms. */
  readonly mean: number
}

const APP_COLUMNS: readonly Column<AppRow>[] = [
  { title: 'APP', spare: 0, left: true, cell: ({ name }) => name },
  { title: 'STATE', spare: 4, left: true, cell: ({ app }) => app.state },
  { title: 'WORKERS', spare: 3, cell: ({ app }) => `${app.connected}` },
  { title: 'BUSY', spare: 2, cell: ({ app }) => `${app.busy}` },
  { title: 'QUEUE', spare: 0, cell: ({ app }) => `${app.waiting}` },
  { title: 'REQ', spare: 6, cell: ({ app }) => count(app.requests) },
  { title: 'RPS', spare: 0, cell: ({ rate }) => perSecond(rate) },
  { title: 'ERR/S', spare: 5, cell: ({ errorRate }) => perSecond(errorRate) },
  { title: 'AVG', spare: 1, cell: ({ served }) => showMs(meanOf(served)) },
  { title: 'P50', spare: 7, cell: ({ served }) => showQuantile(served, 0.5) },
  { title: 'P99', spare: 0, cell: ({ served }) => showQuantile(served, 0.99) },
  {
    title: 'WAIT P99',
    spare: 8,
    cell: ({ waited }) => (countOf(waited) === 0 ? '-' : showQuantile(waited, 0.99)),
  },
  {
    title: 'RSS',
    spare: 9,
    cell: ({ app }) => size(app.workers.reduce((sum, { rss }) => sum + rss, 0)),
  },
  { title: 'RESPWN', spare: 10, cell: ({ app }) => `${app.restarts}` },
]

const SERVER_COLUMNS: readonly Column<ServerRow>[] = [
  { title: 'POOL', spare: 2, left: true, cell: ({ pool }) => pool },
  { title: 'SERVER', spare: 0, left: true, cell: ({ server }) => server.server },
  { title: 'WEIGHT', spare: 4, cell: ({ server }) => `${server.effective}` },
  { title: 'IN HAND', spare: 1, cell: ({ server }) => `${server.active}` },
  {
    title: 'CHECK',
    spare: 3,
    cell: ({ server }) => (server.checks === 0 ? '-' : showMs(server.lastMs)),
  },
  // In full it would push the others out of most terminals: `portico pool` has it.
  {
    title: 'STATE',
    spare: 0,
    left: true,
    cell: ({ server }) => serverState(server).slice(0, LONGEST_STATE),
  },
]

const WORKER_COLUMNS: readonly Column<WorkerRow>[] = [
  { title: 'WID', spare: 0, left: true, cell: ({ name, worker }) => `${name}:${worker.slot}` },
  { title: '%', spare: 9, cell: ({ share }) => (share * 100).toFixed(1) },
  { title: 'PID', spare: 2, cell: ({ worker }) => `${worker.pid}` },
  { title: 'REQ', spare: 3, cell: ({ worker }) => count(worker.requests) },
  { title: 'RPS', spare: 0, cell: ({ rate }) => perSecond(rate) },
  { title: 'EXC', spare: 7, cell: ({ worker }) => count(worker.errors) },
  { title: 'STATUS', spare: 4, left: true, cell: ({ worker }) => stateOf(worker) },
  { title: 'AVG', spare: 0, cell: ({ mean }) => showMs(mean) },
  { title: 'RSS', spare: 1, cell: ({ worker }) => size(worker.rss) },
  { title: 'VSZ', spare: 13, cell: ({ worker }) => size(worker.vsz) },
  { title: 'TX', spare: 12, cell: ({ worker }) => size(worker.sent) },
  { title: 'RESPWN', spare: 8, cell: ({ worker }) => `${worker.restarts}` },
  { title: 'CPU', spare: 11, cell: ({ worker }) => showTime(worker.cpuMs) },
  { title: 'RUNT', spare: 10, cell: ({ worker }) => showTime(worker.runMs) },
  { title: 'AGE', spare: 6, cell: ({ worker }) => showTime(worker.uptimeMs) },
]

/** Exactly as many lines as fit, none wider than the terminal. */
export function drawScreen(status: SiteStatus, before: Before | null, view: View): string[] {
  const apps = appRows(status, before)
  const servers = serverRows(status)
  const workers = sorted(workerRows(status, before), view)
  const paint = painter(view)
  const lines = [
    paint(summary(status, before, view), 'plain'),
    paint(place(status, view), view.trouble === '' ? 'dim' : 'bad'),
  ]
  const foot = paint(footer(view), 'dim')
  const room = Math.max(0, view.rows - lines.length - 1)
  // Each may take half of what is left where another follows.
  const part = (left: number, follows: number): number =>
    follows === 0 ? left : Math.max(2, Math.ceil(left / 2))
  const appRoom = part(room, servers.length + workers.length)
  const above = grid(APP_COLUMNS, apps, view, appRoom, ({ app }) =>
    app.state === 'broken' ? 'bad' : app.busy > 0 ? 'busy' : 'plain',
  )
  const serverRoom = part(room - above.length, workers.length)
  const between = grid(SERVER_COLUMNS, servers, view, serverRoom, ({ server }) =>
    server.verdict === 'down' ? 'bad' : server.active > 0 ? 'busy' : 'plain',
  )
  const workerRoom = room - above.length - between.length
  const below = grid(WORKER_COLUMNS, workers, view, workerRoom, ({ worker }) =>
    worker.inHand > 0 ? 'busy' : 'plain',
  )
  return [...lines, ...above, ...between, ...below, foot].slice(-Math.max(1, view.rows))
}

function summary(status: SiteStatus, before: Before | null, view: View): string {
  const { totals } = status
  const rps = rateOf(totals.requests.total, before?.status.totals.requests.total, before)
  const tx = rateOf(totals.bytes.sent, before?.status.totals.bytes.sent, before)
  const queue = Object.values(status.apps).reduce((sum, { waiting }) => sum + waiting, 0)
  const time = view.time.toTimeString().slice(0, 8)
  return `portico-${status.version} - ${time} - req: ${totals.requests.total} - RPS: ${perSecond(rps)} - lq: ${queue} - tx: ${size(tx)}/s - active: ${totals.requests.active} - conn: ${totals.connections.open}`
}

function place(status: SiteStatus, view: View): string {
  if (view.trouble !== '') return view.trouble
  const old = status.draining.length === 0 ? '' : ` (finishing ${status.draining.join(', ')})`
  return `node: ${view.host} - ${status.phase}, generation ${status.generation}${old} - up ${showTime(status.uptimeMs)} - masterpid: ${status.pid} - server: ${size(status.totals.memory.rss)} - ${status.site}`
}

function footer({ sort, reversed }: View): string {
  return `q quit  s sort: ${sort}${reversed ? ', reversed' : ''}  r reverse`
}

function appRows(status: SiteStatus, before: Before | null): AppRow[] {
  return Object.entries(status.apps).map(([name, app]) => {
    const old = before?.status.apps[name]
    return {
      name,
      app,
      rate: rateOf(app.requests, old?.requests, before),
      errorRate: rateOf(app.errors, old?.errors, before),
      served: timesSince(app.served, old?.served),
      waited: timesSince(app.waited, old?.waited),
    }
  })
}

function serverRows({ pools }: SiteStatus): ServerRow[] {
  return Object.entries(pools).flatMap(([pool, { servers }]) =>
    servers.map((server): ServerRow => ({ pool, server })),
  )
}

function workerRows(status: SiteStatus, before: Before | null): WorkerRow[] {
  return Object.entries(status.apps).flatMap(([name, app]) => {
    const total = app.workers.reduce((sum, { requests }) => sum + requests, 0)
    return app.workers.map((worker): WorkerRow => {
      const seen = before?.status.apps[name]?.workers.find(({ pid }) => pid === worker.pid)
      const requests = worker.requests - (seen?.requests ?? 0)
      const runMs = worker.runMs - (seen?.runMs ?? 0)
      return {
        name,
        worker,
        rate: rateOf(worker.requests, seen?.requests, before),
        share: total === 0 ? 0 : worker.requests / total,
        mean: requests > 0 ? runMs / requests : 0,
      }
    })
  })
}

const ORDER: Readonly<Record<Sort, (a: WorkerRow, b: WorkerRow) => number>> = {
  activity: (a, b) => b.rate - a.rate || b.worker.requests - a.worker.requests,
  requests: (a, b) => b.worker.requests - a.worker.requests,
  memory: (a, b) => b.worker.rss - a.worker.rss,
  running: (a, b) => b.worker.runMs - a.worker.runMs,
  worker: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.worker.slot - b.worker.slot),
}

function sorted(rows: WorkerRow[], { sort, reversed }: View): WorkerRow[] {
  rows.sort(ORDER[sort])
  return reversed ? rows.reverse() : rows
}

/** Per second since the last look; what counts anew has no past. 0 at the first look. */
function rateOf(now: number, then: number | undefined, before: Before | null): number {
  if (before === null || then === undefined || before.ms <= 0) return 0
  return Math.max(0, ((now < then ? now : now - then) * 1000) / before.ms)
}

function stateOf({ inHand }: WorkerStatus): string {
  return inHand === 0 ? 'idle' : inHand === 1 ? 'busy' : `busy ${inHand}`
}

/** A table of at most `room` lines with its head; columns that do not fit are left out. */
function grid<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  view: View,
  room: number,
  colorOf: (row: Row) => Paint,
): string[] {
  if (rows.length === 0 || room < 2) return []
  const shown = rows.slice(0, rows.length < room ? room - 1 : room - 2)
  let fitting = columns.map((column) => ({ column, cells: shown.map((row) => column.cell(row)) }))
  const widthOf = ({ column, cells }: (typeof fitting)[number]): number =>
    Math.max(column.title.length, ...cells.map((cell) => cell.length))
  const total = (): number => fitting.reduce((sum, one) => sum + widthOf(one) + 1, 0)
  while (total() > view.columns) {
    const next = Math.max(...fitting.map(({ column }) => column.spare))
    if (next === 0) break
    fitting = fitting.filter(({ column }) => column.spare !== next)
  }
  const line = (cell: (one: (typeof fitting)[number]) => string): string =>
    ` ${fitting
      .map((one) => {
        const width = widthOf(one)
        return one.column.left ? cell(one).padEnd(width) : cell(one).padStart(width)
      })
      .join(' ')}`
  const paint = painter(view)
  const head = paint(line(({ column }) => column.title).padEnd(view.columns), 'head')
  const body = shown.map((row, i) =>
    paint(
      line(({ cells }) => cells[i]!),
      colorOf(row),
    ),
  )
  const left = rows.length - shown.length
  return [head, ...body, ...(left > 0 ? [paint(` … ${left} more`, 'dim')] : [])]
}

/** Cuts to the terminal's width, then colours: an escape sequence has no width. */
function painter({ columns, color }: View): (text: string, paint: Paint) => string {
  return (text, paint) => {
    const cut = harmless(text).slice(0, columns)
    return color && SGR[paint] !== '' ? `${SGR[paint]}${cut}\x1b[0m` : cut
  }
}

/** As uwsgitop writes sizes. */
function size(bytes: number): string {
  return scaled(bytes, ['', 'K', 'M', 'G', 'T'])
}

function count(value: number): string {
  return value < 10_000_000 ? `${value}` : `${(value / 1_000_000).toFixed(1)}M`
}

function perSecond(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : `${Math.round(value)}`
}
