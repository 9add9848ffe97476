/** Figures in, words out. */
import type { Format } from './scenario.ts'

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the median of nothing')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]!
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2
}

/** The median of every key over all rounds. */
export function medians(
  rounds: readonly Readonly<Record<string, number>>[],
): Record<string, number> {
  const keys = new Set(rounds.flatMap((round) => Object.keys(round)))
  const entries = [...keys].map((key): [string, number] => {
    const values = rounds.map((round) => round[key]).filter((value) => value !== undefined)
    return [key, median(values)]
  })
  return Object.fromEntries(entries)
}

/** The value below which `fraction` of the samples lie. Sorts its argument. */
export function percentile(samples: Float64Array | number[], fraction: number): number {
  if (samples.length === 0) return Number.NaN
  samples.sort((a, b) => a - b)
  return samples[Math.min(samples.length - 1, Math.floor(samples.length * fraction))]!
}

const MEBI = 1024 * 1024

const FORMATS: Record<Format, (value: number) => string> = {
  rate: (value) => thousands(Math.round(value)),
  micros: (value) => (value < 10_000 ? `${round(value)} µs` : `${round(value / 1000)} ms`),
  millis: (value) => `${round(value)} ms`,
  memory: (value) => `${(value / MEBI).toFixed(1)} MiB`,
  bytes: (value) => `${thousands(Math.round(value))} B`,
  speed: (value) => `${Math.round(value / MEBI)} MiB/s`,
  count: (value) => thousands(Math.round(value)),
  number: (value) => value.toFixed(2),
  ratio: (value) => `${value.toFixed(2)}×`,
}

export function format(value: number | undefined, how: Format): string {
  return value === undefined || Number.isNaN(value) ? '–' : FORMATS[how](value)
}

function round(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(1)
}

function thousands(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}
