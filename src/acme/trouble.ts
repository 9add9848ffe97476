/** What went wrong with a name: kept, so that neither a restart nor another machine forgets to wait. */

export interface Trouble {
  /** A sentence, with the remedy. */
  readonly message: string
  /** When, and no attempt before: ms since 1970. */
  readonly at: number
  readonly until: number
  /** In a row. */
  readonly failures: number
}

/** Longer than any wait of ours: what lies beyond was written by a clock that was wrong. */
const LONGEST_MS = 2 * 86_400_000

/** Null for what is none. */
export function readTrouble(text: string | null, now: number = Date.now()): Trouble | null {
  if (text === null) return null
  try {
    const { message, at, until, failures } = JSON.parse(text) as Partial<Trouble>
    const whole = [at, until, failures].every((number) => Number.isFinite(number))
    if (typeof message !== 'string' || !whole) return null
    return { message, at: at!, until: Math.min(until!, now + LONGEST_MS), failures: failures! }
  } catch {
    return null
  }
}
