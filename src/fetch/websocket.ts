/** WebSockets of fetch handlers, as Bun has them: `server.upgrade(request)` and the export's `websocket`. */
import { member } from './handler.ts'

/** Unsent bytes of one WebSocket beyond which messages are dropped. */
const MOST_UNSENT = 16_777_216
/** What a message that waits takes besides its bytes: else tiny ones would be without bound. */
export const MESSAGE_COST = 256
/** Nobody may close with another code (RFC 6455 §7.4). */
const isCloseCode = (code: number): boolean => code === 1000 || (code >= 3000 && code <= 4999)

/** What carries an open WebSocket. */
export interface WebSocketCarrier {
  /** Bytes that wait for the visitor, and MESSAGE_COST for each message. */
  readonly unsent: number
  send(text: boolean, bytes: Uint8Array): void
  shut(code: number, reason: string): void
  /** The application has dealt with a message of so many bytes. */
  taken(bytes: number): void
}

/** What a carrier tells. */
export interface WebSocketEvents {
  /** `bytes` are valid only during the call. */
  message(text: boolean, bytes: Uint8Array): void
  /** Nothing comes and nothing goes any more. */
  closed(code: number, reason: string): void
  /** What waited for the visitor has left. */
  drained(): void
}

/** The `websocket` of a default export. */
export interface WebSocketHandler<Data = unknown> {
  open?(socket: FetchWebSocket<Data>): unknown
  /** A promise holds back the visitor's next messages when many are waiting. */
  message?(socket: FetchWebSocket<Data>, message: string | Buffer): unknown
  close?(socket: FetchWebSocket<Data>, code: number, reason: string): unknown
  drain?(socket: FetchWebSocket<Data>): unknown
}

export function findWebSocket(exports: object, main: unknown): WebSocketHandler | null {
  for (const holder of [main, exports]) {
    const handler = member(holder, 'websocket')
    if (typeof handler === 'object' && handler !== null) return handler
  }
  return null
}

export class FetchWebSocket<Data = unknown> implements WebSocketEvents {
  /** What `upgrade` was given. */
  data: Data
  readonly remoteAddress: string
  readonly #handler: WebSocketHandler
  readonly #failed: (error: unknown) => void
  #carrier: WebSocketCarrier | null = null
  /** As in browsers: 1 open, 2 closing, 3 closed. */
  #state = 1

  constructor(
    handler: WebSocketHandler,
    data: Data,
    remoteAddress: string,
    failed: (error: unknown) => void,
  ) {
    this.#handler = handler
    this.data = data
    this.remoteAddress = remoteAddress
    this.#failed = failed
  }

  get readyState(): number {
    return this.#state
  }

  /** Bytes that wait for the visitor, and what their messages take besides. */
  getBufferedAmount(): number {
    return this.#carrier?.unsent ?? 0
  }

  /** The bytes sent; -1: queued, since the visitor is slow; 0: dropped, being closed or far too slow. */
  send(message: string | ArrayBuffer | ArrayBufferView): number {
    const carrier = this.#carrier
    if (carrier === null || this.#state !== 1 || carrier.unsent > MOST_UNSENT) return 0
    const text = typeof message === 'string'
    const bytes = text ? Buffer.from(message) : bytesOf(message)
    carrier.send(text, bytes)
    return carrier.unsent > 0 ? -1 : bytes.length
  }

  close(code = 1000, reason = ''): void {
    if (!isCloseCode(code)) throw new RangeError(`a WebSocket cannot be closed with code ${code}`)
    if (Buffer.byteLength(reason) > 123) throw new RangeError('a reason has at most 123 bytes')
    if (this.#state !== 1) return
    this.#state = 2
    this.#carrier?.shut(code, reason)
  }

  opened(carrier: WebSocketCarrier): void {
    this.#carrier = carrier
    this.#run(() => this.#handler.open?.(this))
  }

  message(text: boolean, bytes: Uint8Array): void {
    const { length } = bytes
    const message = text ? Buffer.from(bytes).toString() : Buffer.from(bytes)
    const result = this.#state === 1 && this.#run(() => this.#handler.message?.(this, message))
    const done = (): void => this.#carrier?.taken(length)
    if (result instanceof Promise) result.then(done, done)
    else done()
  }

  closed(code: number, reason: string): void {
    if (this.#state === 3) return
    this.#state = 3
    this.#run(() => this.#handler.close?.(this, code, reason))
    this.#carrier = null
  }

  drained(): void {
    this.#run(() => this.#handler.drain?.(this))
  }

  /** What a handler does wrong is logged, and closes the WebSocket. */
  #run(call: () => unknown): unknown {
    try {
      const result = call()
      if (result instanceof Promise) result.catch((error: unknown) => this.#fail(error))
      return result
    } catch (error) {
      this.#fail(error)
      return undefined
    }
  }

  #fail(error: unknown): void {
    this.#failed(error)
    if (this.#state !== 1) return
    this.#state = 2
    this.#carrier?.shut(1011, '')
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (!ArrayBuffer.isView(data)) return new Uint8Array(data)
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
