/** Jobs in a file of this machine: the promises of every engine, and those of a file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import type { JobEngine } from '../../src/jobs/engine.ts'
import { openLocal } from '../../src/jobs/local/engine.ts'
import { engineSuite } from './engines.ts'

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
