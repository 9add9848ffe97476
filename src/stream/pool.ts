/**
 * A pool as connections use it: the same members, schedulers, shared counts, checks, rests and queue as
 * requests have. What needs a request (retries after an answer, hedges, cookies) is not for connections.
 */
import type { Trial } from '../balance/breaker.ts'
import { Candidates } from '../balance/candidates.ts'
import { Figures } from '../balance/figures.ts'
import { createMembers, type Members } from '../balance/members.ts'
import { guardTargets } from '../balance/outliers.ts'
import { Places, type Ticket } from '../balance/places.ts'
import type { PoolCells } from '../balance/pool-cells.ts'
import { PoolMemory } from '../balance/pool-memory.ts'
import { PlaceQueue, type Waiter } from '../balance/queue.ts'
import type { Target } from '../balance/target.ts'
import { createPersistence } from '../persistence/create.ts'
import type { Peer } from '../request/exchange.ts'
import type { Address, PoolPlan } from '../site/plan.ts'
import type { ResiliencePlan } from '../site/resilience-plan.ts'
import type { Tally } from '../transports/backend/tally.ts'
import { keyOf } from './key.ts'

/** A server of a pool that connections, or datagrams, go to. */
export type Server = Target<Way>

/** How a server is reached. */
export interface Way {
  readonly address: Address
  /** Where connections to it are counted. */
  readonly tally: Tally
}

export interface StreamPoolOptions {
  /** As PoolMemory allocates it. */
  readonly memory: SharedArrayBuffer
  /** Of its persistence: see allocatePersistence. */
  readonly belongings: SharedArrayBuffer | undefined
  readonly tallyOf: (server: number) => Tally
  readonly complain: (line: string) => void
}

export class StreamPool {
  readonly name: string
  readonly connectTimeoutMs: number
  readonly proxyProtocol: PoolPlan['proxyProtocol']
  readonly #members: Members<Way>
  readonly #figures: Figures | null
  readonly #queue: PlaceQueue<Way> | null
  readonly #queueMs: number
  readonly #timed: boolean
  readonly #complain: (line: string) => void

  constructor(plan: PoolPlan, { memory, belongings, tallyOf, complain }: StreamPoolOptions) {
    const { resilience } = plan
    this.name = plan.name
    this.connectTimeoutMs = plan.connectTimeoutMs
    this.proxyProtocol = plan.proxyProtocol
    this.#complain = complain
    const whose =
      plan.persistence?.by === 'source' ? createPersistence(plan, { memory: belongings }) : null
    this.#members = createMembers(plan, { memory, whose }, ({ address }, index) => ({
      address,
      tally: tallyOf(index),
    }))
    this.#timed = this.#members.tiers.some(({ scheduler }) => scheduler.timed)
    this.#queueMs = resilience?.queue?.timeoutMs ?? 0
    const cells = resilience === undefined ? null : new PoolMemory(plan, memory).pool
    this.#figures = cells === null ? null : new Figures(cells.figures)
    this.#queue = resilience === undefined || cells === null ? null : this.#care(resilience, cells)
  }

  /** Returns the queue, if there is to be one. */
  #care({ passive, slowStartMs, queue }: ResiliencePlan, cells: PoolCells): PlaceQueue<Way> | null {
    const targets = this.#members.tiers.flatMap((tier) => tier.targets)
    if (passive !== null) guardTargets(targets, passive, cells.lock)
    if (slowStartMs > 0) for (const target of targets) target.startSlowly(slowStartMs)
    if (queue === null) return null
    return new PlaceQueue(new Places(cells.queue, queue.size), targets, this.#figures!)
  }

  /** Whom a connection of `peer` may go to. */
  serversFor(peer: Peer): Servers {
    this.#figures?.add('requests')
    return new Servers(keyOf(peer), this.#members)
  }

  /** It was reached within `ms`. */
  reached(server: Server, trial: Trial | null, ms: number): void {
    if (this.#timed) server.learn(ms, performance.now())
    server.breaker?.good()
    if (trial === null || server.breaker?.pass(trial) !== true) return
    server.comesBack()
    this.#complain(`pool ${this.name}: ${server.name} works again`)
  }

  /** It could not be: whoever asked it asks another one, and it rests. */
  notReached(server: Server, trial: Trial | null): void {
    this.release(server, null)
    server.rest()
    if (server.breaker?.bad(trial) !== true) return
    this.#figures?.add('leftOut')
    const seconds = Math.ceil(server.breaker.leftMs(performance.now()) / 1_000)
    this.#complain(`pool ${this.name}: ${server.name} fails, and is left out for ${seconds}s`)
  }

  /** A connection to it is over. `trial`: what it was to show, should it not have; null: nothing. */
  release(server: Server, trial: Trial | null): void {
    if (trial !== null) server.breaker?.giveBack(trial)
    if (this.#queue === null) server.release()
    else this.#queue.release(server)
  }

  /** Waits until a server has a place; null: there is no queue, no hope or no room in it. */
  wait(waiter: Waiter<Way>): Ticket | null {
    if (this.#queue?.hasHope !== true) return null
    const ticket = this.#queue.wait(waiter, this.#queueMs)
    if (ticket === null) this.#figures?.add('queueFull')
    return ticket
  }

  /** A connection got no server. */
  failed(): void {
    this.#figures?.add('failed')
  }

  close(): void {
    this.#queue?.close()
  }
}

/** The servers for one connection, best first. */
export class Servers extends Candidates<Way> {
  /** The next one, which counts the connection from now on until it is released; null: none is left. */
  next(): Server | null {
    return this.find(true) ?? null
  }
}
