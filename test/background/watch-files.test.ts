import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/background/clock.ts'
import { FileWatch } from '../../src/background/watch-files.ts'
import { until } from '../supervisor/site.ts'
import { FakeClock, FakeRuns, Log, taskPlan } from './support/fake-clock.ts'

const SETTLE_MS = 40

class Watched {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'portico-watch-'))
  readonly log: Log = new Log()
  readonly runs: FakeRuns = new FakeRuns(new FakeClock('2026-03-01T00:00:00Z'))
  #seen = 0

  /** Paths and patterns in its folder; what is in `before` is there already. */
  constructor(files: readonly string[], before: readonly string[] = []) {
    for (const name of before) this.write(name)
    const plan = {
      ...taskPlan({ overlap: 'allow' }),
      files: files.map((file) => join(this.folder, file)),
      settleMs: SETTLE_MS,
    }
    const watch = new FileWatch(plan, this.runs.task(plan, 'watch'), this.log.logger, systemClock)
    onTestFinished(() => {
      watch.stop()
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  write(name: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), 'x')
  }

  /** Another run has begun. */
  async told(): Promise<void> {
    await until('a run', () => this.runs.begun.length > this.#seen)
    this.#seen = this.runs.begun.length
  }

  /** None begins for a while. */
  async silent(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 3 * SETTLE_MS))
    expect(this.runs.begun).toHaveLength(this.#seen)
  }

  /** What the runs were begun for. */
  get why(): string {
    return this.log.lines.map((line) => line.message).join('\n')
  }
}

it('tells of a file that changes, is replaced, goes and comes', async () => {
  const site = new Watched(['a.conf'], ['a.conf', 'other'])
  appendFileSync(site.path('a.conf'), 'more')
  await site.told()
  site.write('b')
  renameSync(site.path('b'), site.path('a.conf'))
  await site.told()
  rmSync(site.path('a.conf'))
  await site.told()
  site.write('a.conf')
  await site.told()
  appendFileSync(site.path('other'), 'more')
  await site.silent()
})

it('tells of a burst once', async () => {
  const site = new Watched(['logs'], ['logs/a'])
  for (let i = 0; i < 30; i++) site.write(`logs/${i}`)
  await site.told()
  await site.silent()
  expect(site.runs.begun).toHaveLength(1)
})

it('tells of what never rests after ten times as long', async () => {
  const site = new Watched(['a'], ['a'])
  const timer = setInterval(() => site.write('a'), SETTLE_MS / 4)
  onTestFinished(() => clearInterval(timer))
  await site.told()
})

it('sees what comes later, folder by folder', async () => {
  const site = new Watched(['one/two/three.ini'])
  mkdirSync(site.path('one'))
  await site.silent()
  site.write('one/two/three.ini')
  await site.told()
  rmSync(site.path('one'), { recursive: true })
  await site.told()
  site.write('one/two/three.ini')
  await site.told()
  await site.silent()
  appendFileSync(site.path('one/two/three.ini'), 'more')
  await site.told()
})

it('knows patterns, in folders that come later as well', async () => {
  const site = new Watched(['*/conf/*.ini', 'deep/**/*.txt'], ['a/conf/x.ini', 'deep/y.txt'])
  appendFileSync(site.path('a/conf/x.ini'), 'more')
  await site.told()
  site.write('a/conf/x.yaml')
  site.write('a/other/x.ini')
  await site.silent()
  site.write('b/conf/z.ini')
  await site.told()
  site.write('deep/1/2/3/new.txt')
  await site.told()
})

it('watches what is in a folder that is named', async () => {
  const site = new Watched(['flags'], ['flags/a'])
  site.write('flags/b')
  await site.told()
  site.write('flags/deeper/c')
  await site.told()
  appendFileSync(site.path('flags/deeper/c'), 'x')
  await site.silent()
})

it('is not led round in circles', async () => {
  const site = new Watched(['**/*.txt'], ['a/b/c.txt'])
  symlinkSync(site.path('a'), site.path('a/b/again'))
  site.write('a/b/d.txt')
  await site.told()
})
