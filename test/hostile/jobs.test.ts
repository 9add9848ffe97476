/** Jobs that mean harm: by their names, and by what they leave behind. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import type { Desk, Wanted } from '../../src/jobs/desk.ts'
import type { Held } from '../../src/jobs/engine.ts'
import { Runner } from '../../src/jobs/runner.ts'
import type { QueuePlan } from '../../src/site/jobs-plan.ts'
import { until } from '../supervisor/site.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PACKAGE = fileURLToPath(new URL('../../src/runtimes/python', import.meta.url))

/** What Python prints when a job of that name is looked for. */
function find(name: string): string {
  const code = `
from portico import jobs
try:
    print("found", jobs.find(${JSON.stringify(name)}).name)
except jobs.Missing:
    print("missing")`
  const env = { PYTHONPATH: `${PACKAGE}:${folder}`, PYTHONDONTWRITEBYTECODE: '1' }
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', code], { env })
  return String(stdout) + String(stderr)
}

test('a job’s name imports the application’s modules, and nothing else that Python has', () => {
  writeFileSync(
    join(folder, 'own_tasks.py'),
    'from portico import job\n@job\ndef send():\n    pass\n',
  )
  expect(find('own_tasks.send')).toBe('found own_tasks.send\n')
  // These say something, or worse, when they are imported.
  for (const name of ['this.x', 'antigravity.x', '__main__.x', '..x', 'flask.x']) {
    expect(find(name)).toBe('missing\n')
  }
})

test('a job that leaves something behind, which holds its pipes, keeps no place', async () => {
  const done: string[] = []
  const waiting: Wanted[] = []
  const desk = {
    lease: (wanted: Wanted) => {
      waiting.push(wanted)
      return () => {}
    },
    touch: () => true,
    done: async (id: string) => done.push(id) > 0,
  } as unknown as Desk
  const plan = {
    run: ['sh', '-c', 'setsid sleep 20 & sleep 0.3'],
    dir: '/',
    workers: 1,
    deadlineMs: 0,
  } as unknown as QueuePlan
  const runner = new Runner(desk, { queue: 'q', plan, longest: 1000, log: () => {} })
  const job = { id: 'a', name: 'n', queue: 'q', payload: Buffer.alloc(0), attempts: 1 }
  waiting.shift()!.take({ id: 'a', receipt: 'r', job } as unknown as Held)
  await until('the job to be over', () => done.includes('a'))
  expect(waiting).toHaveLength(1)
  runner.stop()
})
