/** Sets, adds and takes out header fields of requests, for who answers them. */
import type { Exchange } from '../request/exchange.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { EditsPlan } from '../site/filters-plan.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { dashed } from './auth/claims-of.ts'
import { editFields, type Field } from './edit-fields.ts'
import type { Filter } from './filter.ts'
import { type Template, template } from './template.ts'

export const requestHeaders: Filter<EditsPlan> = (plan, next) => {
  const given = [...Object.entries(plan.set), ...Object.entries(plan.add)].map(line)
  const defaults = Object.entries(plan.default).map(line)
  const names = [...Object.keys(plan.set), ...plan.remove].map((name) => dashed(name.toLowerCase()))
  /** `X_Tenant` as well as `X-Tenant`: to servers that know fields as CGI variables they are the same. */
  const gone = new Set(names)
  const fixed = [...given, ...defaults].every(({ value }) => typeof value === 'string')
  /** Kept-alive visitors share the parsed fields of their requests, and so do we. */
  const known = new WeakMap<RequestFields, RequestFields>()

  const edited = (exchange: Exchange): RequestFields => {
    const { fields } = exchange
    const more: Field[] = []
    const say = ({ name, value }: Line): void => {
      const text = typeof value === 'string' ? value : value(exchange)
      if (text !== '') more.push([name, text])
    }
    given.forEach(say)
    const there = new Set(more.map(([name]) => name.toLowerCase()))
    for (const each of defaults) {
      const lower = each.name.toLowerCase()
      const kept = fields.names.includes(lower) && !gone.has(dashed(lower))
      if (!kept && !there.has(lower)) say(each)
    }
    return editFields(fields, (name) => gone.has(dashed(name)), more)
  }

  return {
    name: next.name,
    handle(exchange) {
      let fields = fixed ? known.get(exchange.fields) : undefined
      if (fields === undefined) {
        fields = edited(exchange)
        if (fixed) known.set(exchange.fields, fields)
      }
      const { line } = exchange
      // A host in the request's target would go before the field.
      const named = line.host !== '' && gone.has('host')
      const asked = named ? { ...line, target: line.origin, host: '', hostPort: -1 } : line
      next.handle(new ExchangeThrough(exchange, fields, asked))
    },
    close: () => next.close?.(),
  }
}

interface Line {
  readonly name: string
  readonly value: Template
}

function line([name, text]: readonly [string, string]): Line {
  return { name, value: template(text) }
}
