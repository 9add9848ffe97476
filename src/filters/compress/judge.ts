/** Which answers are compressed, and what their heads say then (RFC 9110 §8.4, §8.8.1, §12.5.5). Pure. */
import type { AnswerHead } from '../../request/exchange.ts'
import type { CodingName, CompressPlan } from '../../site/filters-plan.ts'
import { Memo } from '../../wire/memo.ts'
import { vary } from '../vary.ts'

/** What is to be done with an answer: nothing, saying that another visitor would get another one, or both. */
export const Verdict = { PLAIN: 0, VARIES: 1, COMPRESS: 2 } as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

/** Fields that speak of the bytes of a body as it was. */
const OF_THE_BYTES = /^(?:accept-ranges|content-md5|content-digest|repr-digest|digest):.*\r\n/gim
const STRONG = /^(etag:[ \t]*)"/im
const KEPT = /^(?:content-encoding|content-range):|^cache-control:.*\bno-transform\b/im
const IDENTITY = /^content-encoding:[ \t]*identity[ \t]*\r\n/im
const TYPE = /^content-type:[ \t]*([^;\r]*)/im

/** Types whose verdict is remembered. */
const MOST_KNOWN = 1000

/** What the fields of an answer come to: applications repeat themselves, at least for a second. */
interface Look {
  /** Compressed, as far as they decide it. */
  readonly worth: boolean
  /** By the name of the coding. */
  readonly compressed: Map<CodingName, string>
}

export class Judge {
  readonly #min: number
  readonly #exact = new Set<string>()
  readonly #patterns: RegExp[] = []
  readonly #known = new Map<string, boolean>()
  readonly #looks = new Memo<Look>(256)

  constructor({ types, min }: Pick<CompressPlan, 'types' | 'min'>) {
    this.#min = min
    for (const type of types) {
      if (!type.includes('*')) this.#exact.add(type)
      else {
        const source = type.split('*').map((part) => RegExp.escape(part))
        this.#patterns.push(new RegExp(`^${source.join(type === '*' ? '.*' : '[^/]*')}$`))
      }
    }
  }

  /** `length`: of the body, bytes; -1: unknown. */
  judge({ status, fields }: AnswerHead, length: number): Verdict {
    if (status === 304) return Verdict.VARIES
    if (status < 200 || status === 204 || status === 206) return Verdict.PLAIN
    // Shorter ones never are, whoever asks.
    if (length === 0 || (length > 0 && length < this.#min)) return Verdict.PLAIN
    return this.#look(fields).worth ? Verdict.COMPRESS : Verdict.PLAIN
  }

  /** The head of the compressed answer, of one that is to be compressed. */
  compressed(head: AnswerHead, coding: CodingName): AnswerHead {
    const { compressed } = this.#look(head.fields)
    let fields = compressed.get(coding)
    if (fields === undefined) {
      fields = compressedFields(head, coding)
      compressed.set(coding, fields)
    }
    const { fixed: _, ...rest } = head
    return { ...rest, fields }
  }

  #look(fields: string): Look {
    const known = this.#looks.get(fields)
    if (known !== undefined) return known
    const type = KEPT.test(fields) ? undefined : TYPE.exec(fields)?.[1]?.trim().toLowerCase()
    const worth = type !== undefined && this.#isListed(type)
    return this.#looks.put(fields, { worth, compressed: new Map() }, () =>
      Buffer.from(fields, 'latin1').toString('latin1'),
    )
  }

  #isListed(type: string): boolean {
    let listed = this.#known.get(type)
    if (listed === undefined) {
      listed = this.#exact.has(type) || this.#patterns.some((pattern) => pattern.test(type))
      if (this.#known.size >= MOST_KNOWN) this.#known.clear()
      this.#known.set(type, listed)
    }
    return listed
  }
}

/** Of the compressed answer. What is not byte for byte the same has no strong ETag. */
function compressedFields(head: AnswerHead, coding: CodingName): string {
  const kept = head.fields.replace(OF_THE_BYTES, '').replace(STRONG, '$1W/"')
  return vary({ ...head, fields: `${kept}Content-Encoding: ${coding}\r\n` }, 'Accept-Encoding')
    .fields
}

/** The head of an answer that stays as it is. `weak`: the visitor has the compressed one. */
export function plainHead(head: AnswerHead, verdict: Verdict, weak: boolean): AnswerHead {
  if (verdict === Verdict.PLAIN) {
    // An application's word that its answer shall stay as it is; as a coding it is none (§8.4.1).
    return IDENTITY.test(head.fields)
      ? { ...head, fields: head.fields.replace(IDENTITY, '') }
      : head
  }
  const varied = vary(head, 'Accept-Encoding')
  if (!weak || head.status !== 304) return varied
  return { ...varied, fields: varied.fields.replace(STRONG, '$1W/"') }
}
