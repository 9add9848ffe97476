/** The session that is open now, and the next one where it breaks: with back-off, for as long as it takes. */
import { retryDelay } from '../backoff.ts'
import { type EngineEvents, JobError } from '../engine.ts'
import type { RabbitAddress } from './address.ts'
import type { Names } from './names.ts'
import { Session } from './session.ts'

const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 3_000
/** How long an outage may last before who puts a job is told, ms. */
const PATIENCE_MS = 15_000
const AGAIN_MS = 50

export class Broker {
  readonly address: RabbitAddress
  readonly names: Names
  readonly #warn: EngineEvents['warn']
  readonly #opened: (session: Session) => Promise<void>
  #session: Session | null = null
  #failures = 0
  #closed = false
  #timer: NodeJS.Timeout | undefined
  #waiting: (() => void)[] = []

  /** `opened` does what has to be done on each new session, before anybody else uses it. */
  constructor(
    address: RabbitAddress,
    names: Names,
    warn: EngineEvents['warn'],
    opened: (session: Session) => Promise<void>,
  ) {
    this.address = address
    this.names = names
    this.#warn = warn
    this.#opened = opened
    void this.#connect()
  }

  /** Null: there is none now. */
  get session(): Session | null {
    return this.#session
  }

  async #connect(): Promise<void> {
    try {
      const session = await Session.open(this.address, this.names, (why) =>
        this.#broke(session, why),
      )
      await this.#opened(session)
      if (this.#closed || session.lost !== '') return void session.close()
      this.#session = session
      if (this.#failures > 0) this.#warn(`${this.address.shown} is back`)
      this.#failures = 0
      for (const done of [...this.#waiting]) done()
    } catch (error) {
      this.#again(error instanceof Error ? error.message : String(error))
    }
  }

  #broke(session: Session, why: string): void {
    if (this.#session !== session) return
    this.#session = null
    this.#again(why)
  }

  #again(why: string): void {
    if (this.#closed) return
    this.#failures += 1
    if (this.#failures === 1) this.#warn(`${this.address.shown}: ${why}; trying again`)
    const wait = retryDelay(this.#failures, FIRST_WAIT_MS, LONGEST_WAIT_MS, Math.random())
    this.#timer = setTimeout(() => void this.#connect(), wait)
  }

  /** Steps that may run twice: again after each outage, as long as patience lasts. */
  async run<Value>(steps: (session: Session) => Promise<Value>): Promise<Value> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const session = this.#session ?? (await this.#ready(deadline - performance.now()))
      try {
        return await steps(session)
      } catch (error) {
        const passing = error instanceof JobError && error.code === 'UNAVAILABLE'
        if (!passing || performance.now() + AGAIN_MS > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  #ready(ms: number): Promise<Session> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting = this.#waiting.filter((one) => one !== done)
        if (this.#session !== null) return resolve(this.#session)
        const what = `${this.address.shown} does not answer; try again later`
        reject(new JobError('FULL', what))
      }
      const timer = setTimeout(done, Math.max(0, ms))
      if (this.#closed) return done()
      this.#waiting.push(done)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const session = this.#session
    this.#session = null
    for (const done of [...this.#waiting]) done()
    await session?.close()
  }
}
