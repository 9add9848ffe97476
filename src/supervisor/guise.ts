/**
 * What signals and the letters of a master FIFO mean: one table for each server whose scripts and
 * habits people bring along. docs/dropin.md is made of these.
 */
import type { SignalSet } from '../site/plan.ts'

export type Order =
  | 'reload'
  | 'rolling'
  | 'stop'
  | 'stop-now'
  | 'reopen-logs'
  | 'more'
  | 'fewer'
  | 'tell'
  | 'refuse'

export interface Meaning {
  readonly order: Order
  /** What it means there, and what it does here where that differs. */
  readonly sentence: string
}

/** By the name of the signal, or the letter. */
export type Meanings = Readonly<Record<string, Meaning>>

function means(order: Order, sentence: string): Meaning {
  return { order, sentence }
}

const stop = means('stop', 'Stops when everything in hand is finished; a second one at once.')
const fast = means('stop-now', 'Stops at once.')
const reload = means('reload', 'Reads everything anew and reloads, without losing a request.')
const reopen = means('reopen-logs', 'Opens log files anew.')
const more = means('more', 'One worker more for each application.')
const fewer = means('fewer', 'One worker less for each application; the last one stays.')
const PAUSE =
  'Pauses uWSGI. Not supported: a paused site is one that nobody can reach; `portico stop` it'

const portico: Meanings = {
  SIGHUP: reload,
  SIGUSR1: reopen,
  SIGTERM: stop,
  SIGINT: stop,
  SIGQUIT: stop,
}

const uwsgiDieOnTerm: Meanings = {
  SIGHUP: reload,
  SIGTERM: means('stop', 'With `die-on-term`: stops when everything in hand is finished.'),
  SIGINT: fast,
  SIGQUIT: fast,
  SIGUSR1: means('tell', 'Writes the figures of every application to the log.'),
  SIGUSR2: means('tell', 'Writes the figures of every application to the log.'),
  SIGTSTP: means('refuse', PAUSE),
  SIGURG: means('refuse', 'Restores a snapshot. Not supported: there are none'),
  SIGWINCH: means('refuse', 'Wakes up a stuck worker. Not supported: the deadline replaces it'),
}

const uwsgi: Meanings = {
  ...uwsgiDieOnTerm,
  SIGTERM: means(
    'reload',
    'Without `die-on-term`: reloads. uWSGI kills its workers for that; here no request is lost.',
  ),
}

const gunicorn: Meanings = {
  SIGHUP: reload,
  SIGTERM: stop,
  SIGINT: fast,
  SIGQUIT: fast,
  SIGTTIN: more,
  SIGTTOU: fewer,
  SIGUSR1: reopen,
  SIGUSR2: means(
    'refuse',
    'Starts a new Gunicorn beside the old. Not supported: HUP reloads the application without a loss, and a new Portico is a restart of the service',
  ),
  SIGWINCH: means(
    'refuse',
    'Stops the workers of a daemon. Not supported: `portico stop`, or TTOU for fewer',
  ),
}

export const SIGNALS: Readonly<Record<SignalSet, Meanings>> = {
  portico,
  uwsgi,
  'uwsgi-die-on-term': uwsgiDieOnTerm,
  gunicorn,
}

const ALL_OPEN = 'Chooses among several FIFOs. Not needed: each is open all the time'
const slots = Object.fromEntries(
  Array.from({ length: 10 }, (_, digit) => [String(digit), means('refuse', ALL_OPEN)]),
)

/** uWSGI's master FIFO. */
export const LETTERS: Meanings = {
  ...slots,
  '+': more,
  '-': fewer,
  r: reload,
  R: means('reload', 'Reloads; uWSGI kills its workers for that, here no request is lost.'),
  c: means('rolling', 'Reloads the applications, one worker after the other.'),
  w: means('rolling', 'Reloads the workers; here one after the other.'),
  W: means('reload', 'Kills and reloads the workers; here no request is lost.'),
  q: stop,
  Q: fast,
  l: reopen,
  s: means('tell', 'Writes the figures of every application to the log.'),
  L: means('refuse', 'Turns the log over. Not supported: logrotate does, and `l` opens it anew'),
  p: means('refuse', PAUSE),
  P: means('refuse', 'Writes pid files anew. Not needed: the process stays the same'),
  C: means('refuse', 'Goes to cheap mode. Not supported: workers: { min: 0 } does so when idle'),
  f: means('refuse', 'Forks the master anew. Not supported: nothing of it grows'),
  B: means('refuse', 'Asks the Emperor for reinforcement. Not supported: there is none'),
  E: means('refuse', 'Has the Emperor look again. Not supported: there is none'),
  S: means('refuse', 'Blocks subscriptions. Not supported: there are none'),
}
