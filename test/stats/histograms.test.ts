import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AppCounts } from '../../src/request/app-counts.ts'
import { Counters } from '../../src/request/counters.ts'
import { BOUNDS_MS, HISTOGRAM_PLACES, observe, readHistogram } from '../../src/request/histogram.ts'
import {
  addTimes,
  countOf,
  meanOf,
  noTimes,
  quantile,
  timesSince,
} from '../../src/stats/histograms.ts'
import { timesOf } from './site-status.ts'

const times = fc.array(fc.double({ min: 0, max: 200_000, noNaN: true }), { maxLength: 50 })

describe('a histogram in shared memory', () => {
  test('has each time in the bucket of the first bound that is not below it', () => {
    fc.assert(
      fc.property(times, (all) => {
        const block = new Float64Array(3 + HISTOGRAM_PLACES + 3)
        for (const ms of all) observe(block, 3, ms)
        const { sumMs, counts } = readHistogram(block, 3)
        expect(sumMs).toBeCloseTo(
          all.reduce((sum, ms) => sum + ms, 0),
          6,
        )
        const bounds = [-1, ...BOUNDS_MS, Number.POSITIVE_INFINITY]
        expect(counts).toEqual(
          counts.map((_, i) => all.filter((ms) => ms > bounds[i]! && ms <= bounds[i + 1]!).length),
        )
        // What is beside it is another's.
        expect([...block.slice(0, 3), ...block.slice(-3)]).toEqual([0, 0, 0, 0, 0, 0])
      }),
    )
  })

  test('quantiles lie in the right bucket, and never beyond the last bound', () => {
    fc.assert(
      fc.property(times, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, q) => {
        const told = quantile(timesOf(...all.map((ms) => [ms, 1] as const)), q)
        fc.pre(all.length > 0)
        const right = all.sort((a, b) => a - b)[Math.ceil(all.length * q - 1e-9) - 1]!
        const upper = BOUNDS_MS.find((bound) => right <= bound) ?? BOUNDS_MS.at(-1)!
        expect(told).toBeLessThanOrEqual(upper)
        expect(told).toBeGreaterThanOrEqual(BOUNDS_MS[BOUNDS_MS.indexOf(upper) - 1] ?? 0)
      }),
    )
  })

  test('what came since: never less than nothing, all of it after a new beginning', () => {
    const before = timesOf([1, 5], [100, 2])
    const after = addTimes(before, timesOf([1, 3]))
    expect(timesSince(after, before)).toEqual(timesOf([1, 3]))
    expect(timesSince(timesOf([1, 3]), before)).toEqual(timesOf([1, 3]))
    expect(timesSince(after, undefined)).toEqual(after)
    expect(meanOf(timesOf([1, 1], [3, 1]))).toBe(2)
    expect([meanOf(noTimes), quantile(noTimes, 0.5), countOf(noTimes)]).toEqual([0, 0, 0])
  })
})

test('the counts of an application are the sum over threads; workers are told apart', () => {
  const memory = AppCounts.allocate(2, 3)
  const [one, two] = [0, 1].map((thread) => AppCounts.of(memory, thread, 3)) as [
    AppCounts,
    AppCounts,
  ]
  one.requests += 2
  two.requests++
  two.errors++
  one.served(0.5)
  two.served(5)
  two.waited(20)
  one.workerServed(2, 0.5, 100, false)
  two.workerServed(2, 5, 10, true)
  two.workerServed(0, 1, 1, false)
  one.workerCame(2)
  one.workerServed(2, 1, 0, false)
  one.workerHas(2, 4)
  two.workerHas(2, 1)
  one.now(3, 1, 2)
  two.now(4, 2, 2)
  expect(AppCounts.read(memory, 3)).toEqual({
    requests: 3,
    errors: 1,
    waiting: 7,
    busy: 3,
    workers: 2,
    served: timesOf([0.5, 1], [5, 1]),
    waited: timesOf([20, 1]),
  })
  expect(AppCounts.readSlots(memory, 3)).toEqual([
    { slot: 0, requests: 1, own: 1, errors: 0, runMs: 1, sent: 1, inHand: 0 },
    { slot: 1, requests: 0, own: 0, errors: 0, runMs: 0, sent: 0, inHand: 0 },
    { slot: 2, requests: 3, own: 2, errors: 1, runMs: 6.5, sent: 110, inHand: 5 },
  ])
})

test('the counts of routes are the sum over threads, and nobody else’s', () => {
  const memory = Counters.allocate(2, 2)
  const [one, two] = [0, 1].map((thread) => Counters.of(memory, thread, 2)) as [Counters, Counters]
  for (const counters of [one, two]) {
    counters.began()
    counters.routed(2)
    counters.served(2, 0.3, 10, false, false)
    counters.finished(200)
  }
  two.routed(1)
  two.served(0, 0.05, 5, true, false)
  two.routed(2)
  two.served(2, 60_000, 0, false, true)
  const [none, first, second] = Counters.readRoutes(memory, 2)
  expect(none).toMatchObject({ requests: 1, active: 0, errors: 1, sent: 5 })
  expect(first).toMatchObject({ requests: 0, active: 1, errors: 0 })
  expect(second).toMatchObject({ requests: 3, active: 0, sent: 20, took: timesOf([0.3, 2]) })
  expect(Counters.read(memory, 2)).toMatchObject({ requests: 2, active: 0, answers: { '2xx': 2 } })
})
