/** A pool as connections use it: the same members, schedulers and shared counts as requests have. */
import { Candidates } from '../balance/candidates.ts'
import { createMembers, type Members } from '../balance/members.ts'
import type { Target } from '../balance/target.ts'
import type { Peer } from '../request/exchange.ts'
import type { Address, PoolPlan } from '../site/plan.ts'
import { keyOf } from './key.ts'

/** A server of a pool that connections, or datagrams, go to. */
export type Server = Target<Address>

export class StreamPool {
  readonly name: string
  readonly connectTimeoutMs: number
  readonly proxyProtocol: PoolPlan['proxyProtocol']
  readonly #members: Members<Address>

  /** `memory`: of the pool, as PoolMemory allocates it. */
  constructor(plan: PoolPlan, memory: SharedArrayBuffer) {
    this.name = plan.name
    this.connectTimeoutMs = plan.connectTimeoutMs
    this.proxyProtocol = plan.proxyProtocol
    this.#members = createMembers(plan, { memory }, ({ address }) => address)
  }

  /** Whom a connection of `peer` may go to. */
  serversFor(peer: Peer): Servers {
    return new Servers(keyOf(peer), this.#members)
  }
}

/** The servers for one connection, best first. */
export class Servers extends Candidates<Address> {
  /** The next one, which counts the connection from now on until it is released; null: none is left. */
  next(): Server | null {
    return this.find(true) ?? null
  }

  /** It could not be reached. */
  refused(server: Server): void {
    server.release()
    server.rest()
    this.setAside(server)
  }
}
