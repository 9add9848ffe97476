/**
 * What a cookie says: whose the visitor is, and where that has limits, since when. Opaque, and the same
 * after a restart and on every machine with the same secret. Only we can make it: it is an HMAC-SHA256 (RFC
 * 2104), or carries one.
 *
 *     without limits: base64url(HMAC(server))                                       20 characters
 *     with limits:    base64url(HMAC(server)[0..9] first seen HMAC(all)[0..13])     40 characters
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { NOBODY } from './persistence.ts'

const NAME_BYTES = 15
const SHORT_NAME_BYTES = 9
const MAC_BYTES = 13
const PAYLOAD_BYTES = SHORT_NAME_BYTES + 8
const STAMP = /^[A-Za-z0-9_-]+$/

export interface Limits {
  /** It counts no longer when it was not brought for so long, s; 0: it does. */
  readonly idleS: number
  /** It counts no longer so long after it was first given, s; 0: it does. */
  readonly lifeS: number
}

/** What was read from a cookie. */
export interface Stamp {
  readonly server: number
  /** Seconds since 1970; 0 where there are no limits. */
  readonly first: number
  readonly seen: number
}

/** A cookie that says nothing, or nothing that counts. */
export const NO_STAMP: Stamp = { server: NOBODY, first: 0, seen: 0 }

/** A stamp is renewed after this part of its idle time. */
const RENEWED = 1 / 10

export class Stamps {
  readonly #secret: string | Buffer
  readonly #limits: Limits
  /** What is signed with the servers' names: no cookie of one pool counts in another. */
  readonly #scope: string
  readonly #names: readonly Buffer[]
  /** Values without limits, and names with limits. */
  readonly #servers = new Map<string, Stamp>()

  /** `servers`: as the owner wrote them. */
  constructor(
    secret: string | Buffer,
    scope: string,
    servers: readonly string[],
    limits: Limits = { idleS: 0, lifeS: 0 },
  ) {
    this.#secret = secret
    this.#limits = limits
    this.#scope = scope
    const bytes = this.#limited ? SHORT_NAME_BYTES : NAME_BYTES
    this.#names = servers.map((name) => this.#hmac('server', Buffer.from(name)).subarray(0, bytes))
    for (const [server, name] of this.#names.entries()) {
      const text = name.toString('base64url')
      if (!this.#servers.has(text)) this.#servers.set(text, { ...NO_STAMP, server })
    }
  }

  /** What a visitor of `server` is to bring; `first`: when it was first given one, s since 1970. */
  write(server: number, first: number, now: number): string {
    const name = this.#names[server]!
    if (!this.#limited) return name.toString('base64url')
    const payload = Buffer.alloc(PAYLOAD_BYTES)
    name.copy(payload)
    payload.writeUInt32BE(first >>> 0, SHORT_NAME_BYTES)
    payload.writeUInt32BE(now >>> 0, SHORT_NAME_BYTES + 4)
    return Buffer.concat([payload, this.#sign(payload)]).toString('base64url')
  }

  /** What a visitor has brought at `now`, s since 1970. */
  read(value: string, now: number): Stamp {
    if (!this.#limited) return this.#servers.get(value) ?? NO_STAMP
    const length = Math.ceil(((PAYLOAD_BYTES + MAC_BYTES) * 4) / 3)
    if (value.length !== length || !STAMP.test(value)) return NO_STAMP
    const bytes = Buffer.from(value, 'base64url')
    if (bytes.length !== PAYLOAD_BYTES + MAC_BYTES) return NO_STAMP
    const payload = bytes.subarray(0, PAYLOAD_BYTES)
    if (!timingSafeEqual(bytes.subarray(PAYLOAD_BYTES), this.#sign(payload))) return NO_STAMP
    const known = this.#servers.get(payload.toString('base64url', 0, SHORT_NAME_BYTES))
    const first = payload.readUInt32BE(SHORT_NAME_BYTES)
    const seen = payload.readUInt32BE(SHORT_NAME_BYTES + 4)
    const { idleS, lifeS } = this.#limits
    const over = (idleS > 0 && now - seen > idleS) || (lifeS > 0 && now - first > lifeS)
    return known === undefined || over ? NO_STAMP : { server: known.server, first, seen }
  }

  /** Whether a visitor who has brought this is to have a new one. */
  isOld({ seen }: Stamp, now: number): boolean {
    return this.#limits.idleS > 0 && now - seen > this.#limits.idleS * RENEWED
  }

  get #limited(): boolean {
    return this.#limits.idleS > 0 || this.#limits.lifeS > 0
  }

  #sign(payload: Buffer): Buffer {
    return this.#hmac('stamp', payload).subarray(0, MAC_BYTES)
  }

  #hmac(what: string, bytes: Buffer): Buffer {
    const hmac = createHmac('sha256', this.#secret)
    return hmac.update(`${what}\0${this.#scope}\0`).update(bytes).digest()
  }
}
