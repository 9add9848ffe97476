/** The second argument of a fetch handler: what it can do beside answering. */
import { exchangeOf } from './request.ts'

export interface Address {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

/** As Bun has it, with Cloudflare's `waitUntil`. One object for all requests. */
export interface FetchServer {
  /** Who asked; null for a Request that came from nowhere, or over a unix socket. */
  requestIP(request: Request): Address | null
  /** Work that goes on after the answer: it is waited for before a worker ends, and its failure is logged. */
  waitUntil(promise: Promise<unknown>): void
}

/** Counts the promises that were given to `waitUntil` and are not settled. */
export class Background implements FetchServer {
  readonly #log: (text: string) => void
  #pending = 0
  #idle: (() => void) | null = null

  constructor(log: (text: string) => void) {
    this.#log = log
  }

  requestIP(request: Request): Address | null {
    const peer = exchangeOf(request)?.peer
    if (peer === undefined || peer.address === '') return null
    const { address, port } = peer
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port }
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#pending++
    Promise.resolve(promise)
      .catch((error: unknown) => this.#log(`waitUntil: ${stackOf(error)}`))
      .finally(() => {
        if (--this.#pending === 0) this.#idle?.()
      })
  }

  /** Resolves when nothing is pending. */
  async settled(): Promise<void> {
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }
}

/** The stack of what was thrown, with its causes. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`
  const own = error.stack ?? String(error)
  return error.cause === undefined ? own : `${own}\n  [cause] ${stackOf(error.cause)}`
}
