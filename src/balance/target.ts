/** One backend of a pool, with what this thread knows of its state. */

import type { Backend } from '../schedulers/scheduler.ts'
import type { TargetPlan } from '../site/plan.ts'
import type { Transport } from '../transports/transport.ts'

export class Target implements Backend {
  readonly name: string
  readonly weight: number
  readonly transport: Transport
  /** Exchanges in hand. */
  active = 0
  /** It could not be connected to: others are asked first until then, ms on the coarse clock. */
  restsUntil = 0

  constructor(plan: TargetPlan, transport: Transport) {
    this.name = plan.name
    this.weight = plan.weight
    this.transport = transport
  }
}
