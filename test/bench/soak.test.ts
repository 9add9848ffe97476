import { expect, test } from 'vitest'
import { asked, requestText, wrongAnswer } from '../../bench/soak/requests.ts'
import { APP_NAMES } from '../../bench/soak/site.ts'
import { type Sample, slopeOf } from '../../bench/soak/slope.ts'

/** A second each; the wave is what collections of garbage look like. */
function growing(each: number, seconds: number): Sample[] {
  return Array.from({ length: seconds }, (_, at) => ({
    at,
    value: 1000 + each * at + 50 * Math.sin(at / 7) + (at % 13),
  }))
}

test('a slope is found in the waves of collections, with an interval that holds it', () => {
  for (const each of [0, 0.5, -0.5, 3]) {
    const slope = slopeOf(growing(each, 600))!
    expect(Math.abs(slope.each - each)).toBeLessThan(slope.sure)
    expect(slope.sure).toBeLessThan(0.2)
  }
})

test('samples that follow one another are no witnesses of their own', () => {
  const steps = growing(0, 600).map(({ at, value }) => {
    return { at, value: value + (at > 200 && at < 400 ? 80 : 0) }
  })
  expect(slopeOf(steps)!.sure).toBeGreaterThan(2 * slopeOf(growing(0, 600))!.sure)
})

test('too little is no slope', () => {
  expect(slopeOf([])).toBeNull()
  expect(slopeOf(growing(1, 3))).toBeNull()
  expect(slopeOf(Array.from({ length: 9 }, () => ({ at: 1, value: 1 })))).toBeNull()
})

test('requests are of every kind, for every application', () => {
  const all = Array.from({ length: 4000 }, (_, n) => asked(n))
  for (const app of APP_NAMES) {
    for (const unsafe of [true, false]) {
      const some = all.filter((one) => one.app === app && one.unsafe === unsafe)
      expect(some.length).toBeGreaterThan(50)
      expect(some.some(({ more }) => more > 100_000)).toBe(true)
      expect(some.some(({ body }) => body > 100_000)).toBe(unsafe)
    }
  }
  expect(all.filter(({ sleeps }) => sleeps)).toHaveLength(4)
})

test('an answer is right, or it is said what is wrong with it', () => {
  expect(requestText(3)).toMatch(/^POST \/api\?n=3&more=3 .*\r\nContent-Length: 3\r\n\r\n3 o$/s)
  expect(wrongAnswer(1, '1 v7 0 0\n.')).toBe('')
  expect(wrongAnswer(1, '2 v7 0 0\n.')).toMatch('2 v7 0 0 instead of')
  expect(wrongAnswer(1, '1 v7 0 0\n..')).toMatch('2 bytes instead of 1')
  expect(wrongAnswer(1, '')).not.toBe('')
})
