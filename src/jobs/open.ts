/** The engine that a site has chosen, and the desk before it. */
import { join } from 'node:path'
import type { JobsPlan } from '../site/jobs-plan.ts'
import { Desk } from './desk.ts'
import type { EngineEvents, JobEngine } from './engine.ts'

/** Rejects with a JobError when the engine cannot be used as it is; a broker that is away is waited for. */
export async function openDesk(plan: JobsPlan, warn: (message: string) => void): Promise<Desk> {
  let desk: Desk | null = null
  const engine = await openEngine(plan, { work: (queue) => desk?.work(queue), warn })
  desk = new Desk({ engine, limits: plan.queues, warn })
  return desk
}

/** Loads the chosen one alone. */
async function openEngine(plan: JobsPlan, events: EngineEvents): Promise<JobEngine> {
  const { engine, folder, size } = plan
  if (/^rediss?:/.test(engine)) {
    const { openRedis } = await import('./redis/engine.ts')
    return openRedis(engine, events)
  }
  if (/^amqps?:/.test(engine)) {
    const { openRabbit } = await import('./rabbitmq/engine.ts')
    const ledger = join(folder, 'ledger.db')
    return openRabbit({ url: engine, ledger, largest: size }, events)
  }
  const { openLocal } = await import('./local/engine.ts')
  return openLocal({ path: join(folder, 'jobs.db'), largest: size }, events)
}
