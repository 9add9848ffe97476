/**
 * Hot: one HTTP/1.1 request and its answer on a connection. The connection feeds it the request's body;
 * handlers answer through it. Its states: see `../exchange.ts`.
 */
import type { Duplex } from 'node:stream'
import { PorticoError } from '../../errors.ts'
import { type AnswerHead, COPIED, type Peer } from '../../request/exchange.ts'
import { ChunkedDecoder } from '../../wire/chunked.ts'
import { checkTrailers, type RequestFields } from '../../wire/request-fields.ts'
import type { RequestLine } from '../../wire/request-line.ts'
import { AnswerState, DISCARD, GatewayExchange } from '../exchange.ts'
import type { Http1Connection } from './connection.ts'
import { encodeHead, encodeWhole, Framing, join, withOrders } from './encode.ts'
import { Tunnel } from './tunnel.ts'

/** Of an unread request body: how much we read and drop to keep the connection. */
const WORTH_DISCARDING = 262_144

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')
const CRLF = Buffer.from('\r\n')

export class Http1Exchange extends GatewayExchange {
  readonly #connection: Http1Connection
  /** The connection may carry another request after this one. */
  keep: boolean
  /** Bytes of a sized request body still to come. */
  #bodyLeft: number
  #bodySeen = 0
  readonly #decoder: ChunkedDecoder | null
  readonly #onChunk: (view: Uint8Array) => boolean

  constructor(
    connection: Http1Connection,
    line: RequestLine,
    fields: RequestFields,
    peer: Peer,
    maxBody: number,
    keep: boolean,
  ) {
    super(connection, line, fields, peer, maxBody)
    this.#connection = connection
    this.owed = Framing.NONE
    this.keep = keep
    this.#bodyLeft = fields.contentLength
    this.#decoder = fields.chunked ? new ChunkedDecoder() : null
    this.#onChunk = fields.chunked ? (view) => this.#chunk(view) : noChunk
    this.bodyDone = !fields.chunked && fields.contentLength === 0
  }

  get tunnelled(): boolean {
    return this.state === AnswerState.TUNNEL
  }

  // The request's body.

  protected override expected(): void {
    if (this.fields.expectContinue && this.#bodySeen === 0 && this.state === AnswerState.NONE) {
      this.#connection.send(CONTINUE)
    }
  }

  /**
   * Takes body bytes from `bytes[from, to)`; returns where it stopped. Throws nothing: what is wrong
   * with the body ends the exchange.
   */
  feed(bytes: Buffer, from: number, to: number): number {
    try {
      return this.#decoder === null
        ? this.#feedSized(bytes, from, to)
        : this.#feedChunked(this.#decoder, bytes, from, to)
    } catch (error) {
      this.bodyFailed(
        error instanceof PorticoError ? error : new PorticoError('INTERNAL', '', { cause: error }),
      )
      return to
    }
  }

  #feedSized(bytes: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#bodyLeft)
    this.#bodyLeft -= end - from
    this.#bodySeen += end - from
    if (this.#bodyLeft === 0) this.bodyDone = true
    this.give(bytes.subarray(from, end))
    if (this.bodyDone) this.endBody('')
    return end
  }

  #feedChunked(decoder: ChunkedDecoder, bytes: Buffer, from: number, to: number): number {
    const at = decoder.decode(bytes, from, to, this.#onChunk)
    if (decoder.done && !this.bodyDone) {
      checkTrailers(decoder.trailers)
      this.bodyDone = true
      this.endBody(decoder.trailers)
    }
    return at
  }

  #chunk(view: Uint8Array): boolean {
    this.#bodySeen += view.length
    if (this.#bodySeen > this.maxBody)
      throw new PorticoError('TOO_LARGE_BODY', `over ${this.maxBody} bytes`)
    return this.give(view)
  }

  override bodyFailed(error: PorticoError): void {
    this.keep = false
    super.bodyFailed(error)
  }

  // The answer.

  inform(status: number, fields: string): void {
    // RFC 9110 §15.2: no interim answers to HTTP/1.0.
    if (this.state !== AnswerState.NONE || this.gone || this.line.minor < 1) return
    this.#connection.send(
      Buffer.from(
        encodeHead({ status, reason: '', fields, has: 3 }, Framing.NONE, '', ''),
        'latin1',
      ),
    )
  }

  respond(given: AnswerHead, body: Uint8Array, length: number = body.length): void {
    if (this.state !== AnswerState.NONE || this.gone) return
    const head = this.#toldTo(given)
    const bodiless = this.beginAnswer(head)
    let framing = body.length
    if (bodiless)
      framing = head.status === 204 || (head.status === 304 && length === 0) ? Framing.NONE : length
    const { serverName } = this.#connection
    if (!bodiless && body.length > 0 && body.length <= COPIED) {
      this.sent = body.length
      this.#connection.send(
        encodeWhole(head, body, this.#connectionLine(), serverName, this.#idLine),
      )
    } else {
      const text = encodeHead(head, framing, this.#connectionLine(), serverName, this.#idLine)
      if (bodiless || body.length === 0) this.#connection.send(Buffer.from(text, 'latin1'))
      else {
        this.sent = body.length
        this.#connection.sendTwo(Buffer.from(text, 'latin1'), body)
      }
    }
    this.finish()
  }

  start(given: AnswerHead, length: number): void {
    if (this.state !== AnswerState.NONE || this.gone) return
    const head = this.#toldTo(given)
    const bodiless = this.beginAnswer(head)
    this.dropBody = bodiless
    let framing = length
    if (head.status === 204) framing = Framing.NONE
    else if (head.status === 304) framing = length > 0 ? length : Framing.NONE
    else if (length < 0) {
      // RFC 9112 §6.3: without chunks, only the connection's end can tell the body's end.
      framing = this.line.minor >= 1 ? Framing.CHUNKED : Framing.NONE
      if (framing === Framing.NONE && !bodiless) this.keep = false
    }
    this.owed = framing
    const { serverName } = this.#connection
    this.holdHead(encodeHead(head, framing, this.#connectionLine(), serverName, this.#idLine))
  }

  protected sendHead(text: string): void {
    this.#connection.send(Buffer.from(text, 'latin1'))
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.state !== AnswerState.STREAMING || this.gone) return true
    const part = this.owedOf(chunk)
    if (part.length === 0 || this.dropBody) return true
    this.sent += part.length
    if (this.owed === Framing.CHUNKED) return this.#writeChunk(part, owned)
    const head = this.takeHead()
    if (head === '') return this.#connection.send(owned ? part : Buffer.from(part))
    if (part.length <= COPIED) return this.#connection.send(join(head, part))
    return this.#connection.sendTwo(Buffer.from(head, 'latin1'), owned ? part : Buffer.from(part))
  }

  #writeChunk(part: Uint8Array, owned: boolean): boolean {
    const size = `${this.takeHead()}${part.length.toString(16)}\r\n`
    if (!owned || part.length <= COPIED) {
      const bytes = Buffer.allocUnsafe(size.length + part.length + 2)
      bytes.write(size, 0, size.length, 'latin1')
      bytes.set(part, size.length)
      bytes[bytes.length - 2] = 0x0d
      bytes[bytes.length - 1] = 0x0a
      return this.#connection.send(bytes)
    }
    this.#connection.sendTwo(Buffer.from(size, 'latin1'), part)
    return this.#connection.send(CRLF)
  }

  end(trailers = ''): void {
    if (this.state !== AnswerState.STREAMING || this.gone) return
    if (this.owed > 0 && !this.dropBody)
      return this.cut(new PorticoError('BACKEND_CLOSED', 'a short body'))
    if (this.owed === Framing.CHUNKED && !this.dropBody) {
      const last = `${this.takeHead()}0\r\n${trailers}\r\n`
      this.#connection.send(Buffer.from(last, 'latin1'))
    } else this.flushHead()
    this.finish()
  }

  get canUpgrade(): boolean {
    return true
  }

  upgrade(head: AnswerHead): Duplex {
    const tunnel = new Tunnel(this.#connection.socket)
    if (this.state !== AnswerState.NONE || this.gone) return tunnel.destroy()
    this.state = AnswerState.TUNNEL
    this.status = head.status
    this.keep = false
    this.#connection.send(
      Buffer.from(
        encodeHead(head, Framing.NONE, '', this.#connection.serverName, this.#idLine),
        'latin1',
      ),
    )
    return this.#connection.tunnel(tunnel)
  }

  /** The tunnel is over. */
  tunnelClosed(bytes: number): void {
    this.sent = bytes
    this.state = AnswerState.DONE
  }

  /** As filters have it. A trusted proxy may be the one that a backend's orders are for. */
  #toldTo(given: AnswerHead): AnswerHead {
    const head = this.edit === null ? given : this.edit(given)
    return head.orders === undefined || this.peer.proxy === undefined ? head : withOrders(head)
  }

  protected override beginAnswer(head: AnswerHead): boolean {
    if (!this.bodyDone) this.#judgeRest()
    return super.beginAnswer(head)
  }

  /** The answer comes before the request's body was read: is the rest worth reading? */
  #judgeRest(): void {
    const waiting = this.fields.expectContinue && this.#bodySeen === 0 && this.sink === null
    if (waiting || this.#decoder !== null || this.#bodyLeft > WORTH_DISCARDING) this.keep = false
  }

  get #idLine(): string {
    return this.trace === null ? '' : this.trace.answerField
  }

  /** RFC 9112 §9.3, and for HTTP/1.0 the keep-alive that it never had. */
  #connectionLine(): string {
    if (this.#connection.draining) this.keep = false
    if (!this.keep) return 'Connection: close\r\n'
    return this.line.minor === 0 ? 'Connection: keep-alive\r\n' : ''
  }

  /** Of a connection that is kept, the rest of the body has to be read. */
  protected override leaveBody(): void {
    this.sink = this.keep ? DISCARD : null
    this.paused = false
  }

  protected cutOff(): void {
    this.keep = false
    this.#connection.cut(this.state === AnswerState.STREAMING && this.owed === Framing.NONE)
  }
}

function noChunk(): boolean {
  return true
}
