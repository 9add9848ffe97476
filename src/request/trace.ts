/**
 * Gives each request an id of its own and its place in a trace, so that what the visitor, the logs, the
 * application and the servers behind it say about it can be brought together.
 */
import { randomFillSync } from 'node:crypto'
import type { TracePlan } from '../site/plan.ts'
import { fieldValue } from '../wire/fields.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { formatTraceparent, isRequestId, parseTraceparent } from '../wire/traceparent.ts'

/** What is known of one request by name. */
export class Trace {
  /** Its own id: 16 hex digits, or what a trusted proxy has called it. */
  readonly id: string
  readonly traceId: string
  /** Its part of the trace: 16 hex digits. */
  readonly spanId: string
  readonly sampled: boolean
  /** Field line that tells the visitor; '' where nobody is told. */
  readonly answerField: string

  constructor(id: string, traceId: string, spanId: string, sampled: boolean, told: boolean) {
    this.id = id
    this.traceId = traceId
    this.spanId = spanId
    this.sampled = sampled
    this.answerField = told ? `X-Request-Id: ${id}\r\n` : ''
  }

  /** For whoever does the work. */
  get traceparent(): string {
    return formatTraceparent({
      traceId: this.traceId,
      parentId: this.spanId,
      sampled: this.sampled,
    })
  }
}

/** Random bytes of one request: a trace id and a span id. */
const EACH = 24
/** Drawn at once: a call for each request would cost more than everything else here. */
const DRAWN = 256 * EACH

export class Tracer {
  readonly #plan: TracePlan
  readonly #random: Buffer = Buffer.alloc(DRAWN)
  #at: number = DRAWN
  /** Fields without what is ours to say; shared by requests with the same block. */
  readonly #plain = {
    trusted: new WeakMap<RequestFields, RequestFields>(),
    others: new WeakMap<RequestFields, RequestFields>(),
  }

  constructor(plan: TracePlan) {
    this.#plan = plan
  }

  /** `trusted`: whoever sent the request may say to which trace it belongs. */
  trace(fields: RequestFields, trusted: boolean): Trace {
    const { answer, sampled } = this.#plan
    const hex = this.#draw()
    const spanId = hex.slice(32)
    if (fields.traced && trusted) {
      const parent = parseTraceparent(fieldValue(fields, 'traceparent') ?? '')
      const asked = fieldValue(fields, 'x-request-id') ?? ''
      const id = isRequestId(asked) ? asked : spanId
      const traceId = parent?.traceId ?? hex.slice(0, 32)
      return new Trace(id, traceId, spanId, parent?.sampled ?? sampled, answer)
    }
    return new Trace(spanId, hex.slice(0, 32), spanId, sampled, answer)
  }

  /** What applications and backends get besides: none of what we say ourselves. */
  withoutTrace(fields: RequestFields, trusted: boolean): RequestFields {
    if (!fields.traced) return fields
    const plainOnes = trusted ? this.#plain.trusted : this.#plain.others
    const known = plainOnes.get(fields)
    if (known !== undefined) return known
    // §3.3.1.1: what a vendor says of a trace goes on with it, and only with it.
    const goesOn = trusted && parseTraceparent(fieldValue(fields, 'traceparent') ?? '') !== null
    const kept = fields.names.map((name) => !isOurs(name) && (goesOn || name !== 'tracestate'))
    const lines = fields.raw.split('\r\n')
    const plain: RequestFields = {
      ...fields,
      names: fields.names.filter((_, i) => kept[i]),
      values: fields.values.filter((_, i) => kept[i]),
      raw: lines.map((line, i) => (kept[i] === true ? `${line}\r\n` : '')).join(''),
      traced: false,
      encoded: null,
    }
    plainOnes.set(fields, plain)
    return plain
  }

  /** 48 hex digits; neither id in them is all 0. */
  #draw(): string {
    for (;;) {
      if (this.#at === DRAWN) {
        randomFillSync(this.#random)
        this.#at = 0
      }
      const hex = this.#random.toString('hex', this.#at, this.#at + EACH)
      this.#at += EACH
      if (!/^0{32}|0{16}$/.test(hex)) return hex
    }
  }
}

function isOurs(name: string): boolean {
  return name === 'traceparent' || name === 'x-request-id'
}
