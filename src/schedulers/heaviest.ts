/** Weights as ranks. */
import { type Asked, type Backend, isOpen } from './scheduler.ts'

/** The open one of the highest weight for which `test` holds, the first among equals; -1: none. */
export function heaviest(
  backends: readonly Backend[],
  asked: Asked,
  test: (backend: Backend) => boolean,
): number {
  let best = -1
  for (let at = 0; at < backends.length; at++) {
    const backend = backends[at]!
    if (!isOpen(backend, at, asked) || !test(backend)) continue
    if (best < 0 || backend.weight > backends[best]!.weight) best = at
  }
  return best
}
