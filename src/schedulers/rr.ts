/** Round robin as LVS has it: the next one after the last, whatever its weight. */
import { type Asked, type Backend, choosing, isOpen, type Scheduler } from './scheduler.ts'

/** Shared: who was last, as its index and one; 0: nobody yet. */
export const RR_CELLS = 1

export function rr(cells: Int32Array): Scheduler {
  return choosing('rr', (backends, _key, asked) => {
    for (;;) {
      const last = Atomics.load(cells, 0)
      const at = nextOpen(backends, last, asked)
      if (at < 0 || Atomics.compareExchange(cells, 0, last, at + 1) === last) return at
    }
  })
}

function nextOpen(backends: readonly Backend[], from: number, asked: Asked): number {
  const { length } = backends
  for (let i = 0; i < length; i++) {
    const at = (from + i) % length
    if (isOpen(backends[at]!, at, asked)) return at
  }
  return -1
}
