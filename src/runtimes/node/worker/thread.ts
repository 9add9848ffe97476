/** The thread beside the application's (watch.ts), from here. */
import { Worker } from 'node:worker_threads'
import type { Role } from '../../runtime.ts'
import type { FromMain, ToMain } from '../orders.ts'

/** It needs little memory; that of a job worker holds payloads, too. */
const LIMITS = { maxYoungGenerationSizeMb: 2, stackSizeMb: 1 }
const OLD_MB = 16
const OLD_WITH_JOBS_MB = 1024

export class Thread {
  readonly #worker: Worker
  #early: ToMain[] | null = []
  #act: (order: ToMain) => void = (order) => this.#early?.push(order)

  /** `role`: null for a process that answers requests. It does not keep the process alive. */
  constructor(role: Role | null) {
    const maxOldGenerationSizeMb = role?.kind === 'jobs' ? OLD_WITH_JOBS_MB : OLD_MB
    this.#worker = new Worker(new URL('./watch-entry.mjs', import.meta.url), {
      execArgv: [],
      resourceLimits: { ...LIMITS, maxOldGenerationSizeMb },
      workerData: role,
    })
    this.#worker.on('message', (order: ToMain) => {
      if (order.type === 'look') this.tell({ type: 'awake', waits: whatMayWake() })
      else this.#act(order)
    })
    this.#worker.unref()
  }

  /** From now on; orders that have come before are the first. */
  obey(act: (order: ToMain) => void): void {
    this.#act = act
    for (const order of this.#early ?? []) act(order)
    this.#early = null
  }

  tell(message: FromMain): void {
    this.#worker.postMessage(message)
  }

  /** From now on it keeps the process alive. */
  hold(): void {
    this.#worker.ref()
  }
}

/** No stack tells it: what a promise waits for is on none. */
function whatMayWake(): string {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) {
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`)).join(', ')
}
