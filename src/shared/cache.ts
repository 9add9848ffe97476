/** The cache that all workers of a site share. */
import { textOf } from '../wire/resp.ts'
import { asBytes, ask, type Value } from './connection.ts'

export interface CacheOptions {
  /** ms after which it is gone; without it, when memory is short. */
  readonly expires?: number
}

/** What nobody asks for goes first when memory is short. Values come back as text, or as bytes. */
export class Cache {
  readonly #prefix: string

  constructor(prefix = '') {
    this.#prefix = prefix
  }

  /** A cache of its own: its keys do not meet those of another. */
  named(name: string): Cache {
    return new Cache(`${this.#prefix}${asBytes(name)}:`)
  }

  #key(key: Value): string {
    return this.#prefix + asBytes(key)
  }

  #set(key: Value, value: Value, { expires }: CacheOptions): string[] {
    const command = ['SET', this.#key(key), asBytes(value)]
    return expires === undefined
      ? command
      : [...command, 'PX', String(Math.max(1, Math.round(expires)))]
  }

  async #get(key: Value): Promise<string | null> {
    return (await ask('GET', this.#key(key))) as string | null
  }

  async get(key: Value): Promise<string | null> {
    const found = await this.#get(key)
    return found === null ? null : textOf(found)
  }

  async getBytes(key: Value): Promise<Uint8Array | null> {
    const found = await this.#get(key)
    return found === null ? null : Buffer.from(found, 'latin1')
  }

  async getJson(key: Value): Promise<unknown> {
    const found = await this.get(key)
    return found === null ? null : JSON.parse(found)
  }

  async set(key: Value, value: Value, options: CacheOptions = {}): Promise<void> {
    await ask(...this.#set(key, value, options))
  }

  async setJson(key: Value, value: unknown, options: CacheOptions = {}): Promise<void> {
    await this.set(key, JSON.stringify(value), options)
  }

  /** Sets it where there is nothing yet; whether it did. */
  async add(key: Value, value: Value, options: CacheOptions = {}): Promise<boolean> {
    return (await ask(...this.#set(key, value, options), 'NX')) !== null
  }

  /** Sets it where there is something already; whether it did. */
  async replace(key: Value, value: Value, options: CacheOptions = {}): Promise<boolean> {
    return (await ask(...this.#set(key, value, options), 'XX')) !== null
  }

  /** How many of them there were. */
  async delete(...keys: readonly Value[]): Promise<number> {
    return (await ask('DEL', ...keys.map((key) => this.#key(key)))) as number
  }

  /** The new number; what is not there begins as 0. */
  async incr(key: Value, by = 1): Promise<number> {
    return Number(await ask('INCRBY', this.#key(key), String(by)))
  }

  /** Those that are there. */
  async getMany(keys: readonly string[]): Promise<Map<string, string>> {
    if (keys.length === 0) return new Map()
    const values = (await ask('MGET', ...keys.map((key) => this.#key(key)))) as (string | null)[]
    return new Map(
      keys.flatMap((key, i): [string, string][] => {
        const value = values[i] ?? null
        return value === null ? [] : [[key, textOf(value)]]
      }),
    )
  }

  /** Empties this cache, and no other; how many there were. */
  async clear(): Promise<number> {
    return (await ask('PORTICO.CLEAR', this.#prefix)) as number
  }
}

export const cache: Cache = new Cache()
