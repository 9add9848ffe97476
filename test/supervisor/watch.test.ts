import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Logger } from '../../src/supervisor/logger.ts'
import { type Watcher, watchSite } from '../../src/supervisor/watch.ts'
import { appPlan, sitePlan, until } from './site.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

test('sources and templates of every language are watched, data is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-watch-'))
  try {
    const plan = sitePlan(folder, { apps: { app: appPlan({ dir: folder }) } })
    const told: string[] = []
    const watch = watchSite(plan, silent, (path) => told.push(extname(path)))
    for (const end of ['.json', '.log', '.sqlite3', '.yaml', '']) {
      writeFileSync(join(folder, `data${end}`), '')
    }
    const sources = '.py .ts .mts .tsx .psgi .pm .pl .tt .ru .rb .erb .html'.split(' ')
    for (const [i, end] of sources.entries()) {
      writeFileSync(join(folder, `source${end}`), '')
      await until(`${end} to be told`, () => told.length > i, 2_000)
    }
    expect(told).toEqual(sources)
    watch.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.for([0, 40])('what changes %s ms before another watch takes over is told', async (early) => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-watch-'))
  try {
    const file = join(folder, 'shop.py')
    writeFileSync(file, 'one')
    const plan = sitePlan(folder, { apps: { app: appPlan({ dir: folder }) } })
    const told: string[] = []
    const watch = (before: Watcher | null): Watcher =>
      watchSite(plan, silent, (path) => told.push(path), before)
    const first = watch(null)
    writeFileSync(file, 'two')
    // 0: the kernel knows, but nobody has asked it yet.
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    const second = watch(first)
    await until('the change to be told', () => told.length > 0, 2_000)
    expect(told).toEqual([file])
    second.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
