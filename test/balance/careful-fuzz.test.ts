/**
 * Requests through a pool whose servers do anything at any time: each visitor gets one answer, whole or cut,
 * and afterwards nobody has anything in hand.
 */
import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Care } from '../../src/balance/care.ts'
import { CarefulWalk } from '../../src/balance/careful-walk.ts'
import { createMembers } from '../../src/balance/members.ts'
import { PoolMemory } from '../../src/balance/pool-memory.ts'
import { type ErrorCode, PorticoError } from '../../src/errors.ts'
import { NOBODY, type Persistence } from '../../src/persistence/persistence.ts'
import type { AnswerHead, BodySink, Exchange } from '../../src/request/exchange.ts'
import { bytesKept } from '../../src/request/kept-body.ts'
import type { ResiliencePlan } from '../../src/site/resilience-plan.ts'
import type { Attempt, Transport } from '../../src/transports/transport.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../../src/wire/request-line.ts'
import { poolPlan, target } from '../transports/front.ts'
import { breakerPlan, hedgePlan, passivePlan, resilience, retryPlan } from './resilience.ts'

type Outcome =
  | { readonly what: 'refuse'; readonly after: number }
  | { readonly what: 'fail'; readonly after: number; readonly code: ErrorCode }
  | { readonly what: 'answer'; readonly after: number; readonly status: number }
  | {
      readonly what: 'stream'
      readonly after: number
      readonly status: number
      readonly parts: number
    }
  | { readonly what: 'cut'; readonly after: number; readonly status: number }

interface Asked {
  readonly method: string
  readonly body: number
  /** The visitor leaves after so many turns; -1: it stays. */
  readonly leaves: number
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

const PART = Buffer.from('part')

/** What a gateway promises, and what it may expect. */
class Visitor implements Exchange {
  readonly line
  readonly fields
  readonly peer = {
    address: '127.0.0.1',
    port: 1,
    localAddress: '127.0.0.1',
    localPort: 80,
    scheme: 'http',
  } as const
  readonly began = performance.now()
  readonly prefix = '/'
  readonly captures = null
  readonly maxBody = 1_000_000
  gone = false
  onGone: (() => void) | null = null
  onDrain: (() => void) | null = null
  state: 'none' | 'streaming' | 'done' | 'cut' = 'none'
  status = 0
  readonly #body: number
  #given = 0
  #sink: BodySink | null = null

  constructor({ method, body }: Asked) {
    this.#body = body
    this.line = parseRequestLine(`${method} / HTTP/1.1`)
    const length = body > 0 ? `Content-Length: ${body}\r\n` : ''
    this.fields = parseRequestFields(`Host: a\r\n${length}`, 1, 100)
  }

  get answered(): boolean {
    return this.state !== 'none'
  }

  receive(sink: BodySink): void {
    expect(this.#sink).toBe(null)
    this.#sink = sink
    void this.#give()
  }

  resume(): void {}

  async #give(): Promise<void> {
    while (this.#given < this.#body) {
      await turn()
      if (this.gone) return
      const length = Math.min(100, this.#body - this.#given)
      this.#given += length
      this.#sink!.data(Buffer.alloc(length, 'b'))
    }
    if (!this.gone) this.#sink!.end('')
  }

  inform(): void {}

  respond(head: AnswerHead): void {
    this.#begin(head)
    this.state = 'done'
    this.onGone = null
  }

  start(head: AnswerHead): void {
    this.#begin(head)
    this.state = 'streaming'
  }

  write(): boolean {
    if (!this.gone) expect(this.state).toBe('streaming')
    return true
  }

  end(): void {
    if (this.gone) return
    expect(this.state).toBe('streaming')
    this.state = 'done'
    this.onGone = null
  }

  fail(error: PorticoError): void {
    if (this.gone || this.state === 'done') return
    if (this.state === 'streaming') {
      this.state = 'cut'
      this.gone = true
      return
    }
    this.state = 'done'
    this.status = error.status
    this.onGone = null
  }

  upgrade(): Duplex {
    throw new Error('nobody upgrades')
  }

  leave(): void {
    if (this.gone || this.state === 'done') return
    this.gone = true
    this.#sink?.abort(new PorticoError('VISITOR_LEFT'))
    this.onGone?.()
  }

  #begin({ status }: AnswerHead): void {
    if (this.gone) return
    expect(this.state).toBe('none')
    this.status = status
  }
}

/** Does what the script says, as a connection would. */
class Scripted implements Transport {
  readonly name = 'scripted'
  inHand = 0
  readonly #next: () => Outcome
  readonly #asked: (line: RequestLine) => void

  /** `asked`: told of each request that gets through to the server. */
  constructor(next: () => Outcome, asked: (line: RequestLine) => void) {
    this.#next = next
    this.#asked = asked
  }

  close(): void {}

  send(exchange: Exchange, attempt: Attempt): void {
    this.inHand++
    const outcome = this.#next()
    if (outcome.what !== 'refuse') this.#asked(exchange.line)
    void this.#act(exchange, attempt, outcome)
  }

  async #act(exchange: Exchange, attempt: Attempt, outcome: Outcome): Promise<void> {
    let over = false
    const leave = (): void => {
      over = true
      exchange.onGone = null
      this.inHand--
    }
    exchange.onGone = () => {
      leave()
      attempt.done()
    }
    if (outcome.what !== 'refuse' && exchange.fields.contentLength > 0) {
      let got = 0
      exchange.receive({
        data: (chunk) => {
          got += chunk.length
          return true
        },
        end: () => expect(got).toBe(exchange.fields.contentLength),
        abort: (error) => {
          if (over) return
          leave()
          attempt.done(error)
          exchange.fail(error)
        },
      })
    }
    if (outcome.after > 0) await turns(outcome.after)
    if (over) return
    const fail = (code: ErrorCode): void => {
      leave()
      const error = new PorticoError(code)
      attempt.done(error)
      exchange.fail(error)
    }
    if (outcome.what === 'refuse') {
      leave()
      return attempt.refused(new PorticoError('BACKEND_REFUSED'))
    }
    if (outcome.what === 'fail') return fail(outcome.code)
    attempt.heard?.()
    const head: AnswerHead = { status: outcome.status, reason: '', fields: '', has: 0 }
    if (outcome.what === 'answer') {
      leave()
      attempt.done()
      return exchange.respond(head, PART)
    }
    exchange.start(head, -1)
    await turns(1)
    if (over) return
    if (outcome.what === 'cut') return fail('BACKEND_CLOSED')
    for (let i = 0; i < outcome.parts; i++) {
      exchange.write(PART, false)
      if (over) return
      await turns(1)
      if (over) return
    }
    leave()
    attempt.done()
    exchange.end()
  }
}

const status = fc.constantFrom(200, 200, 200, 404, 502, 503)
const after = fc.integer({ min: 0, max: 6 })
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ what: fc.constant('refuse' as const), after }),
  fc.record({
    what: fc.constant('fail' as const),
    after,
    code: fc.constantFrom<ErrorCode>('BACKEND_CLOSED', 'BACKEND_SLOW', 'BACKEND_LIED', 'INTERNAL'),
  }),
  fc.record({ what: fc.constant('answer' as const), after, status }),
  fc.record({
    what: fc.constant('stream' as const),
    after,
    status,
    parts: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({ what: fc.constant('cut' as const), after, status }),
)
const asked: fc.Arbitrary<Asked> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'HEAD', 'PUT', 'POST'),
  body: fc.constantFrom(0, 0, 50, 450),
  leaves: fc.constantFrom(-1, -1, -1, 0, 1, 3, 8),
})
const plan: fc.Arbitrary<ResiliencePlan> = fc.record({
  retry: fc.constantFrom(null, retryPlan(), retryPlan({ unsafe: true, tries: 5, body: 200 })),
  passive: fc.constantFrom(null, passivePlan({ failures: 2, restMs: 5 })),
  breaker: fc.constantFrom(null, breakerPlan({ failures: 4, restMs: 5, pending: 8 })),
  queue: fc.constantFrom(null, { size: 3, timeoutMs: 200 }, { size: 20, timeoutMs: 2 }),
  slowStartMs: fc.constantFrom(0, 10),
  hedge: fc.constantFrom(null, hedgePlan({ afterMs: 1 })),
  sorry: fc.constantFrom(null, { status: 503, type: 'text/plain', body: 'sorry' }),
})

it('one answer for each, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(
      plan,
      fc.array(outcome, { minLength: 1, maxLength: 30 }),
      fc.array(asked, { minLength: 1, maxLength: 12 }),
      fc.constantFrom(0, 1, 2),
      fc.constantFrom(null, null, 'another' as const, 'stick' as const, 'refuse' as const),
      async (care, outcomes, requests, most, whenDown) => {
        let next = 0
        let strayed = 0
        const sent = new Map<RequestLine, number>()
        const servers = [1, 2, 3].map((port) => ({ ...target(port), maxConnections: most }))
        const belongs = {
          by: 'source',
          mask: 32,
          maskIpv6: 128,
          timeoutS: 60,
          entries: 10,
        } as const
        const persistence = whenDown === null ? {} : { persistence: { ...belongs, whenDown } }
        const pool = { ...poolPlan(servers), ...resilience(care), ...persistence }
        const owners = new Map<RequestLine, number>()
        // One of three visitors belongs to nobody.
        const whose: Persistence | null =
          whenDown === null
            ? null
            : {
                find: ({ line }) => owners.get(line) ?? NOBODY,
                settle: (_key, _before, server) => server,
                through: null,
              }
        const memory = PoolMemory.allocate(pool)
        const transports: Scripted[] = []
        const members = createMembers(pool, { memory, whose }, (_plan, index): Transport => {
          const made = new Scripted(
            () => outcomes[next++ % outcomes.length]!,
            (line) => {
              sent.set(line, (sent.get(line) ?? 0) + 1)
              const own = owners.get(line)
              const strict = whenDown === 'stick' || whenDown === 'refuse'
              if (strict && own !== undefined && own !== index) strayed++
            },
          )
          transports.push(made)
          return made
        })
        const made = new Care(pool, members, new PoolMemory(pool, memory).pool!, whose, () => {})
        const visitors = requests.map((request, i) => {
          const visitor = new Visitor(request)
          if (i % 3 > 0) owners.set(visitor.line, i % 3)
          if (request.leaves >= 0) void turns(request.leaves).then(() => visitor.leave())
          new CarefulWalk(visitor, made).begin()
          return visitor
        })
        const settled = (): boolean =>
          visitors.every(({ state, gone }) => gone || state === 'done') &&
          transports.every(({ inHand }) => inHand === 0) &&
          (made.queue?.depth ?? 0) === 0
        for (let i = 0; i < 2_000 && !settled(); i++) await turns(1)
        for (let i = 0; i < 500 && !settled(); i++) {
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
        await turns(10)
        made.close()
        expect(visitors.map(({ state, gone }) => gone || state)).toEqual(
          visitors.map(({ gone }) => gone || 'done'),
        )
        expect(transports.map(({ inHand }) => inHand)).toEqual([0, 0, 0])
        expect(made.targets.map(({ active }) => active)).toEqual([0, 0, 0])
        expect([made.queue?.depth ?? 0, bytesKept(), strayed]).toEqual([0, 0, 0])
        const { retry, hedge } = care
        for (const { line, fields } of visitors) {
          const reads = line.method === 'GET' || line.method === 'HEAD'
          const hedges = hedge !== null && reads && fields.contentLength === 0 ? 1 : 0
          const again = retry !== null && (retry.unsafe || line.method !== 'POST')
          expect(sent.get(line) ?? 0).toBeLessThanOrEqual((again ? retry.tries : 1) + hedges)
        }
      },
    ),
    { numRuns: 300 },
  )
}, 60_000)
