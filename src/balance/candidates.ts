/**
 * Whom a request may go to, in the schedulers' order. First the servers, then the backup servers; then
 * those that rest after failures: they may be back.
 */
import type { Key, Order } from '../schedulers/scheduler.ts'
import type { Trial } from './breaker.ts'
import type { Members } from './members.ts'
import type { Target } from './target.ts'

/** Schedulers whose choice is the request's own: a smaller share would send it now here, now there. */
const KEYED: ReadonlySet<string> = new Set(['hash', 'sh', 'dh', 'mh', 'lblc', 'lblcr'])

export class Candidates<Carrier> {
  readonly #key: Key
  readonly #members: Members<Carrier>
  #order: Order<Target<Carrier>>
  /** It has said that there is nobody else: it is not asked again. */
  #exhausted = false
  #tier = 0
  #inNeed = false
  /** Whoever was found last is asked whether it works again; null: it is not. */
  trial: Trial | null = null
  /** Those of this tier that do not take all they are offered, and not this; null: none. */
  #passed: Target<Carrier>[] | null = null
  /** Those that were asked already; null: none yet. */
  #asked: Set<Target<Carrier>> | null = null

  constructor(key: Key, members: Members<Carrier>) {
    this.#key = key
    this.#members = members
    this.#order = this.#begin()
  }

  /** The visitor belongs to whoever was found last. */
  get belongs(): boolean {
    return (this.#order.own ?? null) !== null
  }

  /** It is not asked again. */
  setAside(target: Target<Carrier>): void {
    this.#asked ??= new Set()
    this.#asked.add(target)
  }

  /**
   * The next one, which has given a place; undefined: there is none. `need`: those that rest are asked when
   * nobody else is left.
   */
  find(need: boolean): Target<Carrier> | undefined {
    for (;;) {
      const target = this.#next() ?? this.#passed?.pop()
      if (target === undefined) {
        if (this.#goOn(need)) continue
        return undefined
      }
      if (this.#asked?.has(target) === true || !target.take()) continue
      const { breaker } = target
      this.trial = null
      if (breaker === null || this.#inNeed) return target
      const admission = breaker.admit()
      if (admission === 'trial') this.trial = breaker.beginTrial()
      if (admission !== 'no') return target
      target.release()
    }
  }

  #next(): Target<Carrier> | undefined {
    if (this.#exhausted) return undefined
    if (this.#inNeed) return this.#nextInNeed()
    for (;;) {
      const target = this.#order.next().value
      this.#exhausted = target === undefined
      if (target === undefined || target === this.#order.own || target.accepts()) return target
      if (KEYED.has(this.#members.tiers[this.#tier]!.scheduler.name)) return target
      this.#passed ??= []
      this.#passed.push(target)
    }
  }

  #nextInNeed(): Target<Carrier> | undefined {
    // Only for this request: others need not wait for whoever is likely to be gone.
    this.#members.inNeed = true
    const { value } = this.#order.next()
    this.#members.inNeed = false
    this.#exhausted = value === undefined
    return value
  }

  #begin(): Order<Target<Carrier>> {
    const { targets, scheduler } = this.#members.tiers[this.#tier]!
    return scheduler.order(targets, this.#key)
  }

  /** To the next ones to ask; false: all were. */
  #goOn(need: boolean): boolean {
    if (this.#tier + 1 < this.#members.tiers.length) this.#tier++
    else if (need && !this.#inNeed) {
      this.#inNeed = true
      this.#tier = 0
    } else return false
    this.#order = this.#begin()
    this.#exhausted = false
    return true
  }
}
