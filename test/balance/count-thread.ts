/** A thread that reports failures and spends a budget, as fast as it can. */
import { parentPort, workerData } from 'node:worker_threads'
import { Breaker } from '../../src/balance/breaker.ts'
import { Budget } from '../../src/balance/budget.ts'
import type { BreakerPlan } from '../../src/site/resilience-plan.ts'

export interface CountThread {
  readonly breaker: Int32Array<SharedArrayBuffer>
  readonly budget: Int32Array<SharedArrayBuffer>
  /** 0 until all may begin. */
  readonly start: Int32Array<SharedArrayBuffer>
  readonly plan: BreakerPlan
  readonly failures: number
}

const { breaker, budget, start, plan, failures }: CountThread = workerData
const own = new Breaker(breaker, plan)
const tokens = new Budget(budget, 0.5)
Atomics.wait(start, 0, 0)
let opened = 0
let spent = 0
for (let i = 0; i < failures; i++) {
  if (own.bad(null)) opened++
  tokens.earn()
  if (tokens.spend()) spent++
}
parentPort!.postMessage({ opened, spent })
