/** Notices workers that are old or large; the server tells of those that have served enough. */
import type { RecyclePlan } from '../site/plan.ts'
import { showDuration, showSize } from '../site/units.ts'
import { memoryOf } from './process-memory.ts'
import type { Due, WorkerSlot } from './worker-slot.ts'

/** How often /proc is read, ms. */
const EVERY_MS = 2_000

export class Recycling {
  readonly #serving: () => readonly WorkerSlot[]
  readonly #timer: NodeJS.Timeout | undefined

  /** `condemn` is told of each that is to be replaced, maybe more than once. */
  constructor(
    plan: RecyclePlan | undefined,
    serving: () => readonly WorkerSlot[],
    condemn: (slot: WorkerSlot, due: Due) => void,
  ) {
    this.#serving = serving
    if (plan === undefined || plan.ageMs + plan.memory + plan.addressSpace === 0) return
    this.#timer = setInterval(
      () => {
        for (const slot of serving()) {
          const due = judge(plan, slot)
          if (due !== null) condemn(slot, due)
        }
      },
      Math.min(EVERY_MS, plan.ageMs === 0 ? EVERY_MS : plan.ageMs),
    )
    this.#timer.unref()
  }

  /** Of all workers that serve, bytes. Pages that they share count for each. */
  residentMemory(): number {
    return this.#serving().reduce((sum, { pid }) => sum + memoryOf(pid).resident, 0)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** Why this worker is to be replaced; null: it is not. */
export function judge(
  plan: RecyclePlan,
  { pid, ageMs, luck }: Pick<WorkerSlot, 'pid' | 'ageMs' | 'luck'>,
  memory: typeof memoryOf = memoryOf,
): Due | null {
  if (plan.ageMs > 0 && ageMs >= plan.ageMs * (1 + plan.jitter * luck)) {
    return { reason: 'age', how: showDuration(Math.round(ageMs / 1000) * 1000) }
  }
  if (plan.memory === 0 && plan.addressSpace === 0) return null
  const { resident, addressSpace } = memory(pid)
  if (plan.memory > 0 && resident >= plan.memory) {
    return { reason: 'memory', how: showSize(resident) }
  }
  if (plan.addressSpace > 0 && addressSpace >= plan.addressSpace) {
    return { reason: 'address-space', how: showSize(addressSpace) }
  }
  return null
}
