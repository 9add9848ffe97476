/** Time as schedules see it; a test brings its own. */
export interface Clock {
  /** Milliseconds since 1970: may leap either way. */
  now(): number
  /** Milliseconds since some moment: never leaps. */
  elapsed(): number
  /** Calls `call` once, in `ms`. Returns what takes that back. */
  after(ms: number, call: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}
