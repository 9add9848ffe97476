/** One server under watch: asks it again and again, judges, and writes what all threads read. */
import { type Check, type Peer, Unwell } from '../checks/check.ts'
import type { CheckPlan } from '../site/check-plan.ts'
import { whyNoHandshake, whyUnverified } from '../transports/backend/tls-verdict.ts'
import { writeProxyHeader } from '../wire/proxy-protocol-writer.ts'
import { type SharedCells, VERDICT, type Verdict, verdicts, WEIGHT } from './cells.ts'
import { type Health, judge, pause, unknown } from './health.ts'
import type { Finding } from './health-report.ts'

/** Between the end of one answer and the next question, ms: a slow server is not asked all the time. */
const LEAST_PAUSE_MS = 10

export interface WatchOptions {
  readonly check: Check
  readonly plan: CheckPlan
  readonly cells: SharedCells
  /** Counts changes of weights: see WeighedTier. */
  readonly weighings: SharedCells
  /** Of an earlier watch; null: nobody has looked at it. `same`: by this very check. */
  readonly before: (Finding & { readonly same: boolean }) | null
  /** Resolves when it may ask; whoever gets a place calls what it gets. */
  readonly place: () => Promise<() => void>
  /** The verdict, which threads have read as `was`, or the weight has changed. */
  readonly changed: (watch: Watch, was: Verdict) => void
}

export class Watch {
  readonly #options: WatchOptions
  #health: Health
  /** What threads read. */
  #written: Verdict = 'none'
  readonly #peer: Peer
  #timer: NodeJS.Timeout | undefined
  #abort: AbortController | null = null
  /** The last question has not come to an end, though its time is over. */
  #hangs = false
  #stopped = true
  /** Of starts: what was asked before the last one is nobody's business any more. */
  #round = 0
  /** Since the first answer of the streak, on `performance.now()`. */
  #streakBegan = 0
  since: number = Date.now()
  why = ''
  /** -1: as the site file says. */
  weight = -1
  checks = 0
  failures = 0
  lastMs = 0
  /** Of the last change. */
  answers = 0
  tookMs = 0

  constructor(options: WatchOptions) {
    this.#options = options
    const { address, proxyProtocol } = options.plan
    // Of nobody: it is we who ask.
    const first = proxyProtocol === undefined ? null : writeProxyHeader(proxyProtocol, null)
    this.#peer = { address, first }
    this.#health = unknown
    const { before, plan } = options
    if (before !== null && before.verdict !== 'none') {
      this.since = before.since
      this.why = before.why
      this.#weigh(before.weight)
      // What another check has found is believed until this one has an answer of its own.
      if (before.same) this.#health = { verdict: before.verdict, streak: 0 }
      this.#write(before.verdict)
    } else if (plan.start === 'down') this.#write('down')
  }

  get plan(): CheckPlan {
    return this.#options.plan
  }

  get verdict(): Verdict {
    return this.#health.verdict
  }

  /** What was found out holds until the next answer, which decides at once. */
  doubt(): void {
    this.#health = unknown
  }

  /** Begins, or goes on, after `ms`. */
  start(ms: number): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#round++
    this.#later(ms)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#abort?.abort(new Error('not checked any more'))
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => void this.#ask(), ms)
  }

  async #ask(): Promise<void> {
    const round = this.#round
    const leave = await this.#options.place()
    if (this.#stopped || round !== this.#round) return leave()
    const { plan } = this.#options
    const began = performance.now()
    const heard = await this.#answer()
    leave()
    const took = performance.now() - began
    if (this.#stopped || round !== this.#round) return
    this.lastMs = took
    this.#hear(heard, began)
    const next = pause(this.#health, plan, Math.random())
    this.#later(Math.max(LEAST_PAUSE_MS, next - took))
  }

  /** A weight, undefined, or why it is not well. */
  async #answer(): Promise<number | undefined | Error> {
    if (this.#hangs) return new Unwell('the last check has not come to an end')
    const { check, plan } = this.#options
    const abort = new AbortController()
    this.#abort = abort
    const late = new Unwell(`no answer within ${plan.timeoutMs} ms`)
    const timer = setTimeout(() => abort.abort(late), plan.timeoutMs)
    const over = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason))
    })
    const probe = check.probe(this.#peer, abort.signal)
    this.#hangs = true
    const ended = (): void => {
      this.#hangs = false
    }
    probe.then(ended, ended)
    try {
      return await Promise.race([probe, over])
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    } finally {
      clearTimeout(timer)
      this.#abort = null
    }
  }

  #hear(heard: number | undefined | Error, began: number): void {
    const before = this.#health
    const well = !(heard instanceof Error)
    this.checks++
    if (!well) this.failures++
    this.#health = judge(before, well, this.#options.plan)
    const { verdict, streak } = this.#health
    if (streak === 1) this.#streakBegan = began
    const was = this.#written
    let news = false
    if (verdict !== before.verdict) {
      news = true
      this.answers = before.streak + 1
      this.tookMs = performance.now() - (before.streak === 0 ? began : this.#streakBegan)
      this.since = Date.now()
      this.why = well ? '' : shown(heard)
      this.#write(verdict)
    } else if (!well && verdict === 'down') {
      // What is in its way now may be another thing than at first: no news, but what people look for.
      this.why = shown(heard)
    }
    // One that fails now and then keeps the weight it had.
    if (well && this.#weigh(heard ?? -1)) news = true
    if (news) this.#options.changed(this, was)
  }

  #write(verdict: Verdict): void {
    this.#written = verdict
    Atomics.store(this.#options.cells, VERDICT, verdicts[verdict])
  }

  #weigh(weight: number): boolean {
    if (weight === this.weight) return false
    this.weight = weight
    Atomics.store(this.#options.cells, WEIGHT, weight + 1)
    Atomics.add(this.#options.weighings, 0, 1)
    return true
  }
}

const PLAIN: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'no such host',
}

/** Node's own words for a certificate are advice for who starts Node. */
function inWords({ message }: Error, code: string): string {
  // Over a socket of ours, Node leaves OpenSSL's reason in the text: `…:wrong version number:…`.
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1]?.toUpperCase()
  const fault = reason === undefined ? code : `ERR_SSL_${reason.replaceAll(' ', '_')}`
  return whyUnverified(code) || whyNoHandshake({ message, code: fault }) || message
}

/** On one line, in words; what servers send is nothing for a terminal. */
function shown(error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  const text = error.name === 'Unwell' ? error.message : (PLAIN[code] ?? inWords(error, code))
  return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').slice(0, 300)
}
