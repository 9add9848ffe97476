/** What commands work on. */

import { Clock } from './clock.ts'
import { Keyspace } from './keyspace.ts'
import { Memory } from './memory.ts'
import type { UserMetric } from './protocol.ts'
import { Sieve } from './sieve.ts'

export interface CommonsLimits {
  /** Everything that is kept, bytes. */
  readonly size: number
  /** The longest key or value, bytes. */
  readonly item: number
  /** Clients at a time. */
  readonly connections: number
}

/** A client, whatever it speaks. */
interface Connected {
  readonly id: number
  readonly name: string
  /** Of our memory: commands that are not complete, or cannot run yet, bytes. */
  readonly holds: number
  close(): void
  /** At once, whatever it is still to be told. */
  letGo(): void
}

/** As Redis has by default. */
const DATABASES = 16

export class Commons {
  readonly limits: CommonsLimits
  readonly clock: Clock = new Clock()
  readonly sieve: Sieve = new Sieve()
  readonly memory: Memory
  readonly spaces: readonly Keyspace[]
  readonly clients: Set<Connected> = new Set()
  readonly startedAt: number = performance.now()
  /** Commands run, whatever the protocol. */
  commands = 0
  connections = 0
  /** Replies that clients have not read, bytes. */
  unsent = 0
  /** What clients hold of our memory, bytes: half as much as may be kept, at most. */
  held = 0
  /** Reads of keys that were there, and that were not. */
  hits = 0
  misses = 0

  /** What applications have reported with PORTICO.METRIC. */
  metrics: () => readonly UserMetric[] = () => []
  /** An application has raised a signal. */
  signalled: (name: string) => void = () => {}
  /** What a command leaves to be done when it, or the transaction that it is in, is over. */
  readonly #afterwards: (() => void)[] = []
  #flush: NodeJS.Timeout | undefined
  /** Something is wrong with ourselves. */
  readonly complain: (error: unknown) => void

  constructor(limits: CommonsLimits, complain: (error: unknown) => void) {
    this.limits = limits
    this.complain = complain
    this.memory = new Memory(limits.size, () => this.sieve.giveUp())
    this.spaces = Array.from(
      { length: DATABASES },
      (_, number) => new Keyspace(number, this.clock, this.memory, this.sieve),
    )
  }

  /** Removes what is cached in the first database, after `seconds`; only the last such wish counts. */
  flushLater(seconds: number): void {
    clearTimeout(this.#flush)
    this.#flush = setTimeout(() => this.spaces[0]!.clear('strings'), seconds * 1000)
    this.#flush.unref()
  }

  /** Whoever holds most goes first. */
  keepBounds(): void {
    const most = this.limits.size / 2
    while (this.held > most) {
      let largest: Connected | null = null
      for (const one of this.clients) if (one.holds > (largest?.holds ?? 0)) largest = one
      if (largest === null) return
      largest.letGo()
    }
  }

  afterwards(then: () => void): void {
    this.#afterwards.push(then)
  }

  settle(): void {
    for (let next = this.#afterwards.shift(); next !== undefined; next = this.#afterwards.shift()) {
      next()
    }
  }
}
