/** Why workers were replaced, counted: a slot keeps one of these, and an application adds up its slots'. */

export const RESTART_REASONS = [
  /** A signal that nobody of ours has sent, such as SIGSEGV or the kernel's SIGKILL. */
  'signal',
  /** The kernel ended it: its application was over `limits.memory`. */
  'oom',
  /** It ended by itself. */
  'exit',
  /** The application refused to start in it. */
  'start',
  /** Its warm parent died, and it with that. */
  'parent',
  /** A request ran past its deadline. */
  'deadline',
  /** It had served its number of requests. */
  'requests',
  'age',
  /** Its resident memory. */
  'memory',
  'address-space',
  'idle',
  /** Of a rolling reload. */
  'reload',
] as const

export type RestartReason = (typeof RESTART_REASONS)[number]

/** By reason; those that never happened are left out. Only ever grows. */
export type RestartCounts = Readonly<Partial<Record<RestartReason, number>>>

export interface LastRestart {
  readonly reason: RestartReason
  /** The signal's name, the exit code, the size or the age; '' where the reason says it all. */
  readonly how: string
  /** ISO 8601. */
  readonly at: string
}

export class Restarts {
  readonly #counts: Partial<Record<RestartReason, number>> = {}
  #total = 0
  #last: LastRestart | null = null

  count(reason: RestartReason, how = ''): void {
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1
    this.#total += 1
    this.#last = { reason, how, at: new Date().toISOString() }
  }

  get total(): number {
    return this.#total
  }

  get counts(): RestartCounts {
    return { ...this.#counts }
  }

  get last(): LastRestart | null {
    return this.#last
  }
}

export function addRestarts(all: readonly RestartCounts[]): RestartCounts {
  const sum: Partial<Record<RestartReason, number>> = {}
  for (const reason of RESTART_REASONS) {
    const count = all.reduce((total, one) => total + (one[reason] ?? 0), 0)
    if (count > 0) sum[reason] = count
  }
  return sum
}

/** Of an application, over several generations. */
export interface RestartSums {
  readonly restarts: number
  readonly reasons: RestartCounts
}

export function addSums(one: RestartSums, other: RestartSums): RestartSums {
  return {
    restarts: one.restarts + other.restarts,
    reasons: addRestarts([one.reasons, other.reasons]),
  }
}
