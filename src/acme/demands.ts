/**
 * Names that are not in the site file: the owner's own program says which of them may have a certificate.
 * Whatever strangers ask for, it is asked so often at most, and what it said is remembered for a while.
 */
import { ask } from './ask.ts'

const ANSWER_MS = 5_000
/** In a second. */
const MOST_ASKED = 20
/** A name that was refused is refused for so long, ms. */
const REFUSED_MS = 60_000
const MOST_REMEMBERED = 10_000
/** A public name: no address, no wildcard, two labels or more. */
const NAME = /^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/

export class Demands {
  /** Until when, on `performance.now()`. */
  readonly #refused = new Map<string, number>()
  readonly #asking = new Map<string, Promise<boolean>>()
  #asked = 0
  #second = 0

  /** Whether `name` may have a certificate. Never rejects: who does not answer has not said yes. */
  async may(name: string, url: string): Promise<boolean> {
    if (name.length > 253 || !NAME.test(name)) return false
    if ((this.#refused.get(name) ?? 0) > performance.now()) return false
    const known = this.#asking.get(name)
    if (known !== undefined) return known
    if (!this.#mayAsk()) return false
    const asking = this.#ask(name, url)
    this.#asking.set(name, asking)
    const may = await asking
    this.#asking.delete(name)
    if (!may) this.#refuse(name)
    return may
  }

  async #ask(name: string, url: string): Promise<boolean> {
    const address = new URL(url)
    address.searchParams.set('domain', name)
    const asked = { method: 'GET', timeoutMs: ANSWER_MS } as const
    const answer = await ask(address.href, asked).catch(() => null)
    return answer?.status === 200
  }

  #mayAsk(): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) this.#asked = 0
    this.#second = second
    return ++this.#asked <= MOST_ASKED
  }

  #refuse(name: string): void {
    if (this.#refused.size >= MOST_REMEMBERED) this.#refused.clear()
    this.#refused.set(name, performance.now() + REFUSED_MS)
  }
}
