/** Workers whose requests take too long: where they hang is logged, and who is stuck is replaced. */
import type { FromServer } from '../server/protocol.ts'
import type { Fleet } from './fleet.ts'
import type { Logger } from './logger.ts'
import { fieldsOf, SlowLog, type SlowReport } from './slow-log.ts'

/** A parent that does not end a worker in this time is not in control of itself, ms. */
const KILL_TIMEOUT_MS = 3_000

export class HungWorkers {
  readonly #app: string
  readonly #fleet: Fleet
  readonly #logger: Logger
  /** What writing its traceback may take before a stuck worker is killed, ms. */
  readonly #tracebackMs: number
  readonly #slow: SlowLog

  constructor(app: string, fleet: Fleet, logger: Logger, tracebackMs: number) {
    this.#app = app
    this.#fleet = fleet
    this.#logger = logger
    this.#tracebackMs = tracebackMs
    this.#slow = new SlowLog(app, logger)
  }

  /** A request runs longer than its soft deadline: its stack is logged, and it goes on. */
  slow(report: SlowReport): void {
    const slot = this.#fleet.slot(report.slot)
    if (slot === undefined || slot.pid !== report.pid || slot.doomed) return
    if (this.#slow.tell(report, 'its worker’s stack follows, and it goes on')) {
      slot.parent?.traceback(report.slot, true)
    }
  }

  /** The server found a worker past its deadline: log where it hangs, then replace it. */
  stuck(report: Extract<FromServer, { type: 'stuck' }>): void {
    const slot = this.#fleet.slot(report.slot)
    if (slot === undefined || slot.pid !== report.pid || slot.doomed) return
    slot.doomed = true
    this.#logger.error(
      `worker exceeded its deadline: ${report.request} has run for ${Math.round(report.elapsedMs)} ms; its traceback follows, then it is replaced`,
      fieldsOf(this.#app, report),
    )
    const { parent } = slot
    parent?.traceback(report.slot)
    setTimeout(() => {
      if (slot.pid === report.pid) parent?.kill(report.slot)
    }, this.#tracebackMs)
    setTimeout(() => {
      if (slot.pid === report.pid) parent?.distrust(`it did not kill worker ${report.pid}`)
    }, this.#tracebackMs + KILL_TIMEOUT_MS).unref()
  }
}
