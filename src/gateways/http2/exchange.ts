/**
 * Hot: one HTTP/2 request and its answer. The stream feeds it the request's body; handlers answer through
 * it. Its states: see `../exchange.ts`.
 */
import type { Duplex } from 'node:stream'
import { PorticoError } from '../../errors.ts'
import type { AnswerHead, Peer } from '../../request/exchange.ts'
import type { Http2Request } from '../../wire/http2-request.ts'
import { AnswerState, GatewayExchange } from '../exchange.ts'
import { withOrders } from '../http1/encode.ts'
import type { Http2Stream } from './stream.ts'
import { Http2Tunnel } from './tunnel.ts'

/** Stands for a head that is held back; it is encoded when it leaves. */
const HELD = 'held'

export class Http2Exchange extends GatewayExchange {
  readonly canUpgrade: boolean
  readonly #stream: Http2Stream
  #bodySeen = 0
  #head: AnswerHead | null = null
  #length = -1

  constructor(stream: Http2Stream, request: Http2Request, over: boolean, peer: Peer, most: number) {
    super(stream, request.line, request.fields, peer, most)
    this.#stream = stream
    this.canUpgrade = request.tunnel
    // What comes behind an extended CONNECT is the tunnel's.
    this.bodyDone = over || request.tunnel
  }

  /** Nothing of the body has come, and its visitor waits to hear whether it shall. */
  get heldBack(): boolean {
    return this.fields.expectContinue && this.#bodySeen === 0
  }

  get tunnelled(): boolean {
    return this.state === AnswerState.TUNNEL
  }

  // The request's body.

  protected override expected(): void {
    if (this.heldBack && this.state === AnswerState.NONE) this.#stream.inform(100, '')
  }

  /** Somebody takes the body, now or when it goes on. */
  get wantsBody(): boolean {
    return this.sink !== null
  }

  /** Takes bytes of the body. */
  feed(bytes: Uint8Array): void {
    this.#bodySeen += bytes.length
    if (this.#bodySeen > this.maxBody) {
      return this.bodyFailed(new PorticoError('TOO_LARGE_BODY', `over ${this.maxBody} bytes`))
    }
    this.give(bytes)
  }

  /** The body is complete. */
  bodyEnded(trailers: string): void {
    this.bodyDone = true
    this.endBody(trailers)
  }

  // The answer.

  inform(status: number, fields: string): void {
    if (this.state === AnswerState.NONE && !this.gone) this.#stream.inform(status, fields)
  }

  respond(given: AnswerHead, body: Uint8Array, length: number = body.length): void {
    if (this.state !== AnswerState.NONE || this.gone) return
    const head = this.#edited(given)
    if (this.beginAnswer(head)) {
      // RFC 9110 §8.6: no length with 204; with 304 only one that a 200 would have had.
      const untold = head.status === 204 || (head.status === 304 && length === 0)
      this.#stream.writeHead(head, untold ? -1 : length, this.#id, true)
    } else {
      this.sent = body.length
      this.#stream.respond(head, body, this.#id)
    }
    this.finish()
  }

  start(given: AnswerHead, length: number): void {
    if (this.state !== AnswerState.NONE || this.gone) return
    const head = this.#edited(given)
    this.dropBody = this.beginAnswer(head)
    this.owed = head.status === 204 || (head.status === 304 && length === 0) ? -1 : length
    this.#head = head
    this.#length = this.owed
    this.holdHead(HELD)
  }

  protected sendHead(): void {
    this.#stream.writeHead(this.#head!, this.#length, this.#id, false)
    this.#head = null
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.state !== AnswerState.STREAMING || this.gone) return true
    const part = this.owedOf(chunk)
    if (part.length === 0 || this.dropBody) return true
    this.sent += part.length
    this.flushHead()
    return this.#stream.send(part, owned)
  }

  /** Bytes between frames cannot come from the kernel alone. */
  override sendFile(
    _fd: number,
    _offset: number,
    _length: number,
    done: (count: number) => void,
  ): void {
    done(-1)
  }

  end(trailers = ''): void {
    if (this.state !== AnswerState.STREAMING || this.gone) return
    if (this.owed > 0 && !this.dropBody) {
      return this.cut(new PorticoError('BACKEND_CLOSED', 'a short body'))
    }
    if (this.takeHead() !== '') {
      const only = trailers === '' || this.dropBody
      this.#stream.writeHead(this.#head!, this.#length, this.#id, only)
      if (!only) this.#stream.end(trailers)
    } else this.#stream.end(this.dropBody ? '' : trailers)
    this.finish()
  }

  upgrade(head: AnswerHead): Duplex {
    const tunnel = new Http2Tunnel(this.#stream)
    if (this.state !== AnswerState.NONE || this.gone || !this.canUpgrade) return tunnel.destroy()
    this.state = AnswerState.TUNNEL
    this.status = head.status
    // RFC 8441 §5: what HTTP/1 says with 101.
    this.#stream.writeHead({ ...head, status: 200 }, -1, this.#id, false)
    this.#stream.openTunnel(tunnel)
    return tunnel
  }

  /** The tunnel is over. */
  tunnelClosed(bytes: number): void {
    this.sent = bytes
    this.state = AnswerState.DONE
  }

  #edited(given: AnswerHead): AnswerHead {
    const head = this.edit === null ? given : this.edit(given)
    // A trusted proxy may be the one that a backend's orders are for.
    return head.orders === undefined || this.peer.proxy === undefined ? head : withOrders(head)
  }

  get #id(): string {
    return this.trace === null || this.trace.answerField === '' ? '' : this.trace.id
  }

  protected cutOff(): void {
    this.#stream.cut()
  }
}
