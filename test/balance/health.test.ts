import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Health, judge, pause, unknown } from '../../src/balance/health.ts'
import type { CheckTimingPlan } from '../../src/site/check-plan.ts'

const timing: CheckTimingPlan = {
  everyMs: 2_000,
  fastMs: 500,
  downMs: 5_000,
  jitter: 0,
  timeoutMs: 1_000,
  rise: 2,
  fall: 3,
  start: 'up',
}

/** `+` well, `-` not; what is said after each. */
function story(answers: string, from: Health = unknown): string {
  let health = from
  return [...answers]
    .map((answer) => {
      health = judge(health, answer === '+', timing)
      return health.verdict === 'up' ? 'u' : 'd'
    })
    .join('')
}

describe('a verdict', () => {
  it('is as the first answer', () => {
    expect(story('+')).toBe('u')
    expect(story('-')).toBe('d')
  })

  it('falls after three bad answers in a row, and rises after two good ones', () => {
    expect(story('+--+--+---+++')).toBe('uuuuuuuuudduu')
    expect(story('+---+-+-++-')).toBe('uuuddddddduu'.slice(0, 3) + 'ddddddu' + 'u')
  })

  it('never changes without so many answers against it, one after the other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        (answers, rise, fall) => {
          let health = unknown
          const heard: boolean[] = []
          for (const well of answers) {
            const before = health
            health = judge(health, well, { rise, fall })
            heard.push(well)
            if (before.verdict === 'none' || before.verdict === health.verdict) continue
            const needed = well ? rise : fall
            expect(heard.slice(-needed)).toEqual(new Array(needed).fill(well))
          }
          // And it does change with them.
          const last = heard.slice(-Math.max(rise, fall))
          if (last.length === Math.max(rise, fall) && last.every((well) => well === last[0])) {
            expect(health.verdict).toBe(last[0] ? 'up' : 'down')
          }
        },
      ),
    )
  })
})

describe('the pause', () => {
  it('is short while answers contradict the verdict', () => {
    expect(pause({ verdict: 'up', streak: 0 }, timing, 0.5)).toBe(2_000)
    expect(pause({ verdict: 'up', streak: 1 }, timing, 0.5)).toBe(500)
    expect(pause({ verdict: 'down', streak: 0 }, timing, 0.5)).toBe(5_000)
    expect(pause({ verdict: 'down', streak: 1 }, timing, 0.5)).toBe(500)
  })

  it('varies by its jitter', () => {
    const some = { ...timing, jitter: 0.1 }
    expect(pause(unknown, some, 0)).toBeCloseTo(1_800)
    expect(pause(unknown, some, 0.999_999)).toBeCloseTo(2_200)
  })
})
