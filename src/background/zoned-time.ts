/**
 * Wall clocks of time zones, by Intl alone. A wall time is written as the milliseconds that a clock in
 * UTC would show it at: plain arithmetic works on it, and it says nothing about when it is.
 */

const MINUTE = 60_000
const DAY = 86_400_000

const formats = new Map<string, Intl.DateTimeFormat>()

/** `''` is the machine's own zone. Throws RangeError for a name that nobody knows. */
function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      ...(zone === '' ? {} : { timeZone: zone }),
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  return format
}

/** Whether Intl knows a time zone of this name; `''` is the machine's own. */
export function isZone(zone: string): boolean {
  try {
    formatOf(zone)
    return true
  } catch {
    return false
  }
}

/** What the clocks of `zone` show at `instant` (ms since 1970), to the second. */
export function wallTime(instant: number, zone: string): number {
  const shown: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(instant)) shown[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** By how much the clocks of `zone` are ahead of UTC at `instant`, ms. */
export function offsetAt(instant: number, zone: string): number {
  return wallTime(instant, zone) - Math.floor(instant / 1000) * 1000
}

/**
 * The first instant in (`from`, `to`] at which the clocks of `zone` are set, or null. Zones keep what
 * they are set to for longer than a day.
 */
export function nextShift(from: number, to: number, zone: string): number | null {
  const before = offsetAt(from, zone)
  for (let at = from; at < to; ) {
    const next = Math.min(at + DAY, to)
    if (offsetAt(next, zone) !== before) return bisect(at, next, before, zone)
    at = next
  }
  return null
}

/** The first whole second in (`low`, `high`] at which the offset is no longer `before`. */
function bisect(low: number, high: number, before: number, zone: string): number {
  let [first, last] = [Math.floor(low / 1000), Math.ceil(high / 1000)]
  while (last - first > 1) {
    const middle = Math.floor((first + last) / 2)
    if (offsetAt(middle * 1000, zone) === before) first = middle
    else last = middle
  }
  return last * 1000
}

/**
 * When the clocks of `zone` show `wall` for the first time. A time that they leap over counts as the
 * moment right after the leap.
 */
export function firstInstant(wall: number, zone: string): number {
  const earlier = offsetAt(wall - DAY, zone)
  const later = offsetAt(wall + DAY, zone)
  // The larger offset gives the earlier instant.
  for (const offset of [Math.max(earlier, later), Math.min(earlier, later)]) {
    if (offsetAt(wall - offset, zone) === offset) return wall - offset
  }
  return nextShift(wall - later - MINUTE, wall - earlier + MINUTE, zone) ?? wall - earlier
}
