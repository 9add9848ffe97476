/**
 * Durations and sizes as people write them. A unit is always required, except for 0: `timeout: 30`
 * is seconds to one reader and milliseconds to the next.
 */

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Powers of 1024, as in nginx, uWSGI and HAProxy: `1KB`, `1K` and `1KiB` are all 1024 bytes. */
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** Regular expressions of both, for editors. */
export const DURATION_PATTERN = '^(0|(\\d+(\\.\\d+)?(ms|s|m|h|d))+)$'
export const SIZE_PATTERN = '^(0|\\d+(\\.\\d+)? ?([KkMmGgTt]([Ii]?[Bb])?|[Bb]))$'

const WHOLE_DURATION = new RegExp(DURATION_PATTERN)
const WHOLE_SIZE = new RegExp(SIZE_PATTERN)

/** `500ms`, `5s`, `1.5m`, `1h30m`, `2d` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim()
  if (!WHOLE_DURATION.test(trimmed)) return undefined
  let total = 0
  for (const [, amount = '0', unit = 'ms'] of trimmed.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (DURATIONS[unit] ?? 0)
  }
  return Math.round(total)
}

/** `512B`, `10KB`, `1.5MB`, `1GB` in bytes; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const trimmed = text.trim()
  if (!WHOLE_SIZE.test(trimmed)) return undefined
  const unit = /[A-Za-z]/.exec(trimmed)?.[0]?.toLowerCase() ?? 'b'
  return Math.round(Number.parseFloat(trimmed) * (SIZES[unit] ?? 0))
}

export const RATE_PATTERN = '^\\d+r?/\\d*(ms|s|m|h|d)$'

/** How often: so many in so many ms. */
export interface Rate {
  readonly count: number
  readonly perMs: number
}

/** `100/s`, `5/m`, `1/10s`, and nginx's `100r/s`; undefined for anything else, and for none at all. */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d{1,9})r?\/(\d{1,5})?(ms|s|m|h|d)$/.exec(text.trim())
  if (match === null) return undefined
  const count = Number(match[1])
  const perMs = Number(match[2] ?? '1') * (DURATIONS[match[3] ?? ''] ?? 0)
  return count > 0 && perMs > 0 ? { count, perMs } : undefined
}

/** The largest unit that says it exactly: 90000 is `90s`, 3600000 is `1h`. */
export function showDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms > 0 && ms % (DURATIONS[name] ?? 1) === 0)
  return unit === undefined ? (ms === 0 ? '0' : `${ms}ms`) : `${ms / (DURATIONS[unit] ?? 1)}${unit}`
}

/** The largest unit that says it exactly: 16384 is `16KB`. */
export function showSize(bytes: number): string {
  const unit = ['t', 'g', 'm', 'k'].find((name) => bytes > 0 && bytes % (SIZES[name] ?? 1) === 0)
  if (unit === undefined) return bytes === 0 ? '0' : `${bytes}B`
  return `${bytes / (SIZES[unit] ?? 1)}${unit.toUpperCase()}B`
}
