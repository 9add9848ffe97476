/**
 * Takes jobs from Portico for the application's thread, one at a time, for as long as the process lives. In
 * a thread beside it: a job that keeps that one busy is still its own, and ends when its time is over.
 *
 *     lease ──► job to the main thread ──ended──► DONE, FAIL ──► lease …
 *                         │ deadline, no time left to finish
 *                         └──► where it stands to the log; FAIL, BACK; the process is killed
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { Connection, Refused, Unavailable } from '../../../shared/connection.ts'
import { type Reply, textOf } from '../../../wire/resp.ts'
import type { Role } from '../../runtime.ts'
import type { FromMain, JobInHand, JobOutcome, ToMain } from '../orders.ts'
import { say } from '../worker/say.ts'
import { whereMainIs } from '../worker/where.ts'

/** How long a lease is waited for, ms: so long, at most, is a retirement not heard of. */
const WAIT_MS = 1_000
/** A worker that says nothing for so long has lost its job to another one, ms. */
const LEASE_MS = 30_000
const BEAT_MS = 8_000
/** For any reply, ms: a broker may be restarting. */
const ASK_MS = 60_000
/** Between two attempts to reach Portico, ms. */
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000
/** Before what became of a job is said again, ms: the connection broke. */
const SAY_AGAIN_MS = [50, 200, 1_000, 2_000]
/** A job that must be given back is, so long before this process is killed, ms. */
const MARGIN_MS = 500

interface Lease {
  readonly job: JobInHand
  readonly receipt: string
  readonly payload: Uint8Array
  /** 0: as the worker has it. */
  readonly deadlineMs: number
}

type End =
  | JobOutcome
  /** It had to be given up. */
  | { readonly kind: 'late'; readonly word: 'FAIL' | 'BACK'; readonly why: string }

export class JobTaker {
  readonly #queues: readonly string[]
  readonly #deadlineMs: number
  readonly #stopMs: number
  /** Jobs until it is replaced. */
  #left: number
  #connection: Connection | null = null
  /** 0: it stays. */
  #leavingAt = 0
  #exitCode = 0
  /** Of the job in hand. */
  #end: ((end: End) => void) | null = null
  #stopTimer: NodeJS.Timeout | undefined

  constructor(role: Role) {
    this.#queues = role.queues as readonly string[]
    this.#deadlineMs = Number(role.deadlineMs)
    this.#stopMs = Number(role.stopMs)
    const recycle = Number(role.recycle)
    // Not all of them together.
    this.#left = recycle === 0 ? Infinity : recycle + Math.floor((Math.random() * recycle) / 10)
  }

  heard(message: FromMain): void {
    if (message.type === 'ready') void this.#work()
    else if (message.type === 'leave') this.leave()
    else if (message.type === 'ended') this.#end?.(message.outcome)
    else if (message.type === 'broken') this.#break(message.error)
  }

  /** Something was thrown where nobody catches it: what is in hand has failed, and nothing follows. */
  #break(error: string): void {
    this.#exitCode = 1
    if (this.#end === null) say(error)
    this.#end?.({ kind: 'failed', error, retryMs: -1, forGood: false })
    this.leave()
  }

  /** Finishes what is in hand, within its time, and ends the process. */
  leave(): void {
    if (this.#leavingAt > 0) return
    this.#leavingAt = performance.now()
    this.#boundEnd()
  }

  /** What is in hand when it is to leave, has so long. */
  #boundEnd(): void {
    const end = this.#end
    if (this.#leavingAt === 0 || end === null) return
    const left = this.#leavingAt + this.#stopMs - MARGIN_MS - performance.now()
    const late = { kind: 'late', word: 'BACK', why: 'its worker had to stop' } as const
    this.#stopTimer = setTimeout(() => end(late), Math.max(0, left))
  }

  async #work(): Promise<void> {
    while (this.#leavingAt === 0 && this.#left > 0) {
      const lease = await this.#lease()
      if (lease === null) continue
      if (this.#leavingAt > 0) await this.#say(lease, 'BACK')
      else await this.#do(lease)
      this.#left--
    }
    tell({ type: 'exit', code: this.#exitCode })
  }

  /** Null when there is none for a while. */
  async #lease(): Promise<Lease | null> {
    const command = ['PORTICO.JOB.LEASE', String(WAIT_MS), String(LEASE_MS), ...this.#queues]
    for (let pause = FIRST_PAUSE_MS; this.#leavingAt === 0; ) {
      try {
        const reply = await this.#ask(command)
        return Array.isArray(reply) ? readLease(reply) : null
      } catch (error) {
        if (pause === LONGEST_PAUSE_MS) say(`portico: no jobs: ${(error as Error).message}`)
      }
      await sleep(pause)
      pause = Math.min(LONGEST_PAUSE_MS, pause * 2)
    }
    return null
  }

  #ask(command: readonly string[]): Promise<Reply> {
    if (this.#connection?.isOpen !== true) this.#connection = new Connection()
    return this.#connection.ask(command, ASK_MS)
  }

  async #do(lease: Lease): Promise<void> {
    const { job, payload } = lease
    const limit = lease.deadlineMs || this.#deadlineMs
    const why = `it ran longer than its deadline of ${limit / 1000} s`
    let late: NodeJS.Timeout | undefined
    let beat: NodeJS.Timeout | undefined
    const end = await new Promise<End>((resolve) => {
      this.#end = resolve
      this.#boundEnd()
      if (limit > 0) late = setTimeout(() => resolve({ kind: 'late', word: 'FAIL', why }), limit)
      beat = setInterval(() => this.#touch(lease), BEAT_MS)
      tell({ type: 'job', job, payload })
    })
    this.#end = null
    for (const timer of [late, beat, this.#stopTimer]) clearTimeout(timer)
    await this.#settle(lease, end)
  }

  #touch({ job, receipt }: Lease): void {
    // The next one, or the connection's end, tells.
    this.#ask(['PORTICO.JOB.TOUCH', job.id, receipt]).catch(() => {})
  }

  async #settle(lease: Lease, end: End): Promise<void> {
    const { job } = lease
    const name = `portico: job ${job.name} ${job.id}`
    if (end.kind === 'done') {
      if (await this.#say(lease, 'DONE', end.result)) return
      return say(`${name} is done, but was another worker's by then: it may be done twice`)
    }
    if (end.kind === 'late') {
      const where = await whereMainIs()
      say(`${name}: ${end.why}\n${where}`)
      await this.#say(lease, end.word, ...(end.word === 'FAIL' ? [`${where}\n${end.why}`] : []))
      process.kill(process.pid, 'SIGKILL')
      return
    }
    const { retryMs, forGood } = end
    if (retryMs < 0) say(`${name} ${failureOf(job, end.error, forGood)}`)
    const how = forGood ? ['DEAD'] : retryMs >= 0 ? ['RETRY', String(Math.round(retryMs))] : []
    await this.#say(lease, 'FAIL', end.error, ...how)
  }

  /** Again, should the connection break. False: it is not ours any more. */
  async #say(
    { job, receipt }: Lease,
    word: string,
    ...more: readonly (string | Uint8Array)[]
  ): Promise<boolean> {
    const bytes = more.map((part) => Buffer.from(part as string).toString('latin1'))
    for (let tries = 0; ; tries++) {
      try {
        return (await this.#ask([`PORTICO.JOB.${word}`, job.id, receipt, ...bytes])) === 1
      } catch (error) {
        const pause = SAY_AGAIN_MS[tries]
        if (error instanceof Unavailable && pause !== undefined) await sleep(pause)
        else {
          const reason = error instanceof Refused ? error.message : String(error)
          say(`portico: job ${job.id}: ${reason}`)
          return false
        }
      }
    }
  }
}

/** What was said in one line needs no stack: where it was thrown does not matter. */
function failureOf({ attempt, attempts }: JobInHand, error: string, forGood: boolean): string {
  const which = `(attempt ${attempt} of ${attempts})`
  if (forGood && !error.includes('\n')) return `is a dead letter ${which}: ${error}`
  const last = forGood || attempt >= attempts ? ', and is a dead letter now' : ''
  return `failed ${which}${last}\n${error}`
}

function tell(message: ToMain): void {
  parentPort!.postMessage(message)
}

/** Names and values in turn. */
function readLease(reply: readonly Reply[]): Lease {
  const facts = new Map<string, Reply>()
  for (let at = 0; at < reply.length; at += 2) facts.set(String(reply[at]), reply[at + 1] ?? null)
  const text = (name: string): string => textOf(String(facts.get(name)))
  const number = (name: string): number => Number(facts.get(name))
  return {
    job: {
      id: text('id'),
      name: text('name'),
      queue: text('queue'),
      attempt: number('attempt'),
      attempts: number('attempts'),
    },
    receipt: text('receipt'),
    payload: Buffer.from(String(facts.get('payload')), 'latin1'),
    deadlineMs: number('deadline'),
  }
}
