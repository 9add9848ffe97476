/** Has passwords verified by a thread of its own, one after another; the thread starts with the first one. */
import { Worker } from 'node:worker_threads'
import type { Question, Verdict } from './verifier-thread.ts'

/** Null: it could not be found out. */
export type Tell = (right: boolean | null) => void

/** More may not wait: guesses must not use up memory, nor hold up who knows the password for minutes. */
const MOST_WAITING = 64

export class Verifier {
  #worker: Worker | null = null
  readonly #waiting = new Map<number, Tell>()
  #last = 0

  /** False: too many wait already, and `tell` is not called. */
  ask(password: string, hash: string, tell: Tell): boolean {
    if (this.#waiting.size >= MOST_WAITING) return false
    const id = ++this.#last
    this.#waiting.set(id, tell)
    this.#worker ??= this.#start()
    this.#worker.postMessage({ id, password, hash } satisfies Question)
    return true
  }

  close(): void {
    void this.#worker?.terminate()
    this.#worker = null
    this.#waiting.clear()
  }

  #start(): Worker {
    const worker = new Worker(new URL('./verifier-thread.ts', import.meta.url))
    worker.unref()
    worker.on('message', ({ id, right }: Verdict) => this.#settle(id, right))
    // The next question starts another one.
    worker.on('error', () => this.#lost(worker))
    worker.on('exit', () => this.#lost(worker))
    return worker
  }

  #settle(id: number, right: boolean | null): void {
    const tell = this.#waiting.get(id)
    this.#waiting.delete(id)
    tell?.(right)
  }

  #lost(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = null
    for (const id of [...this.#waiting.keys()]) this.#settle(id, null)
  }
}
