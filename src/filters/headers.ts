/** Sets, adds and takes out header fields of answers, error pages included. */
import { type AnswerHead, type EditHead, type Exchange, HAS_SERVER } from '../request/exchange.ts'
import type { HeadersPlan } from '../site/filters-plan.ts'
import { edits } from './edits.ts'
import type { Filter } from './filter.ts'
import { type Template, template } from './template.ts'

export const headers: Filter<HeadersPlan> = (plan, next) => {
  const all = [plan.set, plan.add, plan.default].flatMap((each) => Object.values(each))
  const fixed = all.every((text) => typeof template(text) === 'string')
  const edited = new HeadEdits(plan)
  const edit = fixed ? remembering((head) => edited.apply(head, null)) : null
  return {
    name: next.name,
    handle(exchange) {
      edits(exchange, edit ?? ((head) => edited.apply(head, exchange)))
      next.handle(exchange)
    },
    close: () => next.close?.(),
  }
}

/** The result is the same object for the same fixed head, so that gateways can keep what they made of it. */
export function remembering(edit: EditHead): EditHead {
  const known = new WeakMap<AnswerHead, AnswerHead>()
  return (head) => {
    if (head.fixed === undefined) return edit(head)
    let edited = known.get(head)
    if (edited === undefined) {
      edited = edit(head)
      known.set(head, edited)
    }
    return edited
  }
}

/** Of which `always: false` speaks, as nginx has it. */
const GOOD: ReadonlySet<number> = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308])

interface Line {
  readonly value: Template
  /** `Name: ` */
  readonly begin: string
  /** Whether the head has it already. */
  readonly has: RegExp
  readonly isServer: boolean
}

class HeadEdits {
  readonly #always: boolean
  /** Lines that go; null: none. */
  readonly #gone: RegExp | null
  /** `Server` goes: the gateway shall not say its own. */
  readonly #serverGone: boolean
  readonly #lines: readonly Line[]
  readonly #defaults: readonly Line[]

  constructor({ set, add, default: usual, remove, always }: HeadersPlan) {
    this.#always = always
    const gone = [...Object.keys(set), ...remove]
    this.#gone = gone.length === 0 ? null : new RegExp(`${lineOf(gone)}.*\\r\\n`, 'gim')
    this.#serverGone = gone.some((name) => name.toLowerCase() === 'server')
    this.#lines = [...Object.entries(set), ...Object.entries(add)].map(line)
    this.#defaults = Object.entries(usual).map(line)
  }

  /** `exchange`: null where no value needs one. */
  apply(head: AnswerHead, exchange: Exchange | null): AnswerHead {
    if (!this.#always && !GOOD.has(head.status)) return head
    let { fields, has } = head
    if (this.#gone !== null) fields = fields.replace(this.#gone, '')
    if (this.#serverGone) has |= HAS_SERVER
    for (const { begin, value, isServer } of this.#lines) {
      const text = typeof value === 'string' ? value : value(exchange!)
      if (text === '') continue
      fields += `${begin}${text}\r\n`
      if (isServer) has |= HAS_SERVER
    }
    for (const { begin, value, isServer, has: there } of this.#defaults) {
      if (there.test(fields)) continue
      const text = typeof value === 'string' ? value : value(exchange!)
      if (text === '') continue
      fields += `${begin}${text}\r\n`
      if (isServer) has |= HAS_SERVER
    }
    return { ...head, fields, has }
  }
}

function line([name, text]: readonly [string, string]): Line {
  return {
    begin: `${name}: `,
    value: template(text),
    has: new RegExp(lineOf([name]), 'im'),
    isServer: name.toLowerCase() === 'server',
  }
}

/** What a line with one of these names begins with. Names are tokens. */
function lineOf(names: readonly string[]): string {
  return `^(?:${names.map((name) => RegExp.escape(name)).join('|')}):`
}
