/** Drawing lots by weight. */
import { type Asked, type Backend, isOpen } from './scheduler.ts'

/** What those that are open weigh together. */
export function openWeight(backends: readonly Backend[], asked: Asked): number {
  let sum = 0
  for (let at = 0; at < backends.length; at++) {
    if (isOpen(backends[at]!, at, asked)) sum += backends[at]!.weight
  }
  return sum
}

/**
 * The index of the open one that `lot` falls on, from 0 to below their weight. The last one where they
 * have become fewer meanwhile; -1: none is left.
 */
export function draw(backends: readonly Backend[], asked: Asked, lot: number): number {
  let left = lot
  let last = -1
  for (let at = 0; at < backends.length; at++) {
    const backend = backends[at]!
    if (!isOpen(backend, at, asked)) continue
    last = at
    left -= backend.weight
    if (left < 0) return at
  }
  return last
}
