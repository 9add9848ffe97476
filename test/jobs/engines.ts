/** What every engine of jobs promises, as one suite. */
import { expect, it } from 'vitest'
import type { EngineEvents, Held, Job, JobEngine } from '../../src/jobs/engine.ts'
import { until } from '../supervisor/site.ts'

export interface EngineUnderTest {
  /** Another process's engine over the same jobs; with `events` if given. */
  open(events?: Partial<EngineEvents>): Promise<JobEngine>
  /** As its process dies by kill -9: nothing is given back by its own hand. */
  crash(engine: JobEngine): Promise<void>
  /** Can tell what waits in a queue, job by job. */
  readonly looksInside: boolean
  /** A process at a time. */
  readonly single: boolean
}

let serial = 0

/** A name that no test before has used: RabbitMQ and Redis outlive each test. */
export function freshQueue(): string {
  return `q${process.pid}.${++serial}`
}

export function makeJob(queue: string, change: Partial<Job> = {}): Job {
  return {
    id: `job-${process.pid}-${++serial}`,
    queue,
    name: 'send',
    payload: Buffer.from('["a"]'),
    priority: 0,
    putAt: Date.now(),
    dueAt: 0,
    attempts: 0,
    maxAttempts: 3,
    backoffMs: 1000,
    deadlineMs: 0,
    keepMs: 60_000,
    key: '',
    ...change,
  }
}

export function later(ms: number): { dueAt: number } {
  return { dueAt: Date.now() + ms }
}

const again = { kind: 'again', dueAt: 0, error: 'boom', givenBack: false } as const
const done = { kind: 'done', result: Buffer.from('"ok"') } as const

/** The next job of the queue, once there is one. */
export async function take(engine: JobEngine, queue: string): Promise<Held> {
  return until(`a job in ${queue}`, async () => (await engine.lease(queue, 1)).held[0])
}

async function names(engine: JobEngine, queue: string, count: number): Promise<string[]> {
  const found: string[] = []
  while (found.length < count) {
    const held = await take(engine, queue)
    found.push(held.job.name)
    await engine.settle(held, done)
  }
  return found
}

export function engineSuite(under: EngineUnderTest): void {
  const session = async (play: (engine: JobEngine, queue: string) => Promise<void>) => {
    const engine = await under.open()
    try {
      await play(engine, freshQueue())
    } finally {
      await engine.close()
    }
  }

  it('hands out a job once, whole, and remembers its result', () =>
    session(async (engine, queue) => {
      const payload = Buffer.from(Array.from({ length: 300 }, (_, i) => i % 256))
      const job = makeJob(queue, { payload, name: 'größer', deadlineMs: 1234, backoffMs: 77 })
      expect(await engine.put(job)).toBe(job.id)
      const held = await take(engine, queue)
      expect({ ...held.job, payload: null }).toEqual({ ...job, payload: null, attempts: 1 })
      expect(Buffer.from(held.job.payload)).toEqual(payload)
      expect((await engine.lease(queue, 5)).held).toEqual([])
      expect(await engine.settle(held, done)).toBe(true)
      const facts = await until('the result', async () => {
        const found = await engine.records.find(job.id)
        return found?.state === 'done' ? found : undefined
      })
      expect(Buffer.from(facts.result ?? []).toString()).toBe('"ok"')
      expect(await engine.settle(held, done)).toBe(false)
    }))

  it('hands out the most urgent first, and among equals the oldest', () =>
    session(async (engine, queue) => {
      for (const [name, priority] of [
        ['c', 0],
        ['a', 9],
        ['d', 0],
        ['b', 5],
      ] as const) {
        await engine.put(makeJob(queue, { name, priority }))
      }
      expect(await names(engine, queue, 4)).toEqual(['a', 'b', 'c', 'd'])
    }))

  it('keeps a job back until it is due', () =>
    session(async (engine, queue) => {
      const before = Date.now()
      await engine.put(makeJob(queue, { name: 'late', ...later(400) }))
      await engine.put(makeJob(queue, { name: 'soon', ...later(150) }))
      await engine.put(makeJob(queue, { name: 'now' }))
      expect(await names(engine, queue, 2)).toEqual(['now', 'soon'])
      expect(Date.now() - before).toBeGreaterThanOrEqual(149)
      expect(await names(engine, queue, 1)).toEqual(['late'])
      expect(Date.now() - before).toBeGreaterThanOrEqual(399)
    }))

  it('counts attempts, waits before the next one, and does not count what was given back', () =>
    session(async (engine, queue) => {
      await engine.put(makeJob(queue))
      const first = await take(engine, queue)
      const failedAt = Date.now()
      expect(await engine.settle(first, { ...again, ...later(200) })).toBe(true)
      const second = await take(engine, queue)
      expect(Date.now() - failedAt).toBeGreaterThanOrEqual(199)
      expect(second.job.attempts).toBe(2)
      await engine.settle(second, { ...again, givenBack: true })
      const third = await take(engine, queue)
      expect(third.job.attempts).toBe(2)
      await engine.settle(third, done)
    }))

  it('keeps dead letters, which can be looked at, revived and dropped', () =>
    session(async (engine, queue) => {
      for (const name of ['one', 'two', 'three']) {
        await engine.put(makeJob(queue, { name }))
        await engine.settle(await take(engine, queue), { kind: 'dead', error: `${name} failed` })
      }
      const dead = await until('three dead letters', async () => {
        const found = await engine.records.list(queue, 'dead', 10)
        return found.length === 3 ? found : undefined
      })
      expect(
        dead.map(({ name, error, state, attempts }) => [name, error, state, attempts]),
      ).toEqual([
        ['one', 'one failed', 'dead', 1],
        ['two', 'two failed', 'dead', 1],
        ['three', 'three failed', 'dead', 1],
      ])
      expect(Buffer.from(dead[0]!.payload!).toString()).toBe('["a"]')
      expect((await engine.lease(queue, 1)).held).toEqual([])
      expect(await engine.records.drop({ id: dead[1]!.id })).toBe(1)
      expect(await engine.records.revive({ id: dead[2]!.id })).toBe(1)
      const back = await take(engine, queue)
      expect([back.job.name, back.job.attempts]).toEqual(['three', 1])
      await engine.settle(back, done)
      expect(await engine.records.revive({ queue })).toBe(1)
      expect(await names(engine, queue, 1)).toEqual(['one'])
      expect(await engine.records.drop({ queue })).toBe(0)
    }))

  it('takes one job for a key while that waits, and another once it has begun', () =>
    session(async (engine, queue) => {
      const first = makeJob(queue, { key: 'product 5' })
      expect(await engine.put(first)).toBe(first.id)
      const second = makeJob(queue, { key: 'product 5' })
      expect(await engine.put(second)).toBe(first.id)
      const other = makeJob(queue, { key: 'product 6' })
      expect(await engine.put(other)).toBe(other.id)
      const elsewhere = makeJob(freshQueue(), { key: 'product 5' })
      expect(await engine.put(elsewhere)).toBe(elsewhere.id)
      const held = await take(engine, queue)
      expect(held.job.id).toBe(first.id)
      expect(await engine.put(second)).toBe(second.id)
      await engine.settle(held, done)
      await names(engine, queue, 2)
      await names(engine, elsewhere.queue, 1)
    }))

  it('cancels what has not begun', () =>
    session(async (engine, queue) => {
      const jobs = [makeJob(queue), makeJob(queue, later(300)), makeJob(queue, { name: 'last' })]
      for (const job of jobs) await engine.put(job)
      expect(await engine.records.cancel(jobs[0]!.id)).toBe(true)
      expect(await engine.records.cancel(jobs[1]!.id)).toBe(true)
      const held = await take(engine, queue)
      expect(held.job.name).toBe('last')
      await engine.settle(held, done)
      await new Promise((resolve) => setTimeout(resolve, 350))
      expect((await engine.lease(queue, 5)).held).toEqual([])
      expect((await engine.records.find(jobs[0]!.id))?.state).toBe('cancelled')
    }))

  it('tells how many there are of each kind', () =>
    session(async (engine, queue) => {
      for (let i = 0; i < 5; i++) await engine.put(makeJob(queue))
      await engine.put(makeJob(queue, later(60_000)))
      await engine.settle(await take(engine, queue), { kind: 'dead', error: 'no' })
      const running = await take(engine, queue)
      const facts = await until('the counts', async () => {
        const all = await engine.records.queues()
        const mine = all.find((one) => one.queue === queue)
        return mine?.waiting === 3 && mine.dead === 1 ? mine : undefined
      })
      expect(facts.running).toBe(1)
      if (under.looksInside) {
        expect(facts.delayed).toBe(1)
        expect(Date.now() - facts.oldestAt).toBeLessThan(10_000)
        const waiting = await engine.records.list(queue, 'waiting', 2)
        expect(waiting.map(({ state }) => state)).toEqual(['waiting', 'waiting'])
        expect(await engine.records.list(queue, 'running', 9)).toHaveLength(1)
        expect(await engine.records.list(queue, 'delayed', 9)).toHaveLength(1)
      }
      await engine.settle(running, done)
    }))

  it('tells of new work', async () => {
    const told: string[] = []
    const engine = await under.open({ work: (queue) => told.push(queue) })
    const queue = freshQueue()
    await engine.put(makeJob(queue))
    await until('news', () => told.includes(queue))
    await engine.settle(await take(engine, queue), done)
    await engine.close()
  })

  it('gives back what a process that was killed had in hand, and loses nothing that was taken', async () => {
    const queue = freshQueue()
    const before = await under.open()
    for (let i = 0; i < 20; i++) await before.put(makeJob(queue, { name: `n${i}` }))
    const held = (await before.lease(queue, 5)).held
    expect(held).toHaveLength(5)
    await before.settle(held[0]!, done)
    await under.crash(before)
    const after = await under.open()
    const found = await names(after, queue, 19)
    expect(new Set(found)).toEqual(new Set(Array.from({ length: 19 }, (_, i) => `n${i + 1}`)))
    expect((await after.lease(queue, 1)).held).toEqual([])
    await after.close()
  })

  it('gives back what was in hand when it is closed', async () => {
    const queue = freshQueue()
    const before = await under.open()
    await before.put(makeJob(queue))
    await take(before, queue)
    await before.close()
    const after = await under.open()
    await after.settle(await take(after, queue), done)
    await after.close()
  })

  it('takes the same job twice as one', () =>
    session(async (engine, queue) => {
      if (!under.looksInside) return
      const job = makeJob(queue)
      await engine.put(job)
      await engine.put(job)
      expect(await names(engine, queue, 1)).toEqual(['send'])
      await engine.put(job)
      expect((await engine.lease(queue, 1)).held).toEqual([])
    }))

  it('shares a queue with the engines of other machines', async () => {
    if (under.single) return
    const told: string[] = []
    const [one, other] = [
      await under.open(),
      await under.open({ work: (queue) => told.push(queue) }),
    ]
    const queue = freshQueue()
    for (let i = 0; i < 10; i++) await one.put(makeJob(queue, { name: `n${i}` }))
    await until('news on the other machine', () => told.includes(queue))
    const found = (await Promise.all([names(one, queue, 5), names(other, queue, 5)])).flat()
    expect(new Set(found).size).toBe(10)
    await Promise.all([one.close(), other.close()])
  })
}
