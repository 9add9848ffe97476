/** What several threads count at once is exact. */
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { BREAKER_CELLS, Breaker } from '../../src/balance/breaker.ts'
import { BUDGET_CELLS } from '../../src/balance/budget.ts'
import type { BreakerPlan } from '../../src/site/resilience-plan.ts'
import type { CountThread } from './count-thread.ts'
import { breakerPlan } from './resilience.ts'

const THREADS = 4
const EACH = 20_000

function cells(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(count * 4))
}

async function count(plan: BreakerPlan): Promise<{ opened: number; spent: number; open: boolean }> {
  const data: CountThread = {
    breaker: cells(BREAKER_CELLS),
    budget: cells(BUDGET_CELLS),
    start: cells(1),
    plan,
    failures: EACH,
  }
  const url = new URL('./count-thread.ts', import.meta.url)
  const workers = Array.from({ length: THREADS }, () => new Worker(url, { workerData: data }))
  const told = workers.map(
    (worker) =>
      new Promise<{ opened: number; spent: number }>((done) => worker.once('message', done)),
  )
  await Promise.all(workers.map((worker) => new Promise((done) => worker.once('online', done))))
  Atomics.store(data.start, 0, 1)
  Atomics.notify(data.start, 0)
  const results = await Promise.all(told)
  const sum = (of: 'opened' | 'spent'): number => results.reduce((all, each) => all + each[of], 0)
  const { open } = new Breaker(data.breaker, plan)
  return { opened: sum('opened'), spent: sum('spent'), open }
}

it('the failure that is one too many opens a breaker, once', async () => {
  const plan = breakerPlan({ failures: THREADS * EACH, restMs: 60_000 })
  const { opened, open, spent } = await count(plan)
  expect([opened, open]).toEqual([1, true])
  // Half of the requests, what was free, and nothing that was spent twice.
  expect(spent).toBeGreaterThanOrEqual((THREADS * EACH) / 2)
  expect(spent).toBeLessThanOrEqual((THREADS * EACH) / 2 + 10 * 60)
  expect(await count({ ...plan, failures: plan.failures + 1 })).toMatchObject({ opened: 0 })
}, 20_000)
