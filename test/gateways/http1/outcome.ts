/** What becomes of some bytes that a visitor sends: the same whatever pieces they come in. */
import { readAnswers } from './answers.ts'
import type { Seen } from './cases.ts'
import { Recorder, type Rhythm } from './recorder.ts'
import { type Site, site } from './site.ts'
import { StandIn } from './stand-in.ts'

export interface Outcome {
  readonly requests: readonly Seen[]
  /** With interim ones. */
  readonly statuses: readonly number[]
  readonly closed: boolean
  /** Body of the last answer. */
  readonly last: string
}

/** A gateway that is fed without a network. */
export class Bench {
  readonly #recorder: Recorder
  readonly #site: Site
  /** Of every request that began, served or not. */
  readonly #methods: string[] = []

  constructor(rhythm: Rhythm) {
    this.#recorder = new Recorder(rhythm)
    this.#site = site({
      routes: { '/': this.#recorder },
      onBegin: (method) => this.#methods.push(method),
    })
  }

  /** Connections that are open. */
  get open(): number {
    return this.#site.totals().open
  }

  /**
   * Feeds `pieces` to a connection of its own and waits until nothing more happens. `ends`: the visitor
   * closes its side then.
   */
  async run(pieces: readonly Uint8Array[], ends = false): Promise<Outcome> {
    const { seen } = this.#recorder
    seen.length = 0
    this.#methods.length = 0
    this.#recorder.open = 0
    const visitor = new StandIn(this.#site.gateway)
    for (const piece of pieces) visitor.send(piece)
    if (ends) visitor.end()
    for (let turns = 0; !visitor.closed && (this.#recorder.open > 0 || visitor.busy); turns++) {
      if (turns > 100_000) throw new Error('the server neither answers nor reads on')
      await new Promise(setImmediate)
    }
    const requests = seen.slice()
    const { answers, rest } = readAnswers(visitor.answer, this.#methods, visitor.closed)
    if (rest.length > 0) throw new Error(`more than answers: ${rest.toString('latin1', 0, 100)}`)
    const { closed } = visitor
    visitor.leave()
    await new Promise(setImmediate)
    return {
      requests,
      statuses: answers.map(({ status }) => status),
      closed,
      last: answers.at(-1)?.body.toString() ?? '',
    }
  }

  close(): void {
    this.#site.close()
  }
}

/** `bytes` one at a time. */
export function singly(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))
}

/** `bytes` in pieces that begin at `cuts`. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [0, ...new Set(cuts), bytes.length].sort((a, b) => a - b)
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge))
}

/** Every place to cut, or of a long text those at its ends and some between. */
export function placesToCut(bytes: Buffer): number[] {
  const places: number[] = []
  for (let i = 1; i < bytes.length; i++) {
    if (bytes.length < 1000 || i < 120 || i > bytes.length - 120 || i % 509 === 0) places.push(i)
  }
  return places
}
