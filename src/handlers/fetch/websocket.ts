/** WebSockets of fetch handlers in this thread: the bridge of the worker link, without a link. */
import type { FetchExchange } from '../../fetch/exchange.ts'
import { MESSAGE_COST, type WebSocketCarrier, type WebSocketEvents } from '../../fetch/websocket.ts'
import { EMPTY_BODY } from '../../request/body.ts'
import { clock } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import { Bridge } from '../../transports/worker-link/bridge.ts'
import { GRANT, Job, type JobLink } from '../../transports/worker-link/job.ts'
import { asksForWebSocket, readHandshake } from '../../wire/websocket-handshake.ts'

/** All that one application has open. */
export class ThreadSockets {
  readonly #open = new Set<ThreadSocket>()
  #retired = false

  /** Opens the one that `exchange` asks for; null when it asks for none, or not correctly. */
  open(exchange: Exchange, fields: string, events: WebSocketEvents): WebSocketCarrier | null {
    if (this.#retired || exchange.canUpgrade !== true || !asksForWebSocket(exchange.fields)) {
      return null
    }
    const handshake = readHandshake(exchange.line, exchange.fields)
    if (!handshake.right) return null
    const socket = new ThreadSocket(exchange, handshake.key, events, () => {
      this.#open.delete(socket)
    })
    this.#open.add(socket)
    socket.accept(fields)
    return socket
  }

  /** The server accepts no more: visitors come back to whoever serves then. */
  retire(): void {
    this.#retired = true
    for (const socket of this.#open) socket.retire()
  }
}

/** Exchanges of this thread are whole ones. */
export function isWhole(exchange: FetchExchange): exchange is Exchange {
  return 'upgrade' in exchange
}

class ThreadSocket implements JobLink, WebSocketCarrier {
  readonly congested: boolean = false
  readonly #bridge: Bridge
  readonly #events: WebSocketEvents
  readonly #over: () => void
  /** Sent, and not known to have been taken by the visitor's socket. */
  #sent = 0

  constructor(exchange: Exchange, key: string, events: WebSocketEvents, over: () => void) {
    this.#events = events
    this.#over = over
    const job = new Job(exchange, EMPTY_BODY, clock.now)
    this.#bridge = new Bridge(job, key, MESSAGE_COST)
    job.offer(this.#bridge)
    job.link = this
  }

  accept(fields: string): void {
    this.#bridge.accept(fields)
  }

  retire(): void {
    this.#bridge.retire()
  }

  // For the application.

  /** The bridge tells what was taken in steps of GRANT. */
  get unsent(): number {
    return Math.max(0, this.#sent - GRANT)
  }

  send(text: boolean, bytes: Uint8Array): void {
    this.#sent += bytes.length + MESSAGE_COST
    this.#bridge.send(text, bytes)
  }

  shut(code: number, reason: string): void {
    this.#bridge.shut(code, reason)
  }

  taken(bytes: number): void {
    this.#bridge.granted(bytes)
  }

  // For the bridge.

  grant(_id: number, bytes: number): void {
    const waited = this.unsent > 0
    this.#sent -= bytes
    if (waited && this.unsent === 0) this.#events.drained()
  }

  message(_id: number, text: boolean, bytes: Uint8Array): void {
    this.#events.message(text, bytes)
  }

  webSocketClosed(_id: number, code: number, reason: string): void {
    this.#over()
    this.#events.closed(code, reason)
  }

  cancel(): void {}

  request(): void {}

  skip(): void {}

  body(): void {}

  bodyEnd(): void {}
}
