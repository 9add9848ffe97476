/** The corpus of valid and invalid requests: each whole, cut at every byte, and at random. */
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type InvalidCase, invalidCases, type ValidCase, validCases } from './cases.ts'
import { Bench, cutAt, type Outcome, placesToCut, singly } from './outcome.ts'
import type { Rhythm } from './recorder.ts'

const rhythms: readonly Rhythm[] = ['now', 'late', 'slow']
const benches = new Map(rhythms.map((rhythm) => [rhythm, new Bench(rhythm)]))

afterAll(() => {
  for (const bench of benches.values()) bench.close()
})

/** How often each case is cut at random, for each rhythm. */
const RANDOM_CUTS = 20

async function sameHoweverCut(bytes: Buffer, whole: Outcome): Promise<void> {
  for (const place of placesToCut(bytes)) {
    const outcome = await benches.get('now')!.run(cutAt(bytes, [place]))
    expect(outcome, `cut at ${place}`).toEqual(whole)
  }
  for (const rhythm of rhythms) {
    const bench = benches.get(rhythm)!
    expect(await bench.run([bytes]), rhythm).toEqual(whole)
    expect(await bench.run(singly(bytes)), `${rhythm}, byte by byte`).toEqual(whole)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
        expect(await bench.run(cutAt(bytes, cuts))).toEqual(whole)
      }),
      { numRuns: RANDOM_CUTS },
    )
  }
}

describe('valid', () => {
  test.for(validCases())('$name', async (one: ValidCase) => {
    const whole = await benches.get('now')!.run([one.bytes])
    expect(whole.requests).toEqual(one.requests)
    expect(whole.statuses).toEqual(one.statuses)
    expect(whole.closed).toBe(one.closes)
    await sameHoweverCut(one.bytes, whole)
  })
})

describe('invalid', () => {
  test.for(invalidCases())('$name', async (one: InvalidCase) => {
    const whole = await benches.get('now')!.run([one.bytes])
    expect(whole.statuses.at(-1)).toBe(one.status)
    expect(whole.last).toContain(one.says)
    expect(whole.statuses.length).toBe(one.after + 1)
    expect(whole.requests.length).toBe(one.after)
    expect(whole.closed).toBe(true)
    await sameHoweverCut(one.bytes, whole)
  })
})

test('no connection is left over', () => {
  for (const bench of benches.values()) expect(bench.open).toBe(0)
})
