/**
 * Compresses answers for who accepts it. What is small and whole is compressed at once; what is larger, in a
 * thread of the pool; what comes in parts, part by part, and whenever the application pauses, all that it
 * has said goes out: events and slow answers are not held back.
 */

import { chooseCoding } from '../handlers/files/precompressed.ts'
import type { AnswerHead, EditHead, Exchange, Handler } from '../request/exchange.ts'
import type { CompressPlan } from '../site/filters-plan.ts'
import { fieldValue } from '../wire/fields.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { type Coder, createCoder } from './compress/coders.ts'
import { CompressedExchange } from './compress/exchange.ts'
import { Judge, plainHead } from './compress/judge.ts'
import { edits } from './edits.ts'
import type { Filter } from './filter.ts'
import { remembering } from './headers.ts'

export const compress: Filter<CompressPlan> = (plan, next) => new Compress(plan, next)

class Compress implements Handler {
  readonly name: string
  readonly #next: Handler
  readonly #plan: CompressPlan
  readonly #judge: Judge
  readonly #coders: readonly Coder[]
  /** For visitors who take no coding: they are told that others do. */
  readonly #varies: EditHead
  /** What visitors accept: kept-alive ones share the parsed fields of their requests. */
  readonly #chosen = new WeakMap<RequestFields, number>()

  constructor(plan: CompressPlan, next: Handler) {
    this.name = next.name
    this.#next = next
    this.#plan = plan
    this.#judge = new Judge(plan)
    this.#coders = plan.codings.map((name) => createCoder(name, plan.levels[name]))
    this.#varies = remembering((head: AnswerHead) =>
      plainHead(head, this.#judge.judge(head, -1), false),
    )
  }

  handle(exchange: Exchange): void {
    const { fields, line } = exchange
    let choice = this.#chosen.get(fields)
    if (choice === undefined) {
      const accepted = fieldValue(fields, 'accept-encoding') ?? null
      choice = chooseCoding(accepted, this.#plan.codings)
      this.#chosen.set(fields, choice)
    }
    const coder = this.#coders[choice]
    // HTTP/1.0 has no framing for what has no length.
    if (coder === undefined || line.minor === 0) {
      edits(exchange, this.#varies)
      return this.#next.handle(exchange)
    }
    this.#next.handle(new CompressedExchange(exchange, coder, this.#judge, this.#plan.streams))
  }

  close(): void {
    this.#next.close?.()
  }
}
