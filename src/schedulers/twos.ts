/** The power of two choices: two are drawn by weight, and the one that is less loaded for its weight is chosen. */
import { draw, openWeight } from './draw.ts'
import { overhead } from './least.ts'
import { choosing, type Scheduler } from './scheduler.ts'

/** `chance`: from 0 to below 1. */
export function twos(chance: () => number = Math.random): Scheduler {
  return choosing('twos', (backends, _key, asked) => {
    const sum = openWeight(backends, asked)
    if (sum === 0) return -1
    const one = draw(backends, asked, chance() * sum)
    const two = draw(backends, asked, chance() * sum)
    if (one < 0 || two < 0) return Math.max(one, two)
    const a = backends[one]!
    const b = backends[two]!
    return overhead(a) * b.weight > overhead(b) * a.weight ? two : one
  })
}
