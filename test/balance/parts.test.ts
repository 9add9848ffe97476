/** Budgets, slow starts and quantiles: what threads count together. */
import { describe, expect, it } from 'vitest'
import { BUDGET_CELLS, Budget } from '../../src/balance/budget.ts'
import { QUANTILE_CELLS, Quantile } from '../../src/balance/quantile.ts'
import { SlowStart } from '../../src/balance/slow-start.ts'
import { stoppedClock } from '../stopped-clock.ts'

const pass = stoppedClock(5_000_000)

function cells(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(count * 4))
}

const spent = (budget: Budget): number => {
  let count = 0
  while (budget.spend()) count++
  return count
}

describe('a budget', () => {
  it('is a share of the requests, and ten a second', () => {
    const budget = new Budget(cells(BUDGET_CELLS), 0.2)
    expect(spent(budget)).toBe(10)
    for (let i = 0; i < 100; i++) budget.earn()
    expect(spent(budget)).toBe(20)
    pass(1_000)
    expect(spent(budget)).toBe(10)
  })

  it('saves up to a bound', () => {
    const budget = new Budget(cells(BUDGET_CELLS), 1)
    for (let i = 0; i < 10_000; i++) budget.earn()
    expect(spent(budget)).toBe(110)
  })

  it('of nothing is nothing', () => {
    const budget = new Budget(cells(BUDGET_CELLS), 0)
    for (let i = 0; i < 100; i++) budget.earn()
    expect(spent(budget)).toBe(0)
  })
})

it('a slow start grows evenly, and ends', () => {
  const start = new SlowStart(cells(1), 30_000)
  expect(start.share).toBe(1)
  start.begin(performance.now())
  const shares = [start.share]
  for (let i = 0; i < 4; i++) {
    pass(10_000)
    shares.push(start.share)
  }
  expect(shares.map((share) => Math.round(share * 100))).toEqual([2, 33, 67, 100, 100])
})

describe('the time that 95 of 100 do not exceed', () => {
  it('is known after some, to a fifth', () => {
    const times = new Quantile(cells(QUANTILE_CELLS), 0.95)
    for (let i = 0; i < 49; i++) times.learn(10)
    expect(times.find(performance.now())).toBe(null)
    for (let i = 0; i < 51; i++) times.learn(i < 45 ? 10 : 500)
    pass(300)
    expect(times.find(performance.now())).toBeGreaterThan(10)
    expect(times.find(performance.now())).toBeLessThan(600)
    for (let i = 0; i < 1_000; i++) times.learn(10)
    pass(300)
    expect(times.find(performance.now())).toBeGreaterThanOrEqual(10)
    expect(times.find(performance.now())).toBeLessThan(12)
  })

  it.each([0.0001, 0.01, 1, 17, 999, 59_000, 10_000_000])('is right about %f ms', (ms) => {
    const times = new Quantile(cells(QUANTILE_CELLS), 0.95)
    for (let i = 0; i < 100; i++) times.learn(ms)
    const found = times.find(performance.now())!
    expect(found).toBeGreaterThanOrEqual(Math.min(ms, 60_000))
    expect(found).toBeLessThanOrEqual(Math.max(0.002, ms * 1.2))
  })

  it('forgets', () => {
    const times = new Quantile(cells(QUANTILE_CELLS), 0.95)
    for (let i = 0; i < 1_000; i++) times.learn(1_000)
    times.find(performance.now())
    pass(60_000)
    expect(times.find(performance.now())).toBe(null)
    for (let i = 0; i < 1_000; i++) times.learn(10)
    pass(300)
    expect(times.find(performance.now())).toBeLessThan(12)
  })
})
