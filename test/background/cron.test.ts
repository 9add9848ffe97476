import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CronEntry } from '../../src/background/cron.ts'
import { CronFile, type CronMemory } from '../../src/background/cron-memory.ts'
import type { CronPlan } from '../../src/site/background-plan.ts'
import {
  day,
  FakeClock,
  FakeRuns,
  hour,
  Log,
  minute,
  second,
  taskPlan,
} from './support/fake-clock.ts'

const cronPlan = (change: Partial<CronPlan> = {}): CronPlan => ({
  ...taskPlan({ overlap: 'allow' }),
  at: '*/5 * * * *',
  zone: 'UTC',
  missed: 'skip',
  jitterMs: 0,
  ...change,
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'portico-cron-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

class Site {
  readonly clock: FakeClock
  readonly runs: FakeRuns
  readonly memory: CronMemory
  readonly log: Log
  random = 0

  constructor(start: string, memory?: CronMemory) {
    this.clock = new FakeClock(start)
    this.runs = new FakeRuns(this.clock)
    this.log = this.runs.log
    this.memory = memory ?? { get: () => null, set: () => {} }
  }

  entry(plan: CronPlan, before: CronEntry | null = null): CronEntry {
    const { clock, memory, log } = this
    const random = (): number => this.random
    before?.stop()
    const options = { clock, memory, logger: log.logger, random }
    return new CronEntry('key', plan, this.runs.task(plan), options, before)
  }

  get begun(): number {
    return this.runs.begun.length
  }
}

describe('a cron entry', () => {
  it('runs at its times', () => {
    const site = new Site('2026-03-01T00:01:00Z')
    const entry = site.entry(cronPlan())
    expect(entry.next).toBe(Date.parse('2026-03-01T00:05:00Z'))
    site.clock.pass(4 * minute - 1)
    expect(site.begun).toBe(0)
    site.clock.pass(1)
    expect(site.begun).toBe(1)
    site.clock.pass(hour)
    expect(site.begun).toBe(13)
    entry.stop()
    site.clock.pass(hour)
    expect([site.begun, site.clock.alarms]).toEqual([13, 0])
  })

  it('is late by its jitter, and still once for each time', () => {
    const site = new Site('2026-03-01T00:00:00Z')
    site.random = 0.5
    site.entry(cronPlan({ jitterMs: 2 * minute }))
    site.clock.pass(6 * minute - 1)
    expect(site.begun).toBe(0)
    site.clock.pass(1)
    expect(site.begun).toBe(1)
    site.clock.pass(5 * minute)
    expect(site.begun).toBe(2)
  })

  it('goes by its zone when clocks are set', () => {
    const site = new Site('2026-03-28T12:00:00Z')
    site.entry(cronPlan({ at: '30 2 * * *', zone: 'Europe/Berlin' }))
    site.clock.pass(13 * hour - 1)
    expect(site.begun).toBe(0)
    site.clock.pass(1)
    expect(site.begun).toBe(1)
    site.clock.pass(day)
    expect(site.begun).toBe(2)
  })

  it('leaves out what the machine slept through, or makes up for it once', () => {
    const times = { skip: 1, once: 2 } as const
    for (const missed of ['skip', 'once'] as const) {
      const site = new Site('2026-03-01T00:00:00Z')
      site.entry(cronPlan({ missed }))
      site.clock.leap(3 * hour + 1 * minute)
      // It is noticed within seconds.
      site.clock.pass(15 * second)
      expect(site.begun).toBe(times[missed] - 1)
      expect(site.log.of('warn')).toHaveLength(missed === 'skip' ? 1 : 0)
      site.clock.pass(4 * minute)
      expect(site.begun).toBe(times[missed])
    }
  })

  it('runs what is late by less than a minute', () => {
    const site = new Site('2026-03-01T00:00:00Z')
    site.entry(cronPlan({ at: '0 1 * * *' }))
    site.clock.leap(hour + 40 * second)
    site.clock.pass(15 * second)
    expect(site.begun).toBe(1)
  })

  it('does not run again because a clock is corrected by a little', () => {
    const site = new Site('2026-03-01T00:00:00Z')
    site.entry(cronPlan({ at: '0 1 * * *' }))
    site.clock.pass(hour)
    expect(site.begun).toBe(1)
    site.clock.leap(-10 * minute)
    site.clock.pass(hour)
    expect(site.begun).toBe(1)
  })

  it('follows a clock that was wrong by hours, and a frequent one any clock', () => {
    const daily = new Site('2026-03-02T00:00:00Z')
    daily.entry(cronPlan({ at: '0 1 * * *' }))
    daily.clock.leap(-2 * day)
    daily.clock.pass(hour + minute)
    expect(daily.begun).toBe(1)
    const frequent = new Site('2026-03-01T12:00:00Z')
    frequent.entry(cronPlan())
    frequent.clock.leap(-hour)
    frequent.clock.pass(10 * minute)
    expect(frequent.begun).toBe(2)
  })

  it('runs nothing twice and forgets nothing when it is defined anew', () => {
    const site = new Site('2026-03-01T00:00:00Z')
    const first = site.entry(cronPlan())
    site.clock.pass(5 * minute)
    const second = site.entry(cronPlan({ overlap: 'queue' }), first)
    expect(site.begun).toBe(1)
    site.clock.pass(5 * minute)
    expect(site.begun).toBe(2)
    // Other times: what has passed is no missed run.
    site.entry(cronPlan({ at: '0 0 * * *', missed: 'once' }), second)
    site.clock.pass(hour)
    expect(site.begun).toBe(2)
  })

  it('makes up, once, for what a stopped site missed', () => {
    const path = folder()
    const plan = cronPlan({ at: '0 3 * * *', missed: 'once' })
    const first = new Site('2026-03-01T00:00:00Z', new CronFile(path, new Log().logger))
    first.entry(plan).stop()
    const second = new Site('2026-03-03T12:00:00Z', new CronFile(path, new Log().logger))
    const entry = second.entry(plan)
    second.clock.pass(second.begun)
    expect(second.begun).toBe(1)
    entry.stop()
    const third = new Site('2026-03-03T13:00:00Z', new CronFile(path, new Log().logger))
    third.entry(plan)
    third.clock.pass(hour)
    expect(third.begun).toBe(0)
    // With other times there is nothing that it has missed.
    const fourth = new Site('2026-03-09T13:00:00Z', new CronFile(path, new Log().logger))
    fourth.entry({ ...plan, at: '0 4 * * *' })
    fourth.clock.pass(hour)
    expect(fourth.begun).toBe(0)
  })
})

describe('the memory of crons', () => {
  const plan = cronPlan()

  it('outlives the site', () => {
    const path = join(folder(), 'new', 'folders')
    const now = Date.now()
    new CronFile(path, new Log().logger).set('a', plan, now)
    expect(new CronFile(path, new Log().logger).get('a', plan)).toBe(now)
    expect(readFileSync(join(path, 'cron.json'), 'utf8')).toContain('*/5')
  })

  it.each(['', '{"a":', '[1]', 'null', '{"a":{"at":1}}', '{"a":{"at":"*/5 * * * *","since":"x"}}'])(
    'is not upset by a file that holds %s',
    (text) => {
      const path = folder()
      writeFileSync(join(path, 'cron.json'), text)
      const file = new CronFile(path, new Log().logger)
      expect(file.get('a', plan)).toBeNull()
      file.set('a', plan, Date.now())
      expect(new CronFile(path, new Log().logger).get('a', plan)).not.toBeNull()
    },
  )

  it('says once that its disk takes nothing, and goes on', () => {
    const log = new Log()
    const path = join(folder(), 'file')
    writeFileSync(path, '')
    const file = new CronFile(join(path, 'below'), log.logger)
    for (let i = 0; i < 3; i++) file.set('a', plan, i)
    expect(file.get('a', plan)).toBe(2)
    expect(log.of('warn')).toEqual([expect.stringContaining('`state:`')])
  })

  it('is not led to write elsewhere by a link', () => {
    const path = folder()
    writeFileSync(join(path, 'precious'), 'precious')
    symlinkSync(join(path, 'precious'), join(path, 'cron.json.new'))
    new CronFile(path, new Log().logger).set('a', plan, Date.now())
    expect(readFileSync(join(path, 'precious'), 'utf8')).toBe('precious')
    expect(readFileSync(join(path, 'cron.json'), 'utf8')).toContain('*/5')
  })

  it('forgets what has not run for longer than any year', () => {
    const path = folder()
    const old = { at: plan.at, zone: plan.zone, since: Date.now() - 401 * day }
    writeFileSync(join(path, 'cron.json'), JSON.stringify({ a: old }))
    expect(new CronFile(path, new Log().logger).get('a', plan)).toBeNull()
  })
})
