import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CronExpression,
  CronSyntaxError,
  nextRun,
  parseCron,
} from '../../src/background/cron-expression.ts'
import { wallTime } from '../../src/background/zoned-time.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** The next runs after a time in UTC, in UTC. */
function runs(text: string, zone: string, after: string, count: number): string[] {
  const expression = parseCron(text)
  const found: string[] = []
  let at = Date.parse(`${after}:00Z`)
  for (let i = 0; i < count; i++) {
    const next = nextRun(expression, at, zone)
    if (next === null) break
    at = next
    found.push(new Date(at).toISOString().slice(0, 16))
  }
  return found
}

describe('cron expressions', () => {
  it.each([
    ['*/20 * * * *', ['2026-03-01T00:20', '2026-03-01T00:40', '2026-03-01T01:00']],
    ['5,10-12 9-10/1 * * *', ['2026-03-01T09:05', '2026-03-01T09:10', '2026-03-01T09:11']],
    ['0 0 * jan,JUL *', ['2026-07-01T00:00', '2026-07-02T00:00', '2026-07-03T00:00']],
    ['0 12 * * mon-wed', ['2026-03-02T12:00', '2026-03-03T12:00', '2026-03-04T12:00']],
    ['0 12 * * 7', ['2026-03-01T12:00', '2026-03-08T12:00', '2026-03-15T12:00']],
    ['0 12 * * fri-sun', ['2026-03-01T12:00', '2026-03-06T12:00', '2026-03-07T12:00']],
    // Either day will do …
    ['0 0 13 * fri', ['2026-03-06T00:00', '2026-03-13T00:00', '2026-03-20T00:00']],
    // … but a field that begins with a star is no restriction of its own.
    ['0 0 */2 * fri', ['2026-03-13T00:00', '2026-03-27T00:00', '2026-04-03T00:00']],
    ['0 0 29 2 *', ['2028-02-29T00:00', '2032-02-29T00:00', '2036-02-29T00:00']],
    ['0 0 31 * *', ['2026-03-31T00:00', '2026-05-31T00:00', '2026-07-31T00:00']],
    ['@hourly', ['2026-03-01T01:00', '2026-03-01T02:00', '2026-03-01T03:00']],
    ['@Daily', ['2026-03-02T00:00', '2026-03-03T00:00', '2026-03-04T00:00']],
    ['@weekly', ['2026-03-08T00:00', '2026-03-15T00:00', '2026-03-22T00:00']],
    ['@monthly', ['2026-04-01T00:00', '2026-05-01T00:00', '2026-06-01T00:00']],
    ['@yearly', ['2027-01-01T00:00', '2028-01-01T00:00', '2029-01-01T00:00']],
  ])('%s', (text, expected) => {
    expect(runs(text, 'UTC', '2026-03-01T00:00', 3)).toEqual(expected)
  })

  it('29 February on a Monday comes after 28 years, over 2100 after 40', () => {
    expect(runs('0 0 29 2 */8', 'UTC', '2060-01-01T00:00', 2)).toEqual([
      '2060-02-29T00:00',
      '2088-02-29T00:00',
    ])
    expect(runs('0 0 29 2 */8', 'UTC', '2088-03-01T00:00', 1)).toEqual(['2128-02-29T00:00'])
  })

  it.each([
    ['', '0 fields instead of five'],
    ['* * * *', '4 fields'],
    ['* * * * * *', '6 fields'],
    ['60 * * * *', 'minute: "60" is no number from 0 to 59'],
    ['* 24 * * *', 'hour:'],
    ['* * 0 * *', 'day of the month:'],
    ['* * * 13 *', 'month: "13" is no number from 1 to 12 or a name such as jan'],
    ['* * * * 8', 'day of the week:'],
    ['5-1 * * * *', 'begins behind its end'],
    ['*/0 * * * *', 'no step'],
    ['*/ * * * *', 'no step'],
    ['5/10 * * * *', 'a step goes with a range, as in "5-59/10"'],
    ['1-2-3 * * * *', 'no range'],
    ['1,,2 * * * *', 'minute: ""'],
    ['-1 * * * *', 'minute: ""'],
    ['* * L * *', 'day of the month: "L"'],
    ['0 0 30 2 *', 'no such day'],
    ['0 0 31 4,6,9,11 *', 'no such day'],
    ['@fortnightly', 'none of @yearly'],
    ['*'.repeat(2000), 'longer than'],
  ])('%s is refused', (text, reason) => {
    expect(() => parseCron(text)).toThrow(CronSyntaxError)
    expect(() => parseCron(text)).toThrow(reason)
  })

  it('never fails in any other way', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789*/-, @jansuL\t') }), (text) => {
        try {
          parseCron(text)
        } catch (error) {
          expect(error).toBeInstanceOf(CronSyntaxError)
        }
      }),
    )
  })
})

describe('when clocks are set', () => {
  // Berlin leaps from 2:00 to 3:00 at 2026-03-29T01:00Z and back from 3:00 to 2:00 at 2026-10-25T01:00Z.
  it.each([
    // Leapt over: right after the leap, once.
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T02:00', ['2026-03-29T01:00', '2026-03-30T00:30']],
    ['0,30 2 * * *', 'Europe/Berlin', '2026-03-28T02:00', ['2026-03-29T01:00', '2026-03-30T00:00']],
    // Its own time is the moment right after the leap.
    ['0 2,3 * * *', 'Europe/Berlin', '2026-03-28T12:00', ['2026-03-29T01:00', '2026-03-30T00:00']],
    // Twice the same time: once.
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00', ['2026-10-25T00:30', '2026-10-26T01:30']],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:45', ['2026-10-26T01:30']],
    // By the hours that pass.
    [
      '30 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:45',
      ['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'],
    ],
    [
      '*/30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T23:45',
      ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30'],
    ],
    ['*/30 2 * * *', 'Europe/Berlin', '2026-03-29T00:00', ['2026-03-30T00:00']],
    ['0 * * * *', 'Europe/Berlin', '2026-03-29T00:00', ['2026-03-29T01:00', '2026-03-29T02:00']],
    // Half an hour (Lord Howe), at midnight (Beirut), a whole day (Samoa), no whole hours (Nepal).
    [
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T00:00',
      ['2026-10-03T15:30', '2026-10-04T15:15'],
    ],
    ['0 0 * * *', 'Asia/Beirut', '2026-03-28T12:00', ['2026-03-28T22:00', '2026-03-29T21:00']],
    ['0 12 * * *', 'Pacific/Apia', '2011-12-29T23:00', ['2011-12-30T10:00', '2011-12-30T22:00']],
    ['0 6 * * *', 'Asia/Kathmandu', '2026-01-01T00:00', ['2026-01-01T00:15', '2026-01-02T00:15']],
  ])('%s in %s after %s', (text, zone, after, expected) => {
    expect(runs(text, zone, after, expected.length)).toEqual(expected)
  })
})

/** A daemon that looks at the clock every minute, as Vixie cron does. */
function* daemon(expression: CronExpression, from: number, zone: string): Generator<number> {
  const fits = (wall: number): boolean => {
    const date = new Date(wall)
    const byMonth = expression.days[date.getUTCDate()] === true
    const byWeek = expression.weekdays[date.getUTCDay()] === true
    return (
      expression.minutes[date.getUTCMinutes()] === true &&
      expression.hours[date.getUTCHours()] === true &&
      expression.months[date.getUTCMonth() + 1] === true &&
      (expression.eitherDay ? byMonth || byWeek : byMonth && byWeek)
    )
  }
  // Far enough back to have seen whatever time comes twice.
  let furthest = wallTime(from - 26 * HOUR, zone)
  for (let at = from - 26 * HOUR + MINUTE; ; at += MINUTE) {
    const wall = wallTime(at, zone)
    let due = expression.isFrequent && fits(wall)
    for (; furthest < wall; furthest += MINUTE) {
      due ||= !expression.isFrequent && fits(furthest + MINUTE)
    }
    if (due && at > from) yield at
  }
}

const field = (from: number, to: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    fc.integer({ min: 1, max: to }).map((step) => `*/${step}`),
    fc
      .uniqueArray(fc.integer({ min: from, max: to }), { minLength: 1, maxLength: 4 })
      .map((values) => values.join(',')),
    fc
      .tuple(
        fc.integer({ min: from, max: to }),
        fc.integer({ min: from, max: to }),
        fc.integer({ min: 1, max: 5 }),
      )
      .map(([a, b, step]) => `${Math.min(a, b)}-${Math.max(a, b)}/${step}`),
  )
const nearlyDaily = fc
  .tuple(field(0, 59), field(0, 23), field(1, 31), fc.constant('*'), field(0, 7))
  .map((fields) => fields.join(' '))

describe('oracles', () => {
  it('a daemon that looks every minute agrees, in every zone and around every shift', () => {
    const moments = [
      ['Europe/Berlin', '2026-03-29T01:00'],
      ['Europe/Berlin', '2026-10-25T01:00'],
      ['America/New_York', '2026-03-08T07:00'],
      ['America/New_York', '2026-11-01T06:00'],
      ['Australia/Lord_Howe', '2026-04-04T15:00'],
      ['Australia/Lord_Howe', '2026-10-03T15:30'],
      ['Africa/Casablanca', '2026-02-15T02:00'],
      ['Asia/Kathmandu', '2026-05-01T00:00'],
      ['UTC', '2026-02-28T12:00'],
    ] as const
    fc.assert(
      fc.property(
        nearlyDaily,
        fc.constantFrom(...moments),
        fc.integer({ min: -20 * 60, max: 5 * 60 }),
        (text, [zone, moment], minutes) => {
          const expression = parseCron(text)
          const from = Date.parse(`${moment}:00Z`) + minutes * MINUTE
          const until = from + 26 * HOUR
          const expected: number[] = []
          for (const at of daemon(expression, from, zone)) {
            if (at > until) break
            expected.push(at)
          }
          const found: number[] = []
          for (let at: number | null = from; at !== null; ) {
            at = nextRun(expression, at, zone)
            if (at === null || at > until) break
            found.push(at)
          }
          expect(found.map((at) => new Date(at))).toEqual(expected.map((at) => new Date(at)))
        },
      ),
      { numRuns: 25 },
    )
  }, 30_000)

  it('croniter agrees, in UTC', () => {
    const texts = fc.sample(
      fc
        .tuple(
          field(0, 59),
          field(0, 23),
          fc.oneof(fc.constant('*'), fc.integer({ min: 1, max: 28 }).map(String)),
          field(1, 12),
          fc.oneof(fc.constant('*'), fc.integer({ min: 0, max: 6 }).map(String)),
        )
        .map((fields) => fields.join(' ')),
      300,
    )
    const from = Date.parse('2026-02-27T23:59:00Z')
    const program = [
      'import json, sys',
      'from croniter import croniter',
      'for text in json.load(sys.stdin):',
      `    runs = croniter(text, ${from / 1000})`,
      '    print(json.dumps([int(runs.get_next(float)) for _ in range(20)]))',
    ]
    const out = execFileSync('/usr/bin/python3', ['-c', program.join('\n')], {
      input: JSON.stringify(texts),
      encoding: 'utf8',
    })
    const expected: number[][] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const [index, text] of texts.entries()) {
      const expression = parseCron(text)
      const found: number[] = []
      for (let at = from; found.length < 20; ) {
        at = nextRun(expression, at, 'UTC') ?? Number.NaN
        found.push(at / 1000)
      }
      expect([text, ...found]).toEqual([text, ...(expected[index] ?? [])])
    }
  })
})
