/**
 * An etcd (3.4 or newer) that several machines share, through its JSON gateway:
 * https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/
 */
import { randomBytes } from 'node:crypto'
import { type Answer, ask } from '../ask.ts'
import { checkKey, keepLease, LEASE_MS, type Lease, STORE_MS, type Store } from '../store.ts'
import { type EtcdAddress, parseEtcdAddress } from './etcd-address.ts'

/** gRPC's codes. */
const UNAUTHENTICATED = 16

type Json = Readonly<Record<string, unknown>>

export class EtcdStore implements Store {
  readonly shown: string
  readonly #address: EtcdAddress
  /** The endpoint that answered last. */
  #at = 0
  #token = ''

  constructor(url: string) {
    this.#address = parseEtcdAddress(url)
    this.shown = this.#address.shown
  }

  async read(key: string): Promise<string | null> {
    const { kvs } = await this.#ask('kv/range', { key: this.#key(key) })
    const [found] = (kvs ?? []) as readonly { readonly value?: string }[]
    return found === undefined ? null : Buffer.from(found.value ?? '', 'base64').toString()
  }

  async write(key: string, value: string | null, forMs?: number): Promise<void> {
    if (value === null) return void (await this.#ask('kv/deleterange', { key: this.#key(key) }))
    const lease = forMs === undefined ? {} : { lease: await this.#grant(forMs) }
    await this.#ask('kv/put', { key: this.#key(key), value: encode(value), ...lease })
  }

  async lock(name: string): Promise<Lease | null> {
    const key = this.#key(`locks/${name}`)
    const lease = await this.#grant(LEASE_MS)
    const free = async (): Promise<void> => void (await this.#ask('lease/revoke', { ID: lease }))
    const { succeeded } = await this.#ask('kv/txn', {
      compare: [{ key, target: 'CREATE', result: 'EQUAL', create_revision: '0' }],
      success: [{ request_put: { key, value: encode(randomBytes(9).toString('hex')), lease } }],
    })
    if (succeeded !== true) {
      await free()
      return null
    }
    // With the lease, the key goes.
    return keepLease(async () => {
      const { result } = await this.#ask('lease/keepalive', { ID: lease })
      return Number(Object(result).TTL ?? 0) > 0
    }, free)
  }

  close(): void {}

  #key(key: string): string {
    return encode(this.#address.prefix + checkKey(key))
  }

  async #grant(ms: number): Promise<string> {
    const { ID } = await this.#ask('lease/grant', { TTL: String(Math.ceil(ms / 1000)) })
    return String(ID)
  }

  async #ask(path: string, body: Json, again = true): Promise<Json> {
    const { user, password } = this.#address
    if (user !== '' && this.#token === '') {
      const { token } = await this.#send('auth/authenticate', { name: user, password })
      this.#token = String(token)
    }
    try {
      return await this.#send(path, body)
    } catch (error) {
      // Tokens end, and a restarted server knows none.
      const ended = error instanceof EtcdError && error.code === UNAUTHENTICATED
      if (!ended || user === '' || !again) throw error
      this.#token = ''
      return this.#ask(path, body, false)
    }
  }

  /** The next endpoint is asked where one does not answer. */
  async #send(path: string, body: Json): Promise<Json> {
    const { endpoints } = this.#address
    let failure: unknown
    for (let tries = 0; tries < endpoints.length; tries++) {
      const endpoint = endpoints[this.#at % endpoints.length]
      try {
        const answer = await ask(`${endpoint}/v3/${path}`, {
          method: 'POST',
          body: JSON.stringify(body),
          headers: this.#token === '' ? {} : { Authorization: this.#token },
          timeoutMs: STORE_MS / endpoints.length,
        })
        return this.#read(answer)
      } catch (error) {
        if (error instanceof EtcdError) throw error
        failure = error
        this.#at += 1
      }
    }
    throw failure
  }

  #read({ status, body }: Answer): Json {
    let json: Json = {}
    try {
      json = Object(JSON.parse(body.toString()))
    } catch {
      if (status === 200) throw new EtcdError(`${this.shown} is no etcd`, 0)
    }
    if (status === 200) return json
    const text = body.toString('latin1', 0, 200).replace(/[^\x20-\x7e]+/g, ' ')
    throw new EtcdError(`${this.shown}: ${json.message ?? json.error ?? text}`, Number(json.code))
  }
}

class EtcdError extends Error {
  readonly code: number

  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64')
}
