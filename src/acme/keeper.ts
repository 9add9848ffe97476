/**
 * Keeps the certificate of one name: what the store has, what is due, what went wrong.
 *
 *     look ──nothing new──► wait ──due──► lock ──► attempt ──┐
 *      ▲                     ▲ │           │ another machine │ well, or with a wait
 *      └───news, a kick──────┘ └───────────┴─────────────────┘
 */
import { readFileSync } from 'node:fs'
import type { AcmePlan } from '../site/acme-plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import { Alarm } from './alarm.ts'
import { suggestion } from './ari.ts'
import type { Challenges } from './challenges.ts'
import { renewalTime, retryWait, type Window } from './due.ts'
import { AttemptError, type Issuing } from './issuing.ts'
import { type Kept, readKept, writeKept } from './kept.ts'
import { NameRecord } from './record.ts'
import { keyOfName, type Lease, type Store } from './store.ts'
import type { Trouble } from './trouble.ts'

/** What all keepers of a site share. */
export interface Household {
  readonly plan: AcmePlan
  readonly store: Store
  readonly issuing: Issuing
  readonly challenges: Challenges
  readonly logger: Logger
  /** At most so many orders at a time. */
  readonly turn: <Result>(work: () => Promise<Result>) => Promise<Result>
  /** A certificate was written: the other machines are to look. */
  readonly tell: () => Promise<void>
  /** What stands for a minute between attempts that fail, ms. */
  readonly minuteMs: number
  /** How often it is looked whether another machine is done, ms. */
  readonly pollMs: number
  readonly signal: AbortSignal
}

/** Until a CA that has not said when is asked again what it suggests, ms. */
const SUGGESTION_MS = 3_600_000
/** After what no CA is to blame for, such as a store that does not answer. */
const STORE_WAIT_MINUTES = 1 / 6

export class Keeper {
  readonly name: string
  /** `run` was called. */
  runs = false
  #home: Household
  readonly #changed: () => void
  readonly #over = new AbortController()
  readonly #alarm = new Alarm()
  readonly #record: NameRecord
  #kept: Kept | null = null
  #trouble: Trouble | null = null
  #window: Window | null = null
  #askAt = 0
  #chance = Math.random()
  #ordering = false
  /** Whatever is known, now is the time. */
  #urgent = false
  /** The store does not answer, and that was said. */
  #storeFails = false
  /** The store that was last read. */
  #seen: Store | null = null
  /** Visitors who wait for the first certificate. */
  #waiting: (() => void)[] = []

  /** `changed`: it has another certificate. */
  constructor(name: string, home: Household, changed: () => void) {
    this.name = name
    this.#record = new NameRecord(name)
    this.#home = home
    this.#changed = changed
  }

  get kept(): Kept | null {
    return this.#kept
  }

  get trouble(): Trouble | null {
    return this.#trouble
  }

  get ordering(): boolean {
    return this.#ordering
  }

  /** When something is to be done, ms since 1970. */
  get dueAt(): number {
    if (this.#urgent) return 0
    const kept = this.#kept
    const isWanted = kept !== null && this.#isFromOurs(kept)
    const due = isWanted ? renewalTime(kept, this.#window, this.#chance) : 0
    return Math.max(due, this.#trouble?.until ?? 0)
  }

  /** Another CA's, such as one for trying things out, gives way. One that was put there by hand stays. */
  #isFromOurs({ server }: Kept): boolean {
    return server === '' || this.#home.plan.servers.some(({ url }) => url === server)
  }

  /** Of the next attempt; what is under way goes on as it began. */
  use(home: Household): void {
    this.#home = home
    this.look()
  }

  /** Resolves when it has a certificate, or an attempt has failed; or the household ends. */
  async settled(): Promise<void> {
    if (this.#kept !== null || this.#trouble !== null || this.#ended) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #settle(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Something may have changed in the store. */
  look(): void {
    this.#alarm.ring()
  }

  /** An owner wants one at once. */
  renew(): void {
    this.#urgent = true
    this.look()
  }

  /** An order that is under way is finished. */
  stop(): void {
    this.#over.abort()
    this.look()
  }

  /** Resolves after `stop`, or when the household ends. */
  async run(): Promise<void> {
    this.runs = true
    await this.#keepOn()
    this.#settle()
  }

  async #keepOn(): Promise<void> {
    while (!this.#ended) {
      const looked = await this.read()
      if (this.#ended) return
      if (!looked) await this.#sleep(this.#home.minuteMs * STORE_WAIT_MINUTES)
      else if (this.dueAt > Date.now()) {
        // Without an answer it is renewed as usual.
        this.#askSuggestion().catch(() => {})
        await this.#sleep(Math.min(this.dueAt - Date.now(), this.#askAt - Date.now()))
      } else await this.#obtain()
    }
  }

  get #ended(): boolean {
    return this.#over.signal.aborted || this.#home.signal.aborted
  }

  #sleep(ms: number): Promise<void> {
    return this.#alarm.wait(ms, this.#home.signal)
  }

  /** What the store has; false where it does not answer. */
  async read(): Promise<boolean> {
    const { store, logger } = this.#home
    try {
      const { text, trouble } = await this.#record.read(store)
      // What could not be written is not forgotten.
      if ((trouble?.until ?? 0) >= (this.#trouble?.until ?? 0)) this.#trouble = trouble
      if (this.#storeFails) logger.info(`certificates: ${store.shown} answers again`)
      this.#storeFails = false
      if (text !== null) this.#take(text)
      // What is had goes along to another store, unless that has something already.
      else if (this.#seen !== store && this.#kept !== null) {
        await this.#record.save(store, textOf(this.#kept))
      }
      this.#seen = store
      return true
    } catch (error) {
      this.#storeIsAway(error as Error)
      return false
    }
  }

  /** Said once. */
  #storeIsAway({ message }: Error): void {
    const { store, logger } = this.#home
    if (!this.#storeFails && !this.#ended) {
      logger.error(
        `certificates: ${store.shown} cannot be used: ${message}; ${this.name} goes on with what it has`,
      )
    }
    this.#storeFails = true
  }

  #take(text: string): void {
    let kept: Kept
    try {
      kept = readKept(text, this.name)
    } catch (error) {
      const { store, logger } = this.#home
      return logger.warn(
        `certificates: what ${store.shown} has for ${this.name} is of no use, another one is obtained: ${(error as Error).message}`,
      )
    }
    if (kept.fingerprint === this.#kept?.fingerprint) return
    this.#kept = kept
    this.#trouble = null
    this.#urgent = false
    this.#window = null
    this.#askAt = 0
    this.#chance = Math.random()
    this.#changed()
    this.#settle()
  }

  async #askSuggestion(): Promise<void> {
    const kept = this.#kept
    if (kept === null || this.#askAt > Date.now()) return
    this.#askAt = Date.now() + SUGGESTION_MS
    const { issuing, plan } = this.#home
    if (!plan.servers.some(({ url }) => url === kept.server)) return
    const client = issuing.client(kept.server, trustOf(plan))
    const { window, againMs } = await suggestion(client, kept.id)
    if (this.#kept !== kept) return
    this.#askAt = Date.now() + againMs
    const changes = window?.start !== this.#window?.start
    this.#window = window
    if (changes) this.#alarm.ring()
  }

  /** One attempt, unless another machine is at it. */
  async #obtain(): Promise<void> {
    const { store, turn, pollMs } = this.#home
    let lease: Lease | null = null
    try {
      lease = await store.lock(`order/${keyOfName(this.name)}`)
    } catch (error) {
      this.#storeIsAway(error as Error)
      return this.#sleep(this.#home.minuteMs * STORE_WAIT_MINUTES)
    }
    if (lease === null) return this.#sleep(pollMs)
    const held = lease
    try {
      // What another machine has got, or has found impossible, while we came.
      if (!(await this.read()) || this.dueAt > Date.now()) return
      this.#ordering = true
      this.#urgent = false
      await turn(() => this.#attempt(held.lost))
    } catch (error) {
      if (this.#home.signal.aborted) await this.#gaveUp()
      else await this.#failed(error as Error)
    } finally {
      this.#ordering = false
      await lease.release()
    }
  }

  async #attempt(lost: AbortSignal): Promise<void> {
    const { plan, store, issuing, challenges, logger, tell, signal } = this.#home
    const { name } = this
    const before = this.#kept ?? { server: '', id: '' }
    await this.#announce()
    logger.info(`certificates: obtaining one for ${name}`)
    const both = AbortSignal.any([signal, lost])
    const got = await issuing.attempt(
      {
        plan,
        name,
        store,
        show: challenges.show(store, plan.dnsHook, both),
        failures: this.#trouble?.failures ?? 0,
        before,
        signal: both,
      },
      trustOf(plan),
    )
    const text = writeKept(got.server, got.chain, got.key)
    const { issuer, notAfter } = readKept(text, name)
    try {
      // Before anybody sees it: what is served is there after a crash as well.
      await this.#record.save(store, text)
    } catch (error) {
      const why = (error as Error).message
      throw new Error(`it was obtained, but ${store.shown} does not take it: ${why}`)
    } finally {
      this.#ordering = false
      this.#take(text)
    }
    logger.info(
      `certificates: ${name} has one by ${issuer} until ${new Date(notAfter).toISOString()}`,
    )
    await tell()
  }

  /**
   * A process that is killed over and over must not ask a CA each time: until an attempt has ended, it counts
   * as failed. And a store that takes this will take a certificate.
   */
  async #announce(): Promise<void> {
    const { store, minuteMs } = this.#home
    const failures = (this.#trouble?.failures ?? 0) + 1
    const now = Date.now()
    const until = now + retryWait(failures, 0, minuteMs)
    const trouble: Trouble = { message: 'the attempt was cut short', at: now, until, failures }
    await this.#record.note(store, trouble)
  }

  /** The site is being stopped: nobody has failed. */
  async #gaveUp(): Promise<void> {
    await this.#record.note(this.#home.store, this.#trouble).catch(() => {})
  }

  async #failed(error: Error): Promise<void> {
    const { store, logger, minuteMs } = this.#home
    const failures = (this.#trouble?.failures ?? 0) + 1
    const asked = error instanceof AttemptError ? error.retryAfterMs : 0
    const wait = Math.max(asked, retryWait(failures, Math.random(), minuteMs))
    const now = Date.now()
    this.#ordering = false
    this.#trouble = { message: error.message, at: now, until: now + wait, failures }
    this.#settle()
    const serves =
      this.#kept === null || this.#kept.notAfter < now
        ? 'visitors are warned'
        : 'the old one serves on'
    logger.error(
      `certificates: none for ${this.name}: ${error.message}; next attempt in ${minutes(wait)}, ${serves} meanwhile`,
    )
    await this.#record.note(store, this.#trouble).catch(() => {})
  }
}

function textOf({ server, chain, key }: Kept): string {
  return writeKept(server, chain, key)
}

function minutes(ms: number): string {
  if (ms < 60_000) return `${Math.ceil(ms / 1000)} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`
}

function trustOf({ trust }: AcmePlan): string | undefined {
  return trust === '' ? undefined : readFileSync(trust, 'latin1')
}
