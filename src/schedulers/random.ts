/** Anybody, by weight. */
import { draw, openWeight } from './draw.ts'
import { choosing, type Scheduler } from './scheduler.ts'

/** `chance`: from 0 to below 1. */
export function random(chance: () => number = Math.random): Scheduler {
  return choosing('random', (backends, _key, asked) => {
    const sum = openWeight(backends, asked)
    return sum === 0 ? -1 : draw(backends, asked, chance() * sum)
  })
}
