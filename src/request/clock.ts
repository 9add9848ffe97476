/**
 * One coarse clock per thread: deadlines and the Date field are read from here on every request, so
 * they cost a property load. Ticks every 250 ms; deadlines are that coarse.
 */

export const TICK_MS = 250

type Tick = (nowMs: number) => void

const listeners = new Set<Tick>()
let timer: NodeJS.Timeout | null = null

export const clock: { now: number; second: number; date: string } = {
  /** Milliseconds on a monotonic clock, at the last tick. */
  now: performance.now(),
  /** Whole seconds since 1970: what `date` was made from. */
  second: 0,
  /** `Date: …\r\n`, an IMF-fixdate (RFC 9110 §5.6.7). */
  date: '',
}

function tick(): void {
  clock.now = performance.now()
  const second = Math.floor(Date.now() / 1000)
  if (second !== clock.second) {
    clock.second = second
    clock.date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`
  }
  for (const listener of listeners) listener(clock.now)
}

/** Calls `listener` at every tick until the returned function is called. Keeps no process alive. */
export function onTick(listener: Tick): () => void {
  listeners.add(listener)
  if (timer === null) timer = setInterval(tick, TICK_MS).unref()
  return () => {
    listeners.delete(listener)
  }
}

tick()
