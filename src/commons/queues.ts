/** Who waits for an element of a list: in turn, and each for the first of several that has one. */
import { NO_ARRAY, type Reply } from '../wire/resp.ts'
import type { Client } from './client.ts'
import type { Commons } from './commons.ts'
import type { Keyspace } from './keyspace.ts'
import { LATER } from './registry.ts'

/** Node's timers count in 31 bits of milliseconds. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

interface Waiter {
  /** The reply when the list at `key` has something for it, else undefined. */
  readonly take: (key: string) => Reply | undefined
  readonly done: (reply: Reply) => void
}

export class Queues {
  readonly #commons: Commons
  readonly #waiting = new Map<Keyspace, Map<string, Set<Waiter>>>()

  constructor(commons: Commons) {
    this.#commons = commons
  }

  /** Replies with what `take` finds under one of `keys`, now or within `seconds` (0: ever); else with `empty`. */
  take(
    client: Client,
    keys: readonly string[],
    seconds: number,
    take: (key: string) => Reply | undefined,
    empty: Reply = NO_ARRAY,
  ): Reply | typeof LATER {
    for (const key of keys) {
      const reply = take(key)
      if (reply !== undefined) return reply
    }
    if (client.atomic) return empty
    const { space } = client
    let timer: NodeJS.Timeout | undefined
    const leave = (): void => {
      clearTimeout(timer)
      for (const key of keys) this.#remove(space, key, waiter)
    }
    const reply = client.wait(leave)
    const waiter: Waiter = {
      take,
      done: (found) => {
        leave()
        reply(found)
      },
    }
    for (const key of keys) this.#add(space, key, waiter)
    if (seconds > 0) {
      timer = setTimeout(
        () => {
          this.#commons.clock.read()
          waiter.done(empty)
        },
        Math.min(Math.ceil(seconds * 1000), LONGEST_WAIT_MS),
      )
    }
    return LATER
  }

  /** Something came to the list at `key`: whoever waits gets it when the command is over. */
  filled(space: Keyspace, key: string): void {
    if (this.#waiting.get(space)?.has(key)) this.#commons.afterwards(() => this.#serve(space, key))
  }

  #serve(space: Keyspace, key: string): void {
    for (;;) {
      const [first] = this.#waiting.get(space)?.get(key) ?? []
      if (first === undefined) return
      const reply = first.take(key)
      if (reply === undefined) return
      first.done(reply)
    }
  }

  #add(space: Keyspace, key: string, waiter: Waiter): void {
    const keys = this.#waiting.get(space) ?? new Map<string, Set<Waiter>>()
    this.#waiting.set(space, keys)
    const all = keys.get(key)
    if (all === undefined) keys.set(key, new Set([waiter]))
    else all.add(waiter)
  }

  #remove(space: Keyspace, key: string, waiter: Waiter): void {
    const keys = this.#waiting.get(space)
    const all = keys?.get(key)
    all?.delete(waiter)
    if (all?.size === 0) keys?.delete(key)
  }
}
