/**
 * Questions to a process, each with a number: answered in time, or not at all. A process lives for years
 * and is asked every second: nothing of a question may stay with it. (A race against the promise of its
 * end would: each leaves its reactions, and the answer, with that promise.)
 */
export class Questions<Answer> {
  readonly #open = new Map<number, (answer: Answer | null) => void>()
  readonly #timeoutMs: number
  #last = 0

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** Null: there was no answer in time, or there is nobody to answer. `send` says whether there is. */
  ask(send: (ask: number) => boolean): Promise<Answer | null> {
    const ask = ++this.#last
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(ask, null), this.#timeoutMs)
      this.#open.set(ask, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      if (!send(ask)) this.#settle(ask, null)
    })
  }

  answered(ask: number, answer: Answer): void {
    this.#settle(ask, answer)
  }

  /** Whoever was asked is gone. */
  giveUp(): void {
    for (const ask of [...this.#open.keys()]) this.#settle(ask, null)
  }

  #settle(ask: number, answer: Answer | null): void {
    const settle = this.#open.get(ask)
    this.#open.delete(ask)
    settle?.(answer)
  }
}
