/** The second argument of a fetch handler: what it can do beside answering. */
import type { FetchExchange } from './exchange.ts'
import { exchangeOf } from './request.ts'
import { fieldLines } from './response.ts'
import {
  FetchWebSocket,
  type WebSocketCarrier,
  type WebSocketEvents,
  type WebSocketHandler,
} from './websocket.ts'

export interface Address {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

/** As Bun has it, with Cloudflare's `waitUntil`. One object for all requests. */
export interface FetchServer {
  /** Who asked; null for a Request that came from nowhere, or over a unix socket. */
  requestIP(request: Request): Address | null
  /**
   * Makes a WebSocket of a request that asks for one; its events go to the export's `websocket`. False:
   * it asks for none, or there is no such export. After true the handler returns nothing.
   */
  upgrade(request: Request, options?: UpgradeOptions): boolean
  /** Work that goes on after the answer: it is waited for before a worker ends, and its failure is logged. */
  waitUntil(promise: Promise<unknown>): void
}

export interface UpgradeOptions {
  /** Of the 101, such as Sec-WebSocket-Protocol. */
  readonly headers?: ConstructorParameters<typeof Headers>[0]
  /** Becomes the socket's `data`. */
  readonly data?: unknown
}

/** Opens the WebSocket that a request asks for; null when it asks for none. `fields`: a block for the 101. */
export type Upgrader = (
  exchange: FetchExchange,
  fields: string,
  events: WebSocketEvents,
) => WebSocketCarrier | null

/** Counts the promises that were given to `waitUntil` and are not settled. */
export class Background implements FetchServer {
  readonly #log: (text: string) => void
  readonly #open: Upgrader
  #pending = 0
  #idle: (() => void) | null = null
  /** Of the application's module; null before it is loaded, or where it has none. */
  webSocket: WebSocketHandler | null = null

  constructor(log: (text: string) => void, open: Upgrader) {
    this.#log = log
    this.#open = open
  }

  upgrade(request: Request, options: UpgradeOptions = {}): boolean {
    const exchange = exchangeOf(request)
    if (this.webSocket === null || exchange === null || exchange.answered || exchange.gone)
      return false
    const { data, headers } = options
    const fields = headers === undefined ? '' : fieldLines(new Headers(headers)).block
    const socket = new FetchWebSocket(this.webSocket, data, exchange.peer.address, (error) =>
      this.#log(`websocket: ${stackOf(error)}`),
    )
    const carrier = this.#open(exchange, fields, socket)
    if (carrier === null) return false
    socket.opened(carrier)
    return true
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
    if (this.#pending > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
  }
}

/** Where our own code is. */
const OURS = new URL('../', import.meta.url).href

/** The stack of what was thrown, with its causes, as its owner wants to read it: without our frames. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`
  const lines = (error.stack ?? String(error)).split('\n')
  const own = lines.filter((line) => !/^\s+at /.test(line) || !isForeign(line)).join('\n')
  return error.cause === undefined ? own : `${own}\n  [cause] ${stackOf(error.cause)}`
}

/** Whether a line of a stack is about our own code, or Node's: nothing that an application's owner could change. */
export function isForeign(frame: string): boolean {
  return frame.includes(OURS) || frame.includes('node:internal/')
}
