import { describe, expect, it } from 'vitest'
import { FakeClock, FakeRuns, taskPlan } from './support/fake-clock.ts'

const runs = (): FakeRuns => new FakeRuns(new FakeClock('2026-03-01T00:00:00Z'))

describe('a task', () => {
  it('is left out while the last run goes on', async () => {
    const all = runs()
    const task = all.task()
    task.due('a')
    expect(task.due('b')).toBeNull()
    expect(task.facts).toMatchObject({ skipped: 1, running: [expect.any(String)] })
    expect(all.log.of('warn')).toHaveLength(1)
    await all.begun[0]?.end()
    task.due('c')
    expect(all.begun).toHaveLength(2)
  })

  it('waits for the end of the last run', async () => {
    const all = runs()
    const task = all.task(taskPlan({ overlap: 'queue' }))
    for (const why of 'abc') task.due(why)
    expect([all.begun.length, task.facts.waiting]).toEqual([1, 2])
    await all.begun[0]?.end()
    await all.begun[1]?.end()
    expect([all.begun.length, task.facts.waiting]).toEqual([3, 0])
  })

  it('lets no more than 32 runs wait', () => {
    const all = runs()
    const task = all.task(taskPlan({ overlap: 'queue' }))
    for (let i = 0; i < 100; i++) task.due('again')
    expect(task.facts).toMatchObject({ waiting: 32, skipped: 67 })
  })

  it('lets one run see all the changes in files', async () => {
    const all = runs()
    const task = all.task(taskPlan({ overlap: 'queue' }), 'watch')
    for (let i = 0; i < 100; i++) task.due('changed')
    expect(task.facts).toMatchObject({ waiting: 1, skipped: 0 })
  })

  it('runs beside itself where it may, 32 times at most', () => {
    const all = runs()
    const task = all.task(taskPlan({ overlap: 'allow' }))
    for (let i = 0; i < 100; i++) task.due('again')
    expect(all.begun).toHaveLength(32)
  })

  it('tells of a failure with its last lines, and counts it', async () => {
    const all = runs()
    const task = all.task()
    const result = task.due('a')
    for (let i = 0; i < 3; i++) task.heard(task.facts.running[0] ?? '', `line ${i}`)
    await all.begun[0]?.end({ ok: false, how: 'exit code 3' })
    const { id } = (await result) ?? { id: '' }
    expect(all.log.of('error')).toEqual([
      'task failed: exit code 3, after 0 ms\nline 0\nline 1\nline 2\nsaid',
    ])
    expect(all.log.lines).toContainEqual(
      expect.objectContaining({ message: 'said', task: 'task', run: id }),
    )
    expect(task.facts).toMatchObject({
      runs: 1,
      failures: 1,
      last: { id, ok: false, how: 'exit code 3', startedAt: '2026-03-01T00:00:00.000Z' },
    })
  })

  it('does not begin what waits when it is retired, and lets the run end', async () => {
    const all = runs()
    const task = all.task(taskPlan({ overlap: 'queue' }))
    task.due('a')
    task.due('b')
    task.retire()
    expect(task.due('c')).toBeNull()
    await all.begun[0]?.end()
    await task.settled()
    expect([all.begun.length, all.stopped]).toEqual([1, 0])
  })

  it('ends its runs when it is killed', async () => {
    const all = runs()
    const task = all.task()
    task.due('a')
    await task.kill()
    expect([all.stopped, task.isRunning]).toEqual([1, false])
  })

  it('gives no two runs the same id', () => {
    const all = runs()
    const task = all.task(taskPlan({ overlap: 'allow' }))
    for (let i = 0; i < 32; i++) task.due('again')
    expect(new Set(task.facts.running).size).toBe(32)
  })
})
