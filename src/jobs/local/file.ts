/** The store of a file, from outside its thread: what is asked while a batch is on its way is the next batch. */
import { Worker } from 'node:worker_threads'
import { JobError } from '../engine.ts'
import type { StoreAnswer, StoreRequest } from './batch.ts'
import type { ThreadData } from './thread.ts'

/** How often results are looked through for those whose time is over, ms. */
const FORGET_MS = 5_000
/** Requests that may wait for the disk; it must hang for this to be reached. */
const MOST_WAITING = 100_000

interface Asked {
  readonly request: StoreRequest
  readonly resolve: (value: unknown) => void
  readonly reject: (error: JobError) => void
}

export class StoreFile {
  readonly #worker: Worker
  readonly #ended: Promise<void>
  readonly #timer: NodeJS.Timeout
  #waiting: Asked[] = []
  #inHand: Asked[] = []
  /** Nothing can be asked any more. */
  #over: JobError | null = null

  private constructor(worker: Worker, path: string) {
    this.#worker = worker
    this.#ended = new Promise((resolve) => worker.once('exit', () => resolve()))
    worker.on('message', (answers: readonly StoreAnswer[]) => this.#answered(answers))
    worker.on('error', (error) => {
      this.#end(new JobError('BROKEN', `the store of jobs ${path} failed: ${String(error)}`))
    })
    this.#timer = setInterval(() => void this.#forget(), FORGET_MS)
    this.#timer.unref()
  }

  /** Rejects with a JobError when the file cannot be used. */
  static open(path: string, largest: number): Promise<StoreFile> {
    const data: ThreadData = { path, largest }
    const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: data })
    return new Promise((resolve, reject) => {
      worker.once('error', (error) => reject(new JobError('BROKEN', String(error))))
      worker.once('message', (answer: (StoreAnswer & { ok: false }) | null) => {
        if (answer === null) resolve(new StoreFile(worker, path))
        else reject(new JobError(answer.code, answer.message))
      })
    })
  }

  /** What the method of the same name in store.ts returns, once the disk has it. */
  ask<Value>(request: StoreRequest): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.#over !== null) return reject(this.#over)
      if (this.#waiting.length === MOST_WAITING) {
        return reject(new JobError('FULL', 'the disk does not keep up with the jobs'))
      }
      this.#waiting.push({ request, resolve: resolve as (value: unknown) => void, reject })
      if (this.#waiting.length === 1 && this.#inHand.length === 0) setImmediate(() => this.#send())
    })
  }

  #send(): void {
    if (this.#inHand.length > 0 || this.#waiting.length === 0) return
    this.#inHand = this.#waiting
    this.#waiting = []
    this.#worker.postMessage(this.#inHand.map(({ request }) => request))
  }

  #answered(answers: readonly StoreAnswer[]): void {
    const asked = this.#inHand
    this.#inHand = []
    // First, so that the disk is busy while we tell.
    this.#send()
    asked.forEach(({ resolve, reject }, index) => {
      const answer = answers[index]!
      if (answer.ok) resolve(answer.value)
      else reject(new JobError(answer.code, answer.message))
    })
  }

  async #forget(): Promise<void> {
    try {
      while (await this.ask<boolean>({ op: 'forget' }));
    } catch {
      // A full disk: whoever puts a job is told; the next time comes.
    }
  }

  #end(why: JobError): void {
    this.#over ??= why
    clearInterval(this.#timer)
    for (const { reject } of [...this.#inHand, ...this.#waiting]) reject(this.#over)
    this.#inHand = []
    this.#waiting = []
  }

  /** After what was asked for is done. */
  async close(): Promise<void> {
    while (this.#over === null && this.#waiting.length + this.#inHand.length > 0) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (this.#over === null) this.#worker.postMessage(null)
    this.#end(new JobError('UNAVAILABLE', 'the store of jobs is closed'))
    await this.#ended
  }
}
