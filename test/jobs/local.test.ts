/** Jobs in a file of this machine: the promises of every engine, and those of a file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { JobEngine } from '../../src/jobs/engine.ts'
import { openLocal } from '../../src/jobs/local/engine.ts'
import { Store } from '../../src/jobs/local/store.ts'
import { engineSuite, makeJob } from './engines.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-jobs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the local engine', () => {
  const path = join(folder, 'jobs.db')
  engineSuite({
    looksInside: true,
    single: true,
    open: (events) => openLocal({ path, largest: 0 }, { work() {}, warn() {}, ...events }),
    // Its state is in the file alone: nothing is done at the close that matters.
    crash: (engine: JobEngine) => engine.close(),
  })
})

describe('the file of the local engine', () => {
  const events = { work() {}, warn() {} }

  /** A process of its own that puts jobs one after another and tells each that was taken. */
  function putter(path: string, more: readonly string[] = []): ChildProcess {
    const program = fileURLToPath(new URL('./putter.ts', import.meta.url))
    const [file = '', ...args] = [...more, process.execPath, program, path]
    return spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  }

  async function told(
    child: ChildProcess,
    enough: (lines: string[]) => boolean,
  ): Promise<string[]> {
    let text = ''
    for await (const chunk of child.stdout!) {
      text += chunk
      if (enough(text.split('\n'))) child.kill('SIGKILL')
    }
    return text.split('\n').slice(0, -1)
  }

  it('keeps every job that was taken before kill -9, and what follows a torn write is cut off', async () => {
    const path = join(folder, 'killed.db')
    const taken = await told(putter(path), (lines) => lines.length > 300)
    // The last write was cut off in its middle.
    writeFileSync(`${path}-wal`, Buffer.alloc(3000, 0x5a), { flag: 'a' })
    const engine = await openLocal({ path, largest: 0 }, events)
    const kept = await engine.records.list('default', 'waiting', 100_000)
    const ids = new Set(kept.map(({ id }) => id))
    expect(taken.filter((id) => !ids.has(id))).toEqual([])
    expect(taken.length).toBeGreaterThanOrEqual(300)
    await engine.close()
  })

  it('says that the room is used up, keeps what it has, and goes on when there is room again', async () => {
    const path = join(folder, 'full.db')
    const engine = await openLocal({ path, largest: 200_000 }, events)
    const payload = Buffer.alloc(10_000)
    const put = (): Promise<string> => engine.put(makeJob('q', { payload, keepMs: 0 }))
    const answers = await Promise.allSettled(Array.from({ length: 40 }, put))
    const taken = answers.filter(({ status }) => status === 'fulfilled').length
    expect(taken).toBeGreaterThan(5)
    const refused = answers.find((answer) => answer.status === 'rejected')
    expect(refused?.reason).toMatchObject({ code: 'FULL' })
    expect(String(refused?.reason)).toContain('raise jobs.size')
    expect((await engine.records.queues())[0]?.waiting).toBe(taken)
    for (const held of (await engine.lease('q', 10)).held) {
      expect(await engine.settle(held, { kind: 'done', result: Buffer.alloc(0) })).toBe(true)
    }
    await put()
    await engine.close()
  })

  it('says so when a write fails', async () => {
    const path = join(folder, 'limited.db')
    const limited = ['/bin/sh', '-c', 'trap "" XFSZ; ulimit -f 400; exec "$@"', 'limited']
    const lines = await told(putter(path, limited), (all) =>
      all.some((line) => line.startsWith('!')),
    )
    expect(lines.at(-1)).toMatch(/^!FULL .*(no room|cannot be written)/)
    const engine = await openLocal({ path, largest: 0 }, events)
    const kept = await engine.records.list('default', 'waiting', 100_000)
    expect(kept.length).toBeGreaterThanOrEqual(lines.filter((line) => !line.startsWith('!')).length)
    await engine.close()
  })

  it('refuses a file that is none of ours, damaged, or somebody else’s, with the remedy', async () => {
    const path = join(folder, 'foreign.db')
    writeFileSync(path, 'hello '.repeat(1000))
    await expect(openLocal({ path, largest: 0 }, events)).rejects.toThrow(/damaged.*move it away/)
    const mine = join(folder, 'mine.db')
    const engine = await openLocal({ path: mine, largest: 0 }, events)
    await expect(openLocal({ path: mine, largest: 0 }, events)).rejects.toThrow(/one running site/)
    await engine.close()
    const nowhere = join(folder, 'no', 'where.db')
    await expect(openLocal({ path: nowhere, largest: 0 }, events)).rejects.toThrow(
      /cannot be opened/,
    )
  })

  it('forgets results when their time is over', async () => {
    const path = join(folder, 'results.db')
    const store = new Store(path, 0)
    const job = makeJob('q', { keepMs: 1000 })
    store.put(job, 0)
    const [held] = store.lease('q', 1, 'r', 0).held
    expect(store.settle(held!, { kind: 'done', result: Buffer.from('1') }, 500)).toBe(true)
    expect(store.find(job.id, 1_499)?.state).toBe('done')
    expect(store.find(job.id, 1_500)).toBeNull()
    store.forget(1_500)
    expect(store.put(job, 2_000)).toBe(job.id)
    expect(store.find(job.id, 2_000)?.state).toBe('waiting')
    store.close()
  })

  it('takes the word of a worker that outlived the process about a job that nobody began again', async () => {
    const path = join(folder, 'outlived.db')
    const before = await openLocal({ path, largest: 0 }, events)
    await before.put(makeJob('q'))
    const [held] = (await before.lease('q', 1)).held
    await before.close()
    const after = await openLocal({ path, largest: 0 }, events)
    expect(await after.settle(held!, { kind: 'done', result: Buffer.alloc(0) })).toBe(true)
    expect((await after.lease('q', 1)).held).toEqual([])
    await after.close()
  })
})
