/** Jobs of a queue that a program of any language does: a process each, the payload on its standard input. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { QueuePlan } from '../site/jobs-plan.ts'
import { endGroup, guardGroup, killGroup } from '../supervisor/kill-group.ts'
import type { Desk } from './desk.ts'
import type { Held, Job } from './engine.ts'

const LEASE_MS = 30_000
const BEAT_MS = 10_000
/** Where neither the job nor its queue has a deadline, as job workers of applications, ms. */
const USUAL_DEADLINE_MS = 300_000
/** Between being told to end and being killed, ms. */
const GRACE_MS = 5_000
/** Its last words may still be in the pipe when it has ended, ms. */
const LAST_WORDS_MS = 500
/** sysexits.h, EX_DATAERR: what it was given is wrong, and will be. */
const HOPELESS = 65
/** Of what a failed program said last, bytes. */
const MOST_LAST_WORDS = 4096

export interface RunnerOptions {
  readonly queue: string
  readonly plan: QueuePlan
  /** The longest result, bytes. */
  readonly longest: number
  readonly log: (message: string) => void
}

interface Ended {
  readonly code: number | null
  readonly how: string
  readonly out: Buffer
  readonly lastWords: string
}

/** One of the `workers` of a queue: does one job after another until it is stopped. */
export class Runner {
  readonly #desk: Desk
  readonly #options: RunnerOptions
  #takeBack: () => void = () => {}
  #child: ChildProcess | null = null
  #stopped = false

  constructor(desk: Desk, options: RunnerOptions) {
    this.#desk = desk
    this.#options = options
    this.#next()
  }

  #next(): void {
    if (this.#stopped) return
    const take = (held: Held): void => void this.#do(held).finally(() => this.#next())
    const queues = [this.#options.queue]
    this.#takeBack = this.#desk.lease({ worker: this, queues, leaseMs: LEASE_MS, take })
  }

  async #do({ id, job, receipt }: Held): Promise<void> {
    const beat = setInterval(() => this.#desk.touch(receipt, 0), BEAT_MS)
    const ended = await this.#run(job)
    clearInterval(beat)
    if (ended.code === 0) {
      const { longest } = this.#options
      if (ended.out.length <= longest) return void (await this.#desk.done(id, receipt, ended.out))
      await this.#desk.done(id, receipt, Buffer.alloc(0))
      return this.#options.log(
        `job ${job.name} ${id}: it printed more than ${longest} bytes; not kept`,
      )
    }
    if (this.#stopped) return void (await this.#desk.giveBack(receipt))
    this.#options.log(`job ${job.name} ${id} failed: ${ended.how}`)
    const error = ended.lastWords === '' ? ended.how : `${ended.lastWords.trimEnd()}\n${ended.how}`
    await this.#desk.fail(receipt, error, -1, ended.code === HOPELESS)
  }

  #run(job: Job): Promise<Ended> {
    const { plan, longest, log, queue } = this.#options
    const [file = '', ...args] = plan.run
    const child = spawn(file, args, {
      cwd: plan.dir,
      env: {
        ...process.env,
        PORTICO_JOB_ID: job.id,
        PORTICO_JOB_NAME: job.name,
        PORTICO_JOB_QUEUE: queue,
        PORTICO_JOB_ATTEMPT: String(job.attempts),
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: ended as a whole.
      detached: true,
    })
    this.#child = child
    const guard = child.pid === undefined ? null : guardGroup(child, null)
    let lastWords = ''
    let late = ''
    const out: Buffer[] = []
    let size = 0
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= longest + 65_536) out.push(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-MOST_LAST_WORDS)
      for (const line of chunk.toString().split('\n')) if (line !== '') log(`${job.name}: ${line}`)
    })
    // It need not read its payload.
    child.stdin.on('error', () => {})
    child.stdin.end(job.payload)
    const limit = job.deadlineMs || plan.deadlineMs || USUAL_DEADLINE_MS
    const timer = setTimeout(() => {
      late = `it ran longer than its deadline of ${limit / 1000} s`
      this.#end(child)
    }, limit)
    return new Promise((resolve) => {
      const over = (code: number | null, how: string): void => {
        clearTimeout(timer)
        guard?.kill('SIGKILL')
        this.#child = null
        const failed = late === '' ? how : late
        resolve({
          code: late === '' ? code : null,
          how: failed,
          out: Buffer.concat(out),
          lastWords,
        })
      }
      child.once('error', (error) => {
        if (child.pid === undefined) over(null, `it cannot be started: ${error.message}`)
      })
      // What it has started goes with it, and with that the pipes are closed, or soon: what has left the
      // group may hold them for as long as it likes.
      child.once('exit', async () => {
        await endGroup(child, late === '' ? 0 : GRACE_MS)
        setTimeout(() => {
          child.stdout.destroy()
          child.stderr.destroy()
        }, LAST_WORDS_MS)
      })
      child.once('close', (code, signal) => over(code, signal ?? `exit code ${code}`))
    })
  }

  #end(child: ChildProcess): void {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGTERM')
    } catch {
      // It is just ending.
    }
    setTimeout(() => child.exitCode === null && killGroup(child), GRACE_MS).unref()
  }

  /** Gives back what is in hand. */
  stop(): void {
    this.#stopped = true
    this.#takeBack()
    if (this.#child !== null) killGroup(this.#child)
  }
}
