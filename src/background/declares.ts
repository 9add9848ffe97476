/**
 * What an application's code declares by decorators, as its warm parent tells it when it has loaded. It is
 * somebody else's word: checked here, bounded, and what is wrong is said instead of done.
 */
import type { CronPlan, Overlap, TaskPlan, TimerPlan, WatchPlan } from '../site/background-plan.ts'
import { CronSyntaxError, parseCron } from './cron-expression.ts'
import { isZone } from './zoned-time.ts'

/** A function of the application's own, by its key in the worker's table. */
export interface DeclaredRole {
  readonly key: string
  readonly name: string
}

/** What is to be done when a signal of that name comes. */
export interface DeclaredSignal extends TaskPlan {
  readonly signal: string
}

export interface Declares {
  readonly cron: readonly CronPlan[]
  readonly timers: readonly TimerPlan[]
  readonly watch: readonly WatchPlan[]
  readonly signals: readonly DeclaredSignal[]
  readonly mules: readonly DeclaredRole[]
  /** What is wrong, for the log. */
  readonly problems: readonly string[]
}

export const noDeclares: Declares = {
  cron: [],
  timers: [],
  watch: [],
  signals: [],
  mules: [],
  problems: [],
}

/** Of each kind. */
const MOST = 1_000
/** Each of them watches folders, which the kernel has only so many of for a user. */
const MOST_WATCHES = 50
const LONGEST_TEXT = 1_000
/** Node's timers count in 31 bits of milliseconds. */
const LONGEST_MS = 24 * 86_400_000

type Said = Readonly<Record<string, unknown>>

class Wrong extends Error {}

/** `told`: the `declares` of the warm parent of `app`. */
export function readDeclares(told: unknown, app: string): Declares {
  if (told === undefined || told === null) return noDeclares
  const problems: string[] = []
  const lists = isRecord(told) ? told : {}
  const each = <Out>(kind: string, read: (said: Said) => Out): Out[] => {
    const list = lists[kind] ?? []
    const most = kind === 'watch' ? MOST_WATCHES : MOST
    if (!Array.isArray(list) || list.length > most) {
      problems.push(`${kind}: no list of at most ${most}`)
      return []
    }
    return list.flatMap((said: unknown) => {
      try {
        if (!isRecord(said)) throw new Wrong('not a mapping')
        return [read(said)]
      } catch (error) {
        if (!(error instanceof Wrong || error instanceof CronSyntaxError)) throw error
        const name = isRecord(said) && typeof said.name === 'string' ? said.name : '?'
        problems.push(`${kind} ${name.slice(0, LONGEST_TEXT)}: ${error.message}`)
        return []
      }
    })
  }
  return {
    cron: each('cron', (said) => readCron(said, app)),
    timers: each('timers', (said) => ({
      ...readTask(said, app, 'skip'),
      everyMs: number(said, 'every', 1, LONGEST_MS),
      times: number(said, 'times', 0, Number.MAX_SAFE_INTEGER, 0),
      jitterMs: number(said, 'jitter', 0, LONGEST_MS, 0),
    })),
    watch: each('watch', (said) => ({
      ...readTask(said, app, 'queue'),
      files: paths(said),
      settleMs: number(said, 'settle', 1, LONGEST_MS, 200),
    })),
    signals: each('signals', (said) => ({
      ...readTask(said, app, 'queue', text(said, 'signal')),
      signal: text(said, 'signal'),
    })),
    mules: each('mules', (said) => ({ key: text(said, 'key'), name: text(said, 'name') })),
    problems,
  }
}

function readTask(said: Said, app: string, usual: Overlap, argument = ''): TaskPlan {
  const overlap = said.overlap ?? usual
  if (overlap !== 'skip' && overlap !== 'queue' && overlap !== 'allow') {
    throw new Wrong('overlap is skip, queue or allow')
  }
  return {
    name: text(said, 'name'),
    action: { kind: 'call', app, target: text(said, 'key'), declared: true, argument },
    timeoutMs: number(said, 'timeout', 0, LONGEST_MS, 0),
    overlap,
  }
}

function readCron(said: Said, app: string): CronPlan {
  const at = text(said, 'at')
  parseCron(at)
  const zone = text(said, 'zone', '')
  if (!isZone(zone)) throw new Wrong(`no such time zone: ${zone}`)
  const missed = said.missed ?? 'skip'
  if (missed !== 'skip' && missed !== 'once') throw new Wrong('missed is skip or once')
  const jitterMs = number(said, 'jitter', 0, LONGEST_MS, 0)
  return { ...readTask(said, app, 'skip'), at, zone, missed, jitterMs }
}

function text(said: Said, key: string, preset?: string): string {
  const value = said[key] ?? preset
  if (typeof value !== 'string' || value.length > LONGEST_TEXT || /[\x00-\x1f\x7f]/.test(value)) {
    throw new Wrong(`${key} is no line of text`)
  }
  return value
}

/** Whole. */
function number(said: Said, key: string, from: number, to: number, preset?: number): number {
  const value = said[key] ?? preset
  if (!Number.isSafeInteger(value) || Number(value) < from || Number(value) > to) {
    throw new Wrong(`${key} is no whole number from ${from} to ${to}`)
  }
  return Number(value)
}

function paths(said: Said): string[] {
  const { files } = said
  if (!Array.isArray(files) || files.length === 0 || files.length > MOST) {
    throw new Wrong('files is no list of paths')
  }
  return files.map((file: unknown) => {
    if (typeof file !== 'string' || !file.startsWith('/') || file.includes('\0')) {
      throw new Wrong('files is no list of absolute paths')
    }
    return file
  })
}

function isRecord(value: unknown): value is Said {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
