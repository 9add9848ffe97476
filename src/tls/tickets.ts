/**
 * Session tickets (RFC 5077, RFC 8446 §4.6.1) whose keys all threads, all generations and, with files, all
 * machines share. The newest key closes, every other one still opens: a session lasts longer than a key.
 */
import { randomFillSync } from 'node:crypto'
import type { SecureContext } from 'node:tls'

interface TicketKey {
  readonly name: Buffer
  readonly sign: Buffer
  readonly close: Buffer
}

/** What OpenSSL is to do with a ticket: it cannot be opened; it can, and a new one is due. */
const UNKNOWN = 0
const NEW = 1
const RENEW = 2
const IV_BYTES = 16

/** What of Node's own context is needed: its documented `ticketKeys` is one key, which a new one ends. */
interface NativeContext {
  enableTicketKeyCallback(): void
  onticketkeycallback: (name: Buffer, iv: Buffer, closes: boolean) => readonly unknown[]
  setTicketKeys(keys: Buffer): void
}

export class Tickets {
  #keys: readonly TicketKey[] = []
  #newest: Buffer = Buffer.alloc(0)

  /** Base64, the newest first; see tls/load.ts for what is in one. */
  replace(keys: readonly string[]): void {
    const all = keys.map((text) => Buffer.from(text, 'base64'))
    this.#newest = all[0] ?? this.#newest
    this.#keys = all.map((bytes) => ({
      name: bytes.subarray(0, 16),
      sign: bytes.subarray(16, 32),
      close: bytes.subarray(32, 48),
    }))
  }

  /** Has a context close and open tickets with these keys, also with those to come. */
  serve(context: SecureContext): void {
    const native = context.context as NativeContext
    if (typeof native.enableTicketKeyCallback !== 'function') {
      // Of another Node: tickets end with their key.
      if (this.#newest.length > 0) native.setTicketKeys(this.#newest)
      return
    }
    native.onticketkeycallback = (name, _iv, closes) => (closes ? this.#close() : this.#open(name))
    native.enableTicketKeyCallback()
  }

  #close(): readonly unknown[] {
    const [key] = this.#keys
    if (key === undefined) return [UNKNOWN]
    return [NEW, key.sign, key.close, key.name, randomFillSync(Buffer.alloc(IV_BYTES))]
  }

  #open(name: Buffer): readonly unknown[] {
    const key = this.#keys.find((one) => one.name.equals(name))
    // Browsers use each ticket of TLS 1.3 once, so that nobody can tell that it is they again.
    return key === undefined ? [UNKNOWN] : [RENEW, key.sign, key.close]
  }
}
