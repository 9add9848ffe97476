/** The promises, held against the facts of a soak. */
import type { Heaps } from './heaps.ts'
import { asked, isLarge } from './requests.ts'
import { APP_NAMES, type AppName, ONE_AT_A_TIME } from './site.ts'
import { type Sample, type Slope, slopeOf } from './slope.ts'
import type { Facts } from './soak.ts'

export interface Judgement {
  readonly answers: Readonly<Record<string, number>>
  /** Sent to sleep past the deadline. */
  readonly slept: number
  readonly costly: Readonly<Record<AppName, Cost>>
  /** Answers 502 altogether; and those of which the beginning had been sent when the worker died. */
  readonly failed: number
  readonly cut: number
  readonly supervisor: Slope | null
  /** Of what lives in their JavaScript heaps; null where nobody looked. */
  readonly supervisorHeap: Slope | null
  readonly serverHeap: Slope | null
  /** Null where each reload has begun another one. */
  readonly server: Slope | null
  readonly files: Slope | null
  /** Promises that are broken; empty when all are kept. */
  readonly broken: readonly string[]
}

/** What killed workers of an application have cost. */
export interface Cost {
  /** Of workers that have ever begun a request. */
  readonly kills: number
  /** Answers 502, or cut. */
  readonly answers: number
  /** For one worker. */
  readonly most: number
}

/** A growth that is below this is none, bytes a second: 6 MiB an hour. */
const NO_GROWTH = (6 * 1024 * 1024) / 3600
/** Part of the time in which processes grow to their size: memories of heads, histories, compiled code. */
const WARM_UP = 0.5
/** Between two processes' notes of the same moment, ms. */
const SLACK_MS = 5
/** From a worker's end to the turn in which a busy server thread hears of it, ms at most. */
const UNNOTICED_MS = 100
/** So many examples of what is wrong are told. */
const EXAMPLES = 5
/** Shorter soaks tell nothing of memory, s. */
const LONG = 240

export function judge(facts: Facts): Judgement {
  const { visited, kills, reloads, status, left } = facts
  const broken: string[] = []
  const breaks = (what: string, examples: readonly string[]): void => {
    if (examples.length === 0) return
    const more = examples.length > EXAMPLES ? `; and ${examples.length - EXAMPLES} more` : ''
    broken.push(`${what}: ${examples.slice(0, EXAMPLES).join('; ')}${more}`)
  }
  const { cut, lost } = unanswered(facts)
  breaks('requests without an answer', lost)
  breaks('wrong answers', visited.wrong)
  breaks('executed twice, or confirmed and not executed', executions(facts))
  const { costly, failed, troubles } = failures(facts, cut)
  breaks('failed without a worker that was killed', troubles)
  const others = visited.odd.filter(({ n, status }) => {
    return status !== 502 && !(status === 504 && asked(n).sleeps)
  })
  breaks(
    'neither 200 nor 502, nor 504 for one that slept',
    others.map(
      ({ n, status, from, to }) => `${n} /${asked(n).app} ${status} after ${to - from} ms`,
    ),
  )
  const slept = facts.statuses.reduce((sum, _, n) => sum + (asked(n).sleeps ? 1 : 0), 0)
  const awake = facts.statuses.reduce(
    (sum, code, n) => sum + (asked(n).sleeps && code === 200 ? 1 : 0),
    0,
  )
  if (awake > 0) broken.push(`${awake} that sleep for ever were answered with 200`)
  breaks(
    'reloads failed',
    reloads.filter(({ trouble }) => trouble !== '').map((one) => `${one.path}: ${one.trouble}`),
  )
  const distrusted = facts.log.filter(({ message }) => /cannot be trusted|is broken/.test(message))
  breaks(
    'processes of ours that lost control',
    distrusted.map(({ message }) => message),
  )
  if (status.server.restarts > 0) broken.push(`the server died ${status.server.restarts} times`)
  if (kills.length === 0) broken.push('nothing was killed')
  breaks('left behind', left)
  const slopes = growth(facts)
  if (facts.seconds >= LONG) {
    for (const [name, slope] of Object.entries(slopes)) {
      if (slope === null) continue
      const least = slope.each - slope.sure
      // Of files one in five minutes is too many.
      const bound = name === 'files' ? 1 / 300 : NO_GROWTH
      if (least > bound) broken.push(`${name} grows`)
    }
  }
  return { answers: answersOf(facts), slept, costly, failed, cut: cut.length, ...slopes, broken }
}

function answersOf({ statuses }: Facts): Record<string, number> {
  const answers: Record<string, number> = {}
  for (const status of statuses) answers[status] = (answers[status] ?? 0) + 1
  return answers
}

/** What was confirmed was done, and what must not be repeated was not. */
function executions({ statuses, begun }: Facts): string[] {
  const troubles: string[] = []
  statuses.forEach((status, n) => {
    const times = begun.get(n)?.length ?? 0
    const { app, unsafe } = asked(n)
    if (unsafe && times > 1) troubles.push(`POST ${n} /${app} was begun ${times} times`)
    if (status === 200 && times === 0) troubles.push(`${n} /${app} was never begun`)
  })
  return troubles
}

interface Unanswered {
  /** The worker was killed in the middle of an answer: 502 could not be said any more. */
  readonly cut: readonly number[]
  /** What became of the others. */
  readonly lost: readonly string[]
}

function unanswered({ visited, statuses }: Facts): Unanswered {
  const cut: number[] = []
  statuses.forEach((status, n) => {
    if (status === 0 && isLarge(n)) cut.push(n)
  })
  // Each with the beginning of its answer.
  const lost = visited.lost.filter((what) => !/^closed after "HTTP\/1\.1 200 OK/.test(what))
  if (lost.length + cut.length === visited.sent - visited.answered) return { cut, lost }
  return { cut, lost: visited.lost }
}

/** Each 502 belongs to a worker that was killed; one that takes one request at a time costs one. */
function failures(
  { visited, begun, kills }: Facts,
  cut: readonly number[],
): Pick<Judgement, 'costly' | 'failed'> & { readonly troubles: readonly string[] } {
  const killed = new Set(kills.map(({ pid }) => pid))
  const troubles: string[] = []
  // When it was cut nobody has noted; that it was begun by somebody who was killed says enough.
  const ever = { from: 0, to: Date.now() }
  const failed = [
    ...visited.odd.filter(({ status }) => status === 502),
    ...cut.map((n) => ({ n, ...ever })),
  ]
  /** By the worker that had begun it. */
  const costs = new Map<number, number>()
  for (const { n, from, to } of failed) {
    const { app, unsafe } = asked(n)
    const what = `${unsafe ? 'POST' : 'GET'} ${n} /${app}`
    const pids = begun.get(n) ?? []
    if (from === 0 && pids.length === 0) troubles.push(`${what} was cut, and never begun`)
    // What is safe may have been begun by others before.
    const last = pids.at(-1)
    // One that nobody has begun was given to a worker that was dying, or had died unnoticed.
    const rest = last === undefined ? UNNOTICED_MS : SLACK_MS
    const meanwhile = kills.filter(({ at, gone }) => gone >= from - rest && at <= to)
    if (!meanwhile.some(({ pid }) => last === undefined || pid === last)) {
      const who =
        last === undefined ? 'begun by nobody, and nobody' : `begun by ${last}, which had not`
      troubles.push(`${what} was ${who} died since it was asked`)
    }
    if (last !== undefined) costs.set(last, (costs.get(last) ?? 0) + 1)
  }
  const costly = Object.fromEntries(
    APP_NAMES.map((name): [AppName, Cost] => {
      const workers = [...workersOf(name, begun)].filter((pid) => killed.has(pid))
      const answers = failed.filter(({ n }) => asked(n).app === name).length
      const most = Math.max(0, ...workers.map((pid) => costs.get(pid) ?? 0))
      return [name, { kills: workers.length, answers, most }]
    }),
  ) as Record<AppName, Cost>
  for (const name of ONE_AT_A_TIME) {
    const { kills: dead, answers, most } = costly[name]
    if (most > 1) troubles.push(`one worker of ${name} that was killed cost ${most} answers`)
    // Some had been read and not begun: nobody knows whose they were.
    if (answers > dead) troubles.push(`${dead} workers of ${name} were killed: ${answers} answers`)
  }
  return { costly, failed: failed.length - cut.length, troubles }
}

/** Processes that have begun a request to this application. */
function workersOf(app: AppName, begun: Facts['begun']): Set<number> {
  const pids = new Set<number>()
  for (const [n, all] of begun) if (asked(n).app === app) for (const pid of all) pids.add(pid)
  return pids
}

type Slopes = Pick<Judgement, 'supervisor' | 'supervisorHeap' | 'server' | 'serverHeap' | 'files'>

function growth({ sampling, heaps, supervisor: pid, whole }: Facts): Slopes {
  const { supervisor, servers } = sampling
  const [only] = whole ? [] : servers
  return {
    supervisor: slopeOf(warm(supervisor.memory)),
    supervisorHeap: heapSlope(heaps, pid),
    server: only === undefined ? null : slopeOf(warm(only[1].memory)),
    serverHeap: only === undefined ? null : heapSlope(heaps, only[0]),
    files: slopeOf(warm(supervisor.files)),
  }
}

/** Of all threads together. */
function heapSlope(heaps: Heaps, pid: number): Slope | null {
  let [each, squares] = [0, 0]
  for (const samples of heaps.get(pid)?.values() ?? []) {
    const slope = slopeOf(warm(samples))
    if (slope === null) return null
    each += slope.each
    squares += slope.sure ** 2
  }
  return squares === 0 ? null : { each, sure: Math.sqrt(squares) }
}

function warm(samples: readonly Sample[]): readonly Sample[] {
  const [first, last] = [samples[0]?.at ?? 0, samples.at(-1)?.at ?? 0]
  const from = first + (last - first) * WARM_UP
  return samples.filter(({ at }) => at >= from)
}
