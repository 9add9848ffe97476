/** Tells a task again and again after a while, whatever clocks say; a late run does not shift the later ones. */
import type { TimerPlan } from '../site/background-plan.ts'
import type { Clock } from './clock.ts'
import type { Task } from './task.ts'

export class Timer {
  readonly plan: TimerPlan
  readonly #task: Task
  readonly #clock: Clock
  readonly #random: () => number
  /** The last one's regular time, by `clock.elapsed()`. */
  #regular: number
  #ringsAt = 0
  #rung: number
  #cancel: () => void = () => {}

  /** One that replaces `before` at the same interval keeps its beat. */
  constructor(
    plan: TimerPlan,
    task: Task,
    clock: Clock,
    random: () => number,
    before: Timer | null = null,
  ) {
    this.plan = plan
    this.#task = task
    this.#clock = clock
    this.#random = random
    const keepsBeat = before !== null && before.plan.everyMs === plan.everyMs
    this.#regular = keepsBeat ? before.#regular : clock.elapsed()
    this.#rung = before === null ? 0 : before.#rung
    this.#arm()
  }

  /** ms since 1970; null when it has rung often enough. */
  get next(): number | null {
    return this.#isOver ? null : this.#clock.now() + this.#ringsAt - this.#clock.elapsed()
  }

  stop(): void {
    this.#cancel()
  }

  get #isOver(): boolean {
    return this.plan.times > 0 && this.#rung >= this.plan.times
  }

  #arm(): void {
    if (this.#isOver) return
    const { everyMs, jitterMs } = this.plan
    const now = this.#clock.elapsed()
    const passed = Math.max(0, Math.floor((now - this.#regular) / everyMs))
    this.#ringsAt = this.#regular + (passed + 1) * everyMs + Math.floor(this.#random() * jitterMs)
    this.#cancel = this.#clock.after(this.#ringsAt - now, () => {
      this.#regular += (passed + 1) * everyMs
      this.#rung += 1
      this.#task.due(`every ${everyMs} ms`)
      this.#arm()
    })
  }
}
