/** `retry`, `passive`, `breaker`, `queue`, `slow-start`, `hedge` and `sorry` of a pool → the Plan's. */
import { readFileSync } from 'node:fs'
import { type Drawing, existingFile } from './drawing.ts'
import { nearest } from './nearest.ts'
import type { PoolPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import type {
  BreakerPlan,
  FailurePlan,
  HedgePlan,
  QueuePlan,
  ResiliencePlan,
  RetryPlan,
  SorryPlan,
  Trouble,
} from './resilience-plan.ts'
import {
  poolResilience,
  type ResilienceSettings,
  type RestSettings,
  TROUBLE_WORDS,
} from './settings/pool-resilience.ts'
import { nodeAt } from './tree.ts'
import { parseDuration } from './units.ts'

/** A page that is kept in memory, bytes. */
const LONGEST_PAGE = 1024 * 1024

const LATEST_HEDGE_MS = 3_600_000

/** What nginx calls them. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  error: 'closed',
  invalid_header: 'garbage',
  non_idempotent: 'unsafe: true',
}

type Pool = Pick<PoolPlan, 'schedule' | 'servers'>

/** What connections have as well: see stream/pool.ts. */
const FOR_CONNECTIONS: readonly string[] = ['passive', 'queue', 'slow-start']

/** Of a pool that only listeners without HTTP use: what is for requests does nothing there. */
export function judgeWithoutRequests(drawing: Drawing, base: KeyPath): void {
  for (const key of Object.keys(poolResilience)) {
    if (FOR_CONNECTIONS.includes(key)) continue
    if (nodeAt(drawing.root, [...base, key]) === undefined) continue
    const message = `${quote(key)} is for requests over HTTP, and no route leads to this pool`
    drawing.report.warning([...base, key], message, { key: true })
  }
}

/** Undefined where the pool says nothing of it. */
export function drawResilience(
  drawing: Drawing,
  base: KeyPath,
  settings: ResilienceSettings,
  pool: Pool,
): ResiliencePlan | undefined {
  const { retry, passive, breaker, queue, hedge, sorry } = settings
  const slowStartMs = settings['slow-start']
  const parts = [retry, passive, breaker, queue, hedge, sorry]
  if (slowStartMs === 0 && parts.every((part) => part === undefined)) return undefined
  if (queue !== undefined) judgeQueue(drawing, [...base, 'queue'], pool)
  const rest = (key: string, from: RestSettings): BreakerPlan =>
    drawRest(drawing, [...base, key], from)
  return {
    retry: retry === undefined ? null : drawRetry(drawing, [...base, 'retry'], retry),
    passive: passive === undefined ? null : { ...rest('passive', passive), most: passive.most },
    breaker:
      breaker === undefined ? null : { ...rest('breaker', breaker), pending: breaker.pending },
    queue: queue === undefined ? null : drawQueue(queue),
    slowStartMs,
    hedge: hedge === undefined ? null : drawHedge(drawing, [...base, 'hedge'], hedge),
    sorry: sorry === undefined ? null : drawSorry(drawing, [...base, 'sorry'], sorry),
  }
}

type Settings<Key extends keyof ResilienceSettings> = NonNullable<ResilienceSettings[Key]>

function drawRetry(drawing: Drawing, path: KeyPath, settings: Settings<'retry'>): RetryPlan {
  const { on, tries, time, each, budget, unsafe, body } = settings
  return {
    on: drawOn(drawing, [...path, 'on'], on),
    tries,
    timeMs: time,
    eachMs: each,
    budget,
    unsafe,
    body,
  }
}

function drawRest(drawing: Drawing, path: KeyPath, settings: RestSettings): BreakerPlan {
  const { on, failures, share, window, least, rest, longest } = settings
  if (longest < rest && nodeAt(drawing.root, [...path, 'longest']) !== undefined) {
    drawing.report.problem([...path, 'longest'], 'shorter than `rest`')
  }
  return {
    on: drawOn(drawing, [...path, 'on'], on),
    failures,
    share,
    windowMs: window,
    least,
    restMs: rest,
    longestMs: longest,
  }
}

function drawOn(drawing: Drawing, path: KeyPath, words: readonly string[]): FailurePlan {
  const troubles: Trouble[] = []
  const statuses: number[] = []
  const isList = nodeAt(drawing.root, path)?.kind === 'list'
  for (const [index, word] of words.entries()) {
    const trouble = TROUBLE_WORDS.find((each) => each === word)
    const status = /^(?:http_)?([1-5]\d\d)$/.exec(word)?.[1]
    if (trouble !== undefined) troubles.push(trouble)
    else if (status !== undefined && Number(status) >= 200) statuses.push(Number(status))
    else {
      const meant = OTHER_WORDS[word] ?? nearest(word, TROUBLE_WORDS)
      const expected = `${TROUBLE_WORDS.join(', ')}, or a status such as 503`
      const hint = meant === '' ? { expected } : { nearest: meant }
      const at = isList ? [...path, index] : path
      drawing.report.problem(at, `no such failure: ${quote(word)}`, hint)
    }
  }
  return { troubles, statuses }
}

function drawQueue({ size, timeout }: Settings<'queue'>): QueuePlan {
  return { size, timeoutMs: timeout }
}

/** Whoever waits gets a place at any server. */
function judgeQueue(drawing: Drawing, path: KeyPath, { schedule, servers }: Pool): void {
  if (servers.length > 0 && servers.every(({ maxConnections }) => maxConnections === 0)) {
    const message = 'no server of this pool is ever full'
    const expected = 'a server with max-connections'
    drawing.report.problem(path, message, { expected, key: true })
  }
  const strict = ['sh', 'dh', 'mh'].includes(schedule.by) && !schedule.fallback
  if (strict || schedule.by === 'ovf') {
    const message = `with ${quote(schedule.by)} a request has one server only, so it cannot wait for another one’s place`
    drawing.report.problem(path, message, { expected: 'fallback: true', key: true })
  }
}

function drawHedge(drawing: Drawing, path: KeyPath, settings: Settings<'hedge'>): HedgePlan {
  const { after, budget } = settings
  if (after === 'p95') return { afterMs: null, budget }
  const afterMs = parseDuration(after)
  if (afterMs === undefined || afterMs === 0 || afterMs > LATEST_HEDGE_MS) {
    const expected = 'p95, or a duration such as 50ms, up to 1h'
    drawing.report.problem([...path, 'after'], 'wrong value', { expected })
  }
  return { afterMs: afterMs ?? null, budget }
}

function drawSorry(drawing: Drawing, path: KeyPath, settings: Settings<'sorry'>): SorryPlan {
  const { status, text, page, type } = settings
  if (page === '') return { status, type: type || 'text/plain; charset=utf-8', body: text }
  const at = [...path, 'page']
  if (text !== '') drawing.report.problem(at, 'either `text` or `page`', { key: true })
  const file = existingFile(drawing, at, page)
  const usual = /\.html?$/i.test(page) ? 'text/html' : 'text/plain'
  return {
    status,
    type: type || `${usual}; charset=utf-8`,
    body: readPage(drawing, at, file),
  }
}

function readPage(drawing: Drawing, path: KeyPath, file: string): string {
  try {
    const text = readFileSync(file, 'utf8')
    if (Buffer.byteLength(text) <= LONGEST_PAGE) return text
    drawing.report.problem(path, 'a page of more than 1 MB')
  } catch {
    // That it cannot be read is reported already.
  }
  return ''
}
