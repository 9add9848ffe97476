/**
 * Automatic certificates of a site: lives in the supervisor, over all generations. Each name has a keeper;
 * together they have one store, and what they keep is told whenever it changes.
 */
import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { AcmePlan } from '../site/acme-plan.ts'
import { isLocal } from '../site/local-names.ts'
import type { Logger } from '../supervisor/logger.ts'
import { delay, settledWithin } from '../supervisor/timers.ts'
import type { CertificatePem } from '../tls/certificates.ts'
import { Challenges } from './challenges.ts'
import { Demands } from './demands.ts'
import { Issuing } from './issuing.ts'
import { type Household, Keeper } from './keeper.ts'
import { LocalKeeper } from './local-keeper.ts'
import { openStore } from './open-store.ts'
import { standIn } from './stand-in.ts'
import type { CertificateStatus } from './status.ts'
import type { Store } from './store.ts'
import { Turns } from './turns.ts'

/** CAs count orders: so many at a time are enough. */
const MOST_ORDERS = 4
/** A store that answers is asked in time; one that does not holds nobody up, ms. */
const READ_MS = 3_000
/** Orders that are under way when the site stops have so long to give back what they hold, ms. */
const END_MS = 2_000
/** What changes within such a time is told together, ms. */
const PUBLISH_MS = 10
const NEWS = 'news'

export interface AgentOptions {
  readonly logger: Logger
  /** From now on these are to be served; the first one also where nothing else is asked for. */
  readonly changed: (certificates: readonly CertificatePem[]) => void
  /** What stands for a minute between attempts that fail, ms. */
  readonly minuteMs?: number
  /** How often other machines' news are looked for, ms. */
  readonly newsMs?: number
}

export class Agent {
  readonly #options: AgentOptions
  readonly #over = new AbortController()
  readonly #turns = new Turns(MOST_ORDERS)
  readonly #issuing: Issuing
  readonly #keepers = new Map<string, Keeper>()
  readonly #running = new Set<Promise<void>>()
  readonly #demands = new Demands()
  /** Names that are kept because somebody came for them. */
  readonly #demanded = new Set<string>()
  #warned = false
  readonly #orders = new Set<Promise<unknown>>()
  /** Stores that were moved away from, until their orders are over. */
  readonly #left = new Set<Store>()
  readonly #local: LocalKeeper
  #plan: AcmePlan | null = null
  #home: Household | null = null
  #homeOver = new AbortController()
  #news = ''
  #standIn: { readonly names: string; readonly pem: CertificatePem } | null = null
  #publishing: Promise<void> = Promise.resolve()
  /** The last one has not begun. */
  #queued = false

  constructor(options: AgentOptions) {
    this.#options = options
    // Each name waits for it, and they may be many.
    setMaxListeners(0, this.#over.signal)
    this.#issuing = new Issuing(this.#over.signal)
    this.#local = new LocalKeeper(options.logger, () => void this.#publish())
  }

  /**
   * From now on these names, too, so that a generation can begin to serve them: resolves when there is
   * something for each, be it a stand-in. Names that are gone go with `commit`.
   */
  async prepare(plan: AcmePlan): Promise<void> {
    await this.#settle(plan)
    const fresh = plan.names.filter((name) => !this.#keepers.has(name))
    for (const name of fresh) this.#keep(name)
    const read = fresh.map((name) => this.#keepers.get(name)!.read())
    await settledWithin(Promise.all(read), READ_MS)
    await this.#local.use(plan, [...this.#local.names, ...plan.local])
    await this.#publish()
  }

  /** The plan that was prepared is served, and no other: what is missing or due is ordered from now on. */
  async commit(plan: AcmePlan): Promise<void> {
    if (plan.ask === '') this.#demanded.clear()
    for (const [name, keeper] of this.#keepers) {
      if (!plan.names.includes(name) && !this.#demanded.has(name)) {
        keeper.stop()
        this.#keepers.delete(name)
      } else if (!keeper.runs) this.#run(keeper)
    }
    await this.#local.use(plan, plan.local)
    await this.#publish()
  }

  /** A site without automatic certificates: what is under way is finished. */
  retire(): void {
    for (const keeper of this.#keepers.values()) keeper.stop()
    this.#keepers.clear()
    this.#demanded.clear()
    this.#local.close()
    this.#options.changed([])
  }

  /** What a CA is to be answered with; null: that is none of ours. */
  async httpProof(token: string): Promise<string | null> {
    const home = this.#home
    return home === null ? null : home.challenges.http(token, home.store)
  }

  async tlsProof(name: string): Promise<CertificatePem | null> {
    const home = this.#home
    return home === null ? null : home.challenges.tls(name, home.store)
  }

  /** A visitor wants `name`: resolves when there is a certificate, or when there is none for now. */
  async demand(name: string): Promise<void> {
    const plan = this.#plan
    if (plan === null || plan.ask === '' || isLocal(name)) return
    let keeper = this.#keepers.get(name)
    if (keeper === undefined) {
      if (this.#demanded.size >= plan.mostAsked) return this.#tooMany(plan.mostAsked)
      if (!(await this.#demands.may(name, plan.ask))) return
      keeper = this.#keepers.get(name)
    }
    if (keeper === undefined) {
      this.#demanded.add(name)
      this.#keep(name)
      keeper = this.#keepers.get(name)!
      await keeper.read()
      this.#run(keeper)
    }
    await keeper.settled()
    // The next visitor may have it tried again, when its time has come.
    if (keeper.kept === null && this.#demanded.delete(name)) {
      keeper.stop()
      this.#keepers.delete(name)
    }
    await this.#publishing
  }

  #tooMany(most: number): void {
    if (this.#warned) return
    this.#warned = true
    this.#options.logger.warn(
      `certificates: ${most} names have one on demand, more get none; raise tls.acme.on-demand.most`,
    )
  }

  /** Obtains a certificate at once, whatever is due. Throws for a name that is not kept. */
  renew(name: string): void {
    const keeper = this.#keepers.get(name)
    if (keeper === undefined) {
      throw new Error(
        `${name} has no certificate from a CA here; there are ${[...this.#keepers.keys()].join(', ') || 'none'}`,
      )
    }
    keeper.renew()
  }

  get status(): readonly CertificateStatus[] {
    const store = this.#home?.store.shown ?? ''
    const kept = [...this.#keepers.values()].map((keeper): CertificateStatus => {
      const { name, kept, trouble, ordering, dueAt } = keeper
      return {
        names: [name],
        source: kept === null ? '' : kept.server,
        issuer: kept?.issuer ?? '',
        from: kept?.notBefore ?? 0,
        expires: kept?.notAfter ?? 0,
        renewal: dueAt,
        store,
        state: ordering ? 'ordering' : kept === null ? 'missing' : 'kept',
        trouble: trouble === null ? null : { message: trouble.message, at: trouble.at },
        failures: trouble?.failures ?? 0,
      }
    })
    return [...kept, ...this.#local.status]
  }

  /** Nothing of it goes on afterwards; locks are free. */
  async close(): Promise<void> {
    this.#over.abort(new Error('the site is being stopped'))
    this.#homeOver.abort(this.#over.signal.reason)
    this.#local.close()
    await settledWithin(Promise.all(this.#running), END_MS)
    for (const store of [...this.#left, this.#home?.store]) store?.close()
  }

  /** A new household where the plan is another; keepers go on with it. */
  async #settle(plan: AcmePlan): Promise<void> {
    const before = this.#home
    const moves = before === null || before.plan.store !== plan.store
    const {
      logger,
      minuteMs = 60_000,
      newsMs = plan.store.startsWith('file:') ? 5_000 : 2_000,
    } = this.#options
    const store = moves
      ? await openStore(plan.store, (message) => logger.warn(`certificates: ${message}`))
      : before.store
    const home: Household = {
      plan,
      store,
      issuing: this.#issuing,
      challenges: before === null || moves ? new Challenges(plan.shared) : before.challenges,
      logger,
      turn: (work) => this.#order(work),
      tell: async () => {
        if (!plan.shared) return
        this.#news = randomBytes(9).toString('base64url')
        await store.write(NEWS, this.#news)
      },
      minuteMs,
      pollMs: newsMs,
      signal: this.#over.signal,
    }
    this.#home = home
    this.#plan = plan
    for (const keeper of this.#keepers.values()) keeper.use(home)
    if (!moves) return
    this.#homeOver.abort(new Error('another store'))
    this.#homeOver = new AbortController()
    if (plan.shared) void this.#follow(store, newsMs, this.#homeOver.signal)
    if (before !== null) void this.#leave(before.store)
  }

  /** Orders that are under way still write there, and give their locks back. */
  async #leave(store: Store): Promise<void> {
    this.#left.add(store)
    await Promise.allSettled(this.#orders)
    await delay(END_MS, this.#over.signal).catch(() => {})
    this.#left.delete(store)
    store.close()
  }

  /** Whatever another machine has got is here within seconds. */
  async #follow(store: Store, everyMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await delay(everyMs, signal).catch(() => {})
      if (signal.aborted) return
      const news = await store.read(NEWS).catch(() => null)
      if (news === null || news === this.#news) continue
      this.#news = news
      for (const keeper of this.#keepers.values()) keeper.look()
    }
  }

  #order<Result>(work: () => Promise<Result>): Promise<Result> {
    const order = this.#turns.take(work)
    this.#orders.add(order)
    const over = (): void => void this.#orders.delete(order)
    order.then(over, over)
    return order
  }

  #keep(name: string): void {
    this.#keepers.set(name, new Keeper(name, this.#home!, () => void this.#publish()))
  }

  #run(keeper: Keeper): void {
    const life = keeper.run().catch((error: Error) => {
      this.#options.logger.error(
        `certificates: nobody keeps ${keeper.name} any more: ${error.stack ?? error.message}`,
      )
    })
    this.#running.add(life)
    void life.then(() => this.#running.delete(life))
  }

  /** Many changes of one moment are told once: of a thousand names each telling would hold all of them. */
  #publish(): Promise<void> {
    if (this.#queued) return this.#publishing
    this.#queued = true
    const publish = async (): Promise<void> => {
      await delay(PUBLISH_MS)
      this.#queued = false
      if (this.#over.signal.aborted || this.#plan === null) return
      const certificates = await this.#certificates()
      if (!this.#over.signal.aborted) this.#options.changed(certificates)
    }
    this.#publishing = this.#publishing.then(publish).catch((error: Error) => {
      this.#options.logger.error(`certificates are served as before: ${error.message}`)
    })
    return this.#publishing
  }

  async #certificates(): Promise<CertificatePem[]> {
    const real: CertificatePem[] = []
    const missing: string[] = []
    for (const { name, kept } of this.#keepers.values()) {
      const from = `the certificate of ${name}`
      if (kept !== null) real.push({ from, cert: kept.chain, key: kept.key })
      // Whoever came for such a name waits for the real one.
      else if (!this.#demanded.has(name)) missing.push(name)
    }
    const local = this.#local.pem
    if (local === null) missing.push(...this.#local.names)
    return [
      ...real,
      ...(local === null ? [] : [local]),
      ...(missing.length === 0 ? [] : [await this.#standInFor(missing)]),
    ]
  }

  async #standInFor(missing: readonly string[]): Promise<CertificatePem> {
    const names = missing.join(' ')
    if (this.#standIn?.names !== names) this.#standIn = { names, pem: await standIn(missing) }
    return this.#standIn.pem
  }
}
