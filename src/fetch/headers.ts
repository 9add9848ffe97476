/** The headers of a request that came: `get` and `has` look at the fields as they were parsed. */
import { inspect } from 'node:util'
import { type FieldList, fieldName, fieldValue } from '../wire/fields.ts'

/** Headers, with its methods declared as methods. */
interface Methods {
  get(name: string): string | null
  has(name: string): boolean
  append(name: string, value: string): void
  set(name: string, value: string): void
  delete(name: string): void
  getSetCookie(): string[]
  forEach(...args: Parameters<Headers['forEach']>): void
  keys(): ReturnType<Headers['keys']>
  values(): ReturnType<Headers['values']>
  entries(): ReturnType<Headers['entries']>
}

const Plain: new () => Methods = globalThis.Headers as unknown as new () => Methods

export function incomingHeaders(fields: FieldList): Headers {
  return new IncomingHeaders(fields) as unknown as Headers
}

/**
 * A Headers in every respect. Most handlers ask for a few fields by name and never change any, so the
 * list that the standard wants is only made when something else is asked for.
 */
class IncomingHeaders extends Plain {
  #fields: FieldList | null

  constructor(fields: FieldList) {
    super()
    this.#fields = fields
  }

  override get(name: string): string | null {
    const fields = this.#fields
    if (fields !== null && isName(name)) return fieldValue(fields, fieldName(name)) ?? null
    this.#whole()
    return super.get(name)
  }

  override has(name: string): boolean {
    const fields = this.#fields
    if (fields !== null && isName(name)) return fields.names.includes(fieldName(name))
    this.#whole()
    return super.has(name)
  }

  override append(name: string, value: string): void {
    this.#whole()
    super.append(name, value)
  }

  override set(name: string, value: string): void {
    this.#whole()
    super.set(name, value)
  }

  override delete(name: string): void {
    this.#whole()
    super.delete(name)
  }

  override getSetCookie(): string[] {
    this.#whole()
    return super.getSetCookie()
  }

  override forEach(...args: Parameters<Headers['forEach']>): void {
    this.#whole()
    super.forEach(...args)
  }

  override keys(): ReturnType<Headers['keys']> {
    this.#whole()
    return super.keys()
  }

  override values(): ReturnType<Headers['values']> {
    this.#whole()
    return super.values()
  }

  override entries(): ReturnType<Headers['entries']> {
    this.#whole()
    return super.entries()
  }

  [Symbol.iterator](): ReturnType<Headers['entries']> {
    return this.entries()
  }

  [inspect.custom](depth: number, options: object): unknown {
    this.#whole()
    const shown: unknown = Reflect.get(Plain.prototype, inspect.custom)
    return typeof shown === 'function' ? shown.call(this, depth, options) : this
  }

  /** Fills the list that the methods of Headers work on. */
  #whole(): void {
    const fields = this.#fields
    this.#fields = null
    if (fields === null) return
    for (let i = 0; i < fields.names.length; i++) {
      const name = fields.names[i]!
      // Repetitions of Cookie are one value, with the separator that cookies have (RFC 9113 §8.2.3).
      if (name !== 'cookie') super.append(name, fields.values[i]!)
      else super.set(name, fieldValue(fields, name)!)
    }
  }
}

/** What is no token is for the real method to refuse. */
function isName(name: unknown): name is string {
  return typeof name === 'string' && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)
}
