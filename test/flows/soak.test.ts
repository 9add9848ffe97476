/** Twenty seconds of what `npm run soak` does for ten minutes: everything at once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { killEverything } from '../../bench/harness/processes.ts'
import { judge } from '../../bench/soak/judging.ts'
import { soak } from '../../bench/soak/soak.ts'
import { addRestarts } from '../../src/supervisor/restarts.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-soak-'))

afterAll(() => {
  killEverything()
  rmSync(folder, { recursive: true, force: true })
})

test('reloads, kills, recycling, leaks and sleepers: every request is answered', async () => {
  const facts = await soak({
    folder: join(folder, 'site'),
    seconds: 18,
    whole: true,
    reloadMs: 3_000,
    killMs: 1_000,
    recycle: 100,
    deadlineMs: 3_000,
    kept: 10,
    fresh: 2,
    pauseMs: 20,
    collects: false,
    progress: () => {},
  })
  const { broken, answers } = judge(facts)
  expect(broken).toEqual([])
  // It was no walk in the park.
  expect(answers[200]).toBeGreaterThan(1_000)
  expect(answers[504]).toBeGreaterThan(0)
  expect(facts.kills.length).toBeGreaterThan(8)
  expect(facts.reloads.length).toBeGreaterThan(2)
  const reasons = addRestarts(Object.values(facts.status.apps).map((app) => app.reasons))
  for (const reason of ['signal', 'requests', 'deadline'] as const) {
    expect(reasons[reason], reason).toBeGreaterThan(0)
  }
}, 90_000)
