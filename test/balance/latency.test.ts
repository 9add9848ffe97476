import { expect, it } from 'vitest'
import { LATENCY_CELLS, Latency } from '../../src/balance/latency.ts'

const S = 1_000

it('knows nothing at first, then the first sample', () => {
  const latency = new Latency(new Int32Array(LATENCY_CELLS))
  expect(latency.average(5)).toBe(0)
  latency.learn(12.5, 5)
  expect(latency.average(5)).toBe(12.5)
})

it('goes to a new level within seconds, by a third of the way each 10 s or so', () => {
  const latency = new Latency(new Int32Array(LATENCY_CELLS))
  latency.learn(100, 0)
  for (let ms = 0; ms <= 10 * S; ms += 50) latency.learn(10, ms)
  expect(latency.average(10 * S)).toBeCloseTo(10 + 90 / Math.E, 0)
  for (let ms = 10 * S; ms <= 60 * S; ms += 50) latency.learn(10, ms)
  expect(latency.average(60 * S)).toBeCloseTo(10, 0)
})

it('sinks while nothing is heard, so that a slow one is tried again', () => {
  const latency = new Latency(new Int32Array(LATENCY_CELLS))
  latency.learn(1_000, 0)
  expect(latency.average(10 * S)).toBeCloseTo(1_000 / Math.E, 0)
  expect(latency.average(100 * S)).toBeLessThan(0.1)
})

it('bears any time and any number', () => {
  const latency = new Latency(new Int32Array(LATENCY_CELLS))
  for (const [ms, now] of [
    [0, 2 ** 33],
    [1e12, 2 ** 33 + 5],
    [1, 2 ** 20],
  ] as const) {
    latency.learn(ms, now)
    expect(latency.average(now)).toBeGreaterThan(0)
    expect(latency.average(now)).toBeLessThan(1.1e6)
  }
})
