/** A Redis that several machines share: `redis://host:6379/0?prefix=portico`, `rediss://` over TLS. */
import { randomBytes } from 'node:crypto'
import { parseRedisAddress, type RedisAddress } from '../../jobs/redis/address.ts'
import { RedisConnection } from '../../jobs/redis/connection.ts'
import { bytesOf, type Reply, textOf } from '../../wire/resp.ts'
import { checkKey, keepLease, LEASE_MS, type Lease, STORE_MS, type Store } from '../store.ts'

/** Only whoever holds a lock renews or frees it. */
const RENEW =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
const FREE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"

export class RedisStore implements Store {
  readonly shown: string
  readonly #address: RedisAddress
  readonly #connection: RedisConnection
  readonly #patienceMs: number

  constructor(url: string, warn: (message: string) => void, patienceMs: number = STORE_MS) {
    this.#patienceMs = patienceMs
    this.#address = parseRedisAddress(url)
    this.shown = this.#address.shown
    this.#connection = new RedisConnection(this.#address, {
      opened: async () => {},
      published: () => {},
      warn,
    })
  }

  async read(key: string): Promise<string | null> {
    const value = await this.#ask('GET', this.#key(key))
    return typeof value === 'string' ? textOf(value) : null
  }

  async write(key: string, value: string | null, forMs?: number): Promise<void> {
    if (value === null) return void (await this.#ask('DEL', this.#key(key)))
    const until = forMs === undefined ? [] : ['PX', String(forMs)]
    await this.#ask('SET', this.#key(key), bytesOf(value), ...until)
  }

  async lock(name: string): Promise<Lease | null> {
    const key = this.#key(`locks/${name}`)
    const owner = randomBytes(18).toString('base64url')
    const life = String(LEASE_MS)
    if ((await this.#ask('SET', key, owner, 'NX', 'PX', life)) === null) return null
    return keepLease(
      async () => (await this.#ask('EVAL', RENEW, '1', key, owner, life)) === 1,
      async () => void (await this.#ask('EVAL', FREE, '1', key, owner)),
    )
  }

  close(): void {
    this.#connection.close()
  }

  #key(key: string): string {
    return bytesOf(`${this.#address.prefix}:certificates:${checkKey(key)}`)
  }

  async #ask(...args: readonly string[]): Promise<Reply> {
    if (!(await this.#connection.ready(this.#patienceMs))) {
      throw new Error(`${this.shown} does not answer`)
    }
    return this.#connection.ask(args)
  }
}
