/**
 * Cron expressions as Vixie cron has them (crontab(5)): five fields, names, ranges, steps, lists and
 * `@daily` and the like. Pure: text in, instants out, no clock.
 *
 * When clocks are set (daylight saving time), what is to run at a time of day runs exactly once: right
 * after a leap that passes over its time, and at the first of two times that look the same. What runs
 * every minute or every hour (`*` begins the minute or the hour) goes by the hours that really pass.
 */
import { firstInstant, nextShift, offsetAt, wallTime } from './zoned-time.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const DAYS_A_WEEK = 7
/** 29 February on a given day of the week comes back after at most this long, over a year like 2100. */
const FURTHEST_DAYS = 41 * 366

export interface CronExpression {
  readonly minutes: readonly boolean[]
  readonly hours: readonly boolean[]
  /** By number: index 0 of days of the month and of months is never set. */
  readonly days: readonly boolean[]
  readonly months: readonly boolean[]
  /** 0 is Sunday. */
  readonly weekdays: readonly boolean[]
  /** Either kind of day is enough: both fields say something. */
  readonly eitherDay: boolean
  /** It goes by the hours that pass and not by the time of day. */
  readonly isFrequent: boolean
}

/** What is wrong with an expression, in words that name the field. */
export class CronSyntaxError extends Error {}

interface Field {
  readonly name: string
  readonly from: number
  readonly to: number
  readonly names: readonly string[]
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const WEEKDAYS = 'sun mon tue wed thu fri sat'.split(' ')

const FIELDS: readonly Field[] = [
  { name: 'minute', from: 0, to: 59, names: [] },
  { name: 'hour', from: 0, to: 23, names: [] },
  { name: 'day of the month', from: 1, to: 31, names: [] },
  { name: 'month', from: 1, to: 12, names: MONTHS },
  { name: 'day of the week', from: 0, to: 7, names: WEEKDAYS },
]

const SHORT: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** Longer is no cron expression, characters. */
const LONGEST = 1_000
const DAYS_IN = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Throws CronSyntaxError. */
export function parseCron(text: string): CronExpression {
  if (text.length > LONGEST) throw new CronSyntaxError(`longer than ${LONGEST} characters`)
  const trimmed = text.trim()
  const whole = trimmed.startsWith('@') ? SHORT[trimmed.toLowerCase()] : trimmed
  if (whole === undefined) {
    throw new CronSyntaxError(`${trimmed} is none of ${Object.keys(SHORT).join(', ')}`)
  }
  const words = whole === '' ? [] : whole.split(/[ \t]+/)
  if (words.length !== FIELDS.length) {
    const names = FIELDS.map((field) => field.name).join(', ')
    throw new CronSyntaxError(`${words.length} fields instead of five: ${names}`)
  }
  const [minute = '', hour = '', day = '', , weekday = ''] = words
  const sets = FIELDS.map((field, index) => parseField(words[index] ?? '', field))
  const [minutes = [], hours = [], days = [], months = [], week = []] = sets
  const expression = {
    minutes,
    hours,
    days,
    months,
    // Sunday is both 0 and 7.
    weekdays: WEEKDAYS.map((_, number) => week[number] === true || week[number + 7] === true),
    eitherDay: !day.startsWith('*') && !weekday.startsWith('*'),
    isFrequent: minute.startsWith('*') || hour.startsWith('*'),
  }
  const ever = months.some((set, month) => set && days.indexOf(true) <= (DAYS_IN[month] ?? 0))
  if (!ever && !expression.eitherDay) {
    throw new CronSyntaxError(`no such day: none of its months has day ${days.indexOf(true)}`)
  }
  return expression
}

function parseField(text: string, field: Field): boolean[] {
  const set = new Array<boolean>(field.to + 1).fill(false)
  for (const part of text.split(',')) {
    const [range = '', step, ...more] = part.split('/')
    const by = step === undefined ? 1 : /^\d{1,3}$/.test(step) ? Number(step) : 0
    if (by === 0 || more.length > 0) {
      throw new CronSyntaxError(`${field.name}: ${show(part)} has no step from 1 up`)
    }
    const [first, last] = parseRange(range, field)
    // As Vixie cron has it, a step needs a range.
    if (step !== undefined && range !== '*' && !range.includes('-')) {
      throw new CronSyntaxError(
        `${field.name}: a step goes with a range, as in ${show(`${range}-${field.to}/${step}`)}`,
      )
    }
    for (let value = first; value <= last; value += by) set[value] = true
  }
  return set
}

function parseRange(text: string, field: Field): readonly [first: number, last: number] {
  if (text === '*') return [field.from, field.names === WEEKDAYS ? 6 : field.to]
  const [low = '', high = low, ...more] = text.split('-')
  if (more.length > 0) throw new CronSyntaxError(`${field.name}: ${show(text)} is no range`)
  const first = parseValue(low, field)
  let last = parseValue(high, field)
  // `fri-sun`: names have no second number for Sunday.
  if (field.names === WEEKDAYS && last === 0 && first > 0 && /^sun/i.test(high)) last = DAYS_A_WEEK
  if (first > last) {
    throw new CronSyntaxError(`${field.name}: ${show(text)} begins behind its end`)
  }
  return [first, last]
}

function parseValue(text: string, { name, from, to, names }: Field): number {
  const named = names.indexOf(text.toLowerCase())
  if (named >= 0) return named + from
  const value = /^\d{1,2}$/.test(text) ? Number(text) : -1
  if (value >= from && value <= to) return value
  const or = names.length > 0 ? ` or a name such as ${names[0]}` : ''
  throw new CronSyntaxError(`${name}: ${show(text)} is no number from ${from} to ${to}${or}`)
}

function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}

/**
 * The first instant after `after` (both ms since 1970) at which it is due by the clocks of `zone`, `''`
 * being the machine's own; null when that never comes.
 */
export function nextRun(expression: CronExpression, after: number, zone: string): number | null {
  return expression.isFrequent
    ? nextByHours(expression, after, zone)
    : nextByTimeOfDay(expression, after, zone)
}

/** Between two shifts of the clocks a wall time is an instant at a fixed distance. */
function nextByHours(expression: CronExpression, after: number, zone: string): number | null {
  const end = after + FURTHEST_DAYS * DAY
  for (let from = after; from < end; ) {
    const offset = offsetAt(from, zone)
    const wall = nextWall(expression, from === after ? from + offset : from + offset - 1)
    if (wall === null) return null
    const shift = nextShift(from, wall - offset, zone)
    if (shift === null) return wall - offset
    from = shift
  }
  return null
}

function nextByTimeOfDay(expression: CronExpression, after: number, zone: string): number | null {
  for (let wall: number | null = wallTime(after, zone) - MINUTE; ; ) {
    wall = nextWall(expression, wall)
    if (wall === null) return null
    const instant = firstInstant(wall, zone)
    if (instant > after) return instant
  }
}

/** The first whole minute after the wall time `after` that fits. */
function nextWall(expression: CronExpression, after: number): number | null {
  const start = (Math.floor(after / MINUTE) + 1) * MINUTE
  const firstDay = Math.floor(start / DAY) * DAY
  for (let count = 0; count < FURTHEST_DAYS; count++) {
    const day = firstDay + count * DAY
    if (!isDay(expression, day)) continue
    const minute = firstMinute(expression, count === 0 ? (start - firstDay) / MINUTE : 0)
    if (minute !== null) return day + minute * MINUTE
  }
  return null
}

function isDay(expression: CronExpression, wall: number): boolean {
  const { days, months, weekdays, eitherDay } = expression
  const date = new Date(wall)
  if (months[date.getUTCMonth() + 1] !== true) return false
  const byMonth = days[date.getUTCDate()] === true
  const byWeek = weekdays[date.getUTCDay()] === true
  return eitherDay ? byMonth || byWeek : byMonth && byWeek
}

/** The first minute of a day that fits, from minute `from` on. */
function firstMinute({ hours, minutes }: CronExpression, from: number): number | null {
  for (let hour = Math.floor(from / 60); hour < 24; hour++) {
    if (hours[hour] !== true) continue
    for (let minute = hour === Math.floor(from / 60) ? from % 60 : 0; minute < 60; minute++) {
      if (minutes[minute] === true) return hour * 60 + minute
    }
  }
  return null
}
