/** The desk between workers and an engine: leases, retries, limits. Over a real local store. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { retryDelay } from '../../src/jobs/backoff.ts'
import { Desk, type Worker } from '../../src/jobs/desk.ts'
import { type Held, type Job, type JobEngine, JobError } from '../../src/jobs/engine.ts'
import { openLocal } from '../../src/jobs/local/engine.ts'
import { until } from '../supervisor/site.ts'
import { makeJob } from './engines.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-desk-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
let desk: Desk
let engine: JobEngine
let warnings: string[] = []

const none = { concurrency: 0, rate: 0, perMs: 1000 }
const limits = {
  two: { ...none, concurrency: 2 },
  slow: { ...none, rate: 10, perMs: 1000 },
}

beforeEach(async () => {
  warnings = []
  const path = join(folder, `${++files}.db`)
  engine = await openLocal({ path, largest: 0 }, { work: (queue) => desk.work(queue), warn() {} })
  desk = new Desk({ engine, limits, warn: (message) => warnings.push(message) })
})
afterEach(() => desk.close())

function lease(queue: string | readonly string[], worker: Worker = {}, leaseMs = 10_000) {
  const queues = typeof queue === 'string' ? [queue] : queue
  let held: Held | null = null
  const takeBack = desk.lease({
    worker,
    queues,
    leaseMs,
    take: (one) => {
      held = one
    },
  })
  return { takeBack, got: () => held, held: () => until('a job', () => held ?? undefined) }
}

async function put(queue: string, change: Partial<Job> = {}): Promise<string> {
  return desk.put(makeJob(queue, { backoffMs: 20, ...change }))
}

describe('the desk', () => {
  it('gives a job to who waits for it already, and to one alone', async () => {
    const [one, other] = [lease('q'), lease('q')]
    const id = await put('q')
    const held = await until('a job', () => one.got() ?? other.got() ?? undefined)
    expect(held.id).toBe(id)
    expect(one.got() === null || other.got() === null).toBe(true)
    expect(await desk.done(id, held.receipt, Buffer.from('1'))).toBe(true)
    expect((await desk.records.find(id))?.state).toBe('done')
  })

  it('looks into the queues of a worker in their order', async () => {
    await put('low')
    await put('high')
    expect((await lease(['high', 'low']).held()).job.queue).toBe('high')
    expect((await lease(['high', 'low']).held()).job.queue).toBe('low')
  })

  it('tries a failed job again after a wait that grows, and keeps it as a dead letter at last', async () => {
    const id = await put('q', { maxAttempts: 3 })
    for (const attempt of [1, 2, 3]) {
      const { job, receipt } = await lease('q').held()
      expect(job.attempts).toBe(attempt)
      await desk.fail(receipt, `attempt ${attempt} failed`, -1, false)
    }
    const facts = await desk.records.find(id)
    expect(facts).toMatchObject({ state: 'dead', error: 'attempt 3 failed', attempts: 3 })
    expect(await desk.records.revive({ id })).toBe(1)
    expect((await lease('q').held()).job.attempts).toBe(1)
  })

  it('gives up at once what has failed for good', async () => {
    const id = await put('q')
    await desk.fail((await lease('q').held()).receipt, 'hopeless', -1, true)
    expect((await desk.records.find(id))?.state).toBe('dead')
  })

  it('gives the job of a worker that is gone to another at once', async () => {
    const worker = {}
    await put('q', { backoffMs: 60_000 })
    await lease('q', worker).held()
    const next = lease('q')
    desk.left(worker)
    expect((await next.held()).job.attempts).toBe(2)
  })

  it('keeps a job that kills each of its workers from killing more than it may', async () => {
    const id = await put('q', { maxAttempts: 2 })
    for (let i = 0; i < 2; i++) {
      const worker = {}
      await lease('q', worker).held()
      desk.left(worker)
    }
    const facts = await until('the dead letter', async () => {
      const found = await desk.records.find(id)
      return found?.state === 'dead' ? found : undefined
    })
    expect(facts.error).toBe('its worker died')
  })

  it('takes a job from a worker that says nothing, unless that touches it', async () => {
    const id = await put('q')
    const first = await lease('q', {}, 300).held()
    const touching = setInterval(() => desk.touch(first.receipt, 0), 50)
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect((await desk.records.find(id))?.state).toBe('running')
    clearInterval(touching)
    const second = await lease('q').held()
    expect(second.job.attempts).toBe(2)
    expect(warnings.join()).toContain('no word of its worker for 300 ms')
    expect(desk.touch(first.receipt, 0)).toBe(false)
    expect(await desk.done(id, first.receipt, Buffer.alloc(0))).toBe(false)
    expect(await desk.done(id, second.receipt, Buffer.alloc(0))).toBe(true)
  })

  it('does not count what was given back', async () => {
    await put('q')
    await desk.giveBack((await lease('q').held()).receipt)
    expect((await lease('q').held()).job.attempts).toBe(1)
  })

  it('gives nothing to who has left meanwhile', async () => {
    const gone = lease('q')
    gone.takeBack()
    await put('q')
    expect((await lease('q').held()).job.attempts).toBe(1)
    expect(gone.got()).toBeNull()
  })

  it('runs no more jobs of a queue at a time than it may', async () => {
    for (let i = 0; i < 4; i++) await put('two')
    const leases = Array.from({ length: 4 }, () => lease('two'))
    const running = () => leases.filter((one) => one.got() !== null)
    await until('two', () => running().length === 2)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(running()).toHaveLength(2)
    const { id, receipt } = running()[0]!.got()!
    await desk.done(id, receipt, Buffer.alloc(0))
    await until('a third', () => running().length === 3)
  })

  it('begins no more jobs of a queue in a time than it may', async () => {
    for (let i = 0; i < 14; i++) await put('slow')
    const leases = Array.from({ length: 14 }, () => lease('slow'))
    const began = performance.now()
    await until('ten at once, then ten a second', () => leases.every((one) => one.got() !== null))
    const ms = performance.now() - began
    expect(ms).toBeGreaterThan(330)
    expect(ms).toBeLessThan(3_000)
  })

  it('holds a job whose end cannot be written down until it can', async () => {
    const id = await put('q')
    const { receipt } = await lease('q').held()
    const settle = engine.settle.bind(engine)
    let refusals = 2
    engine.settle = (...args) =>
      --refusals >= 0 ? Promise.reject(new JobError('FULL', 'no room')) : settle(...args)
    expect(await desk.done(id, receipt, Buffer.alloc(0))).toBe(true)
    expect(warnings).toEqual([expect.stringContaining('no room')])
  })

  it('gives back what is in hand when it closes', async () => {
    const id = await put('q')
    await lease('q').held()
    await desk.close()
    const path = join(folder, `${files}.db`)
    engine = await openLocal({ path, largest: 0 }, { work() {}, warn() {} })
    desk = new Desk({ engine, limits, warn() {} })
    expect(await desk.records.find(id)).toMatchObject({ state: 'waiting', attempts: 0 })
  })
})

it('waits twice as long after each failure, less a random part, and an hour at most', () => {
  expect([1, 2, 3].map((failures) => retryDelay(failures, 1000, 3_600_000, 0))).toEqual([
    500, 1000, 2000,
  ])
  expect(retryDelay(1, 1000, 3_600_000, 0.999)).toBe(1000)
  expect(retryDelay(500, 1000, 3_600_000, 1)).toBe(3_600_000)
})
