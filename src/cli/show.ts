/** How figures look for people. */
import { BOUNDS_MS, type Histogram } from '../request/histogram.ts'
import { quantile } from '../stats/histograms.ts'

export function showTime(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [days, hours, minutes] = [
    seconds / 86_400,
    (seconds / 3_600) % 24,
    (seconds / 60) % 60,
  ].map(Math.floor)
  if (days) return `${days} d ${hours} h`
  if (hours) return `${hours} h ${minutes} min`
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

export function showBytes(bytes: number): string {
  return scaled(bytes, [' B', ' KiB', ' MiB', ' GiB', ' TiB'])
}

/** With the largest of `units`, each 1024 of the one before, that leaves a number above 1. */
export function scaled(value: number, units: readonly string[]): string {
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10))
  const number = value / 1024 ** unit
  return `${unit === 0 ? Math.round(number) : number.toFixed(1)}${units[unit]}`
}

/** How long a request took: three digits, and the unit that suits them. */
export function showMs(ms: number): string {
  if (ms <= 0) return '-'
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))}us`
  if (ms < 100) return `${ms.toFixed(ms < 10 ? 2 : 1)}ms`
  return ms < 10_000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`
}

/** A quantile; the lowest bucket does not tell more than that it was short. */
export function showQuantile(times: Histogram, q: number): string {
  const ms = quantile(times, q)
  const shortest = BOUNDS_MS[0]!
  return ms > 0 && ms <= shortest ? `<${showMs(shortest)}` : showMs(ms)
}

/** What visitors have sent, without what a terminal would obey. */
export function harmless(text: string): string {
  return text.replace(/[^\x20-\x7e…]/g, '?')
}

/** Lines of text in which applications may have had their say, without what a terminal would obey. */
export function calm(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, '\uFFFD')
}

/** Columns as wide as their widest cell; the first `names` stand left, numbers right. */
export function table(rows: readonly (readonly string[])[], names: number): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i < names ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
