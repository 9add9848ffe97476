/** When lblc and lblcr let a destination go to another backend. */
import type { Backend } from './scheduler.ts'

/** It has more in hand than its weight while another one has less than half of its own. */
export function isCrowded(backend: Backend, backends: readonly Backend[]): boolean {
  if (backend.active <= backend.weight) return false
  return backends.some(({ active, weight }) => active * 2 < weight)
}
