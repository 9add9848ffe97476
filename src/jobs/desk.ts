/**
 * The desk between workers and an engine: who waits for a job, who has one in hand and for how long, when a
 * failed one is tried again, how many of a queue run at a time. It keeps nothing that must outlive it.
 *
 *     put ──► engine ──lease──► in hand of a worker ──done──► result kept
 *               ▲                    │ failed, worker gone, lease over
 *               └──── waits again ───┤
 *                                    └─ the last attempt: dead letter
 */
import { LONGEST_RETRY_MS, retryDelay } from './backoff.ts'
import type { Held, Job, JobEngine, Lease, Outcome, Records } from './engine.ts'
import { QueueGate, type QueueLimits } from './gate.ts'

/** How often leases are looked through for those that are over, ms. */
const SWEEP_MS = 250
/** An engine that could not record what became of a job is asked again after this, ms. */
const RECORD_AGAIN_MS = 500
/** Jobs leased from one queue at once, at most: for as many workers that wait. */
const MOST_AT_ONCE = 64
/** After an engine could not say what there is, ms. */
const FAILED_MS = 1_000
const LONGEST_WAIT_MS = 60_000

/** Whoever works: a connection. Its identity is all that counts. */
export type Worker = object

export interface Wanted {
  readonly worker: Worker
  /** The first that has a job is taken from. */
  readonly queues: readonly string[]
  /** How long the job is the worker's without a word of it, ms. */
  readonly leaseMs: number
  /** Called once. */
  readonly take: (held: Held) => void
}

interface Waiter extends Wanted {
  /** A queue is being asked on its behalf. */
  asked: boolean
  over: boolean
}

interface InHand {
  readonly held: Held
  readonly worker: Worker
  leaseMs: number
  until: number
}

export interface DeskOptions {
  readonly engine: JobEngine
  readonly limits: Readonly<Record<string, QueueLimits>>
  readonly warn: (message: string) => void
}

export class Desk {
  readonly #engine: JobEngine
  readonly #warn: (message: string) => void
  #limits: DeskOptions['limits']
  readonly #gates = new Map<string, QueueGate>()
  readonly #waiting = new Set<Waiter>()
  /** By receipt. */
  readonly #inHand = new Map<string, InHand>()
  readonly #settling = new Set<Promise<boolean>>()
  readonly #sweep: NodeJS.Timeout
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #serving = false

  constructor(options: DeskOptions) {
    this.#engine = options.engine
    this.#limits = options.limits
    this.#warn = options.warn
    this.#sweep = setInterval(() => this.#giveUpOverdue(), SWEEP_MS)
  }

  get records(): Records {
    return this.#engine.records
  }

  put(job: Job): Promise<string> {
    return this.#engine.put(job)
  }

  /** Other limits from now on; what runs goes on. */
  change(limits: DeskOptions['limits']): void {
    this.#limits = limits
    for (const [queue, gate] of this.#gates) gate.change(limits[queue])
    this.#serve()
  }

  /** There may be work in this queue; '': in any. */
  work(queue: string): void {
    for (const [name, gate] of this.#gates) if (queue === '' || name === queue) gate.news = true
    this.#serve()
  }

  /** What is returned takes the wish back. */
  lease(wanted: Wanted): () => void {
    const waiter: Waiter = { ...wanted, asked: false, over: false }
    this.#waiting.add(waiter)
    this.#serve()
    return () => {
      waiter.over = true
      this.#waiting.delete(waiter)
    }
  }

  // Giving out.

  /** Asks the engine for those who wait, once for all that came in this turn. */
  #serve(): void {
    if (this.#serving || this.#closed) return
    this.#serving = true
    setImmediate(() => {
      this.#serving = false
      this.#ask()
    })
  }

  #ask(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    for (const gate of this.#gates.values()) gate.look(now)
    const asked = new Map<QueueGate, Waiter[]>()
    for (const waiter of this.#waiting) {
      if (waiter.asked) continue
      for (const queue of waiter.queues) {
        const gate = this.#gate(queue)
        const mine = asked.get(gate) ?? []
        if (!gate.news || mine.length === Math.min(MOST_AT_ONCE, gate.room(now))) continue
        waiter.asked = true
        asked.set(gate, [...mine, waiter])
        break
      }
    }
    for (const [gate, waiters] of asked) void this.#leaseFor(gate, waiters)
    if ([...this.#waiting].every((waiter) => waiter.asked)) return
    const waits = [...this.#gates.values()].map((gate) => gate.waitMs(now))
    const wait = Math.min(LONGEST_WAIT_MS, ...waits)
    this.#timer = setTimeout(() => this.#serve(), Math.ceil(wait))
  }

  async #leaseFor(gate: QueueGate, waiters: readonly Waiter[]): Promise<void> {
    gate.enter(waiters.length)
    gate.news = false
    const { held, askAt } = await this.#engine.lease(gate.queue, waiters.length).catch((error) => {
      this.#warn(`jobs of ${gate.queue}: ${error instanceof Error ? error.message : error}`)
      return { held: [], askAt: Date.now() + FAILED_MS }
    })
    gate.leave(waiters.length - held.length)
    gate.refund(waiters.length - held.length)
    if (held.length === waiters.length) gate.news = true
    else if (askAt > 0) gate.emptyUntil(performance.now() + askAt - Date.now())
    for (const waiter of waiters) waiter.asked = false
    for (const one of held) this.#give(one, waiters)
    this.#serve()
  }

  #give(held: Held, waiters: readonly Waiter[]): void {
    const waiter = waiters.find((one) => !one.over)
    if (waiter === undefined || this.#closed) {
      void this.#settle(held, giveBack('nobody was there to take it'), true)
      return
    }
    waiter.over = true
    this.#waiting.delete(waiter)
    const { worker, leaseMs } = waiter
    this.#inHand.set(held.receipt, { held, worker, leaseMs, until: performance.now() + leaseMs })
    waiter.take(held)
  }

  #gate(queue: string): QueueGate {
    let gate = this.#gates.get(queue)
    if (gate === undefined) {
      gate = new QueueGate(queue, this.#limits[queue])
      this.#gates.set(queue, gate)
    }
    return gate
  }

  // Taking back.

  /** False: the job is not this worker's any more; it runs elsewhere, or has. */
  async done(id: string, receipt: string, result: Uint8Array): Promise<boolean> {
    const inHand = this.#inHand.get(receipt)
    this.#inHand.delete(receipt)
    const outcome: Outcome = { kind: 'done', result }
    return this.#settle(inHand?.held ?? { id, receipt }, outcome, inHand !== undefined)
  }

  /** `retryMs` -1: after the job's own back-off. `forGood`: no further attempt. */
  async fail(receipt: string, error: string, retryMs: number, forGood: boolean): Promise<boolean> {
    const inHand = this.#takeBack(receipt)
    if (inHand === undefined) return false
    const { job } = inHand.held
    if (forGood || job.attempts >= job.maxAttempts) {
      return this.#settle(inHand.held, { kind: 'dead', error }, true)
    }
    const wait =
      retryMs >= 0
        ? retryMs
        : retryDelay(job.attempts, job.backoffMs, LONGEST_RETRY_MS, Math.random())
    const dueAt = wait === 0 ? 0 : Date.now() + wait
    return this.#settle(inHand.held, { kind: 'again', dueAt, error, givenBack: false }, true)
  }

  /** The worker has not begun it, or was told to stop: this attempt does not count. */
  async giveBack(receipt: string): Promise<boolean> {
    const inHand = this.#takeBack(receipt)
    if (inHand === undefined) return false
    return this.#settle(inHand.held, giveBack('given back'), true)
  }

  /** The worker still works on it; for `leaseMs` more, 0: as at first. False: it is not its job any more. */
  touch(receipt: string, leaseMs: number): boolean {
    const inHand = this.#inHand.get(receipt)
    if (inHand === undefined) return false
    if (leaseMs > 0) inHand.leaseMs = leaseMs
    inHand.until = performance.now() + inHand.leaseMs
    return true
  }

  /** The worker is gone: what it had in hand goes to another one at once. */
  left(worker: Worker): void {
    for (const [receipt, inHand] of this.#inHand) {
      if (inHand.worker === worker) void this.fail(receipt, 'its worker died', 0, false)
    }
  }

  #giveUpOverdue(): void {
    const now = performance.now()
    for (const [receipt, { until, leaseMs, held }] of this.#inHand) {
      if (until > now) continue
      this.#warn(`job ${held.job.name} ${held.id}: no word of its worker for ${leaseMs} ms`)
      void this.fail(receipt, `no word of its worker for ${leaseMs} ms`, 0, false)
    }
  }

  #takeBack(receipt: string): InHand | undefined {
    const inHand = this.#inHand.get(receipt)
    this.#inHand.delete(receipt)
    return inHand
  }

  #settle(lease: Held | Lease, outcome: Outcome, counted: boolean): Promise<boolean> {
    const settled = this.#record(lease, outcome).finally(() => {
      this.#settling.delete(settled)
      if (!counted || !('job' in lease)) return
      const gate = this.#gate(lease.job.queue)
      gate.leave(1)
      if (outcome.kind === 'again') gate.news = true
      this.#serve()
    })
    this.#settling.add(settled)
    settled.catch(() => {})
    return settled
  }

  /** For as long as it takes: a disk that is full, a broker that is away. */
  async #record(lease: Lease, outcome: Outcome): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#engine.settle(lease, outcome)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        if (tries === 1)
          this.#warn(`what became of job ${lease.id} cannot be written down yet: ${why}`)
        if (this.#closed) throw error
        await new Promise((resolve) => setTimeout(resolve, RECORD_AGAIN_MS))
      }
    }
  }

  /** What is in hand is given back; resolves when it is. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    clearTimeout(this.#timer)
    for (const receipt of [...this.#inHand.keys()]) void this.giveBack(receipt)
    await Promise.allSettled(this.#settling)
    await this.#engine.close()
  }
}

function giveBack(error: string): Outcome {
  return { kind: 'again', dueAt: 0, error, givenBack: true }
}
