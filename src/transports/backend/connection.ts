/**
 * One connection to a backend, through its life: connecting, then in turn busy with an exchange and
 * idle, at last perhaps a tunnel. Hot: a proxied request costs no closure, promise or timer of its own.
 */
import { PorticoError } from '../../errors.ts'
import type { Dial, DialedStream } from '../../listen/dial.ts'
import { mayRunAhead } from '../../request/ahead.ts'
import { clock } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { Attempt } from '../transport.ts'
import type { AnswerReceiver, ReceivedHead } from './answer.ts'
import { blame } from './blame.ts'
import type { Dialect } from './dialect.ts'
import { forwardedTrailers } from './end-to-end.ts'
import type { Opener, OpenerUser } from './open.ts'
import { Tunnel } from './tunnel.ts'
import { mayUpgradeTo } from './upgrade.ts'
import { Upload, type UploadWatcher, write } from './upload.ts'
import { answerAtOnce } from './whole-answer.ts'

/** Added to every deadline, ms: the clock may be a tick behind, and late is better than early. */
const TICK_MS = 250
const MOST_TRAILERS = 100
/** A backend that is told that its visitor left has this long to take note, ms. */
const FAREWELL_MS = 1000
const NEVER = Number.POSITIVE_INFINITY
const EMPTY = Buffer.alloc(0)

/** Bytes that a unix socket carries in one piece: whoever reads that much has all of them or none. */
const ONE_PIECE = 16_384

/** Repeating these changes nothing more (RFC 9110 §9.2.2), so they may be sent twice. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

const Phase = { CONNECTING: 0, BUSY: 1, IDLE: 2, TUNNEL: 3, CLOSED: 4 } as const

/** What connections to one backend have in common, and who keeps them. */
export interface ConnectionOwner {
  /** For messages. */
  readonly name: string
  readonly opener: Opener
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveMs: number
  readonly tunnelIdleMs: number
  /** It begins with a request when it has read all that there was: see ConnectionSettings. */
  readonly readsWhole: boolean
  /** How the protocol is spoken on a new connection. */
  speak(receiver: AnswerReceiver): Dialect
  /** A connection has been made. */
  connected(): void
  /** One could not be. */
  notConnected(): void
  /** The connection is free for another exchange. False: it is not wanted. */
  keep(connection: BackendConnection): boolean
  /** It is no longer free, without having been taken. */
  drop(connection: BackendConnection): void
  /** Nothing is left of it. */
  closed(connection: BackendConnection): void
  /** Sends an exchange again, on a connection that no other exchange has used. */
  sendFresh(exchange: Exchange, attempt: Attempt): void
}

export class BackendConnection implements AnswerReceiver, OpenerUser, UploadWatcher {
  /** When `expire` is due on the coarse clock, ms. */
  deadline: number
  /** Only exchanges with this key may use it: see Opener. */
  readonly key: string
  readonly #owner: ConnectionOwner
  readonly #opening: Dial
  /** Null: it is being opened. */
  #stream: DialedStream | null = null
  readonly #dialect: Dialect
  #phase: number = Phase.CONNECTING
  #exchange: Exchange | null
  #attempt: Attempt | null
  #upload: Upload | null = null
  #tunnel: Tunnel | null = null
  /** An exchange before this one used the connection, so the backend may have tired of it. */
  #used = false
  /** Something of the answer has come. */
  #heard = false
  /** The exchange has been given the head of the answer. */
  #started = false
  /** The backend sends no more. */
  #ended = false
  #answer: ReceivedHead | null = null
  /** Views of the body in the read at hand. */
  #view: Uint8Array | null = null
  #moreViews: Uint8Array[] = []
  /** Bytes of the answer that wait for the visitor. */
  #ahead = 0

  readonly #onGone = (): void => {
    const wasBusy = this.#phase === Phase.BUSY
    this.#detach().done()
    if (wasBusy) this.#takeLeave()
    else this.destroy()
  }

  readonly #onDrain = (): void => {
    this.#ahead = 0
    this.deadline = this.#later(this.#owner.bodyTimeoutMs)
    this.#stream!.resume()
  }

  /** Connects, then sends the exchange. */
  constructor(owner: ConnectionOwner, exchange: Exchange, attempt: Attempt) {
    this.#owner = owner
    this.#dialect = owner.speak(this)
    this.#exchange = exchange
    this.#attempt = attempt
    this.deadline = this.#later(attempt.connectTimeoutMs ?? owner.connectTimeoutMs)
    exchange.onGone = this.#onGone
    const { opener } = owner
    this.key = opener.keyed ? opener.keyOf(exchange) : ''
    this.#opening = opener.dial(exchange, this)
  }

  /** Sends another exchange over the idle connection. */
  send(exchange: Exchange, attempt: Attempt): void {
    this.#exchange = exchange
    this.#attempt = attempt
    this.#used = true
    exchange.onGone = this.#onGone
    this.#begin(exchange)
  }

  /** The deadline has passed. */
  expire(): void {
    const { name } = this.#owner
    if (this.#phase === Phase.CONNECTING) {
      this.#owner.notConnected()
      this.#notConnected(new PorticoError('BACKEND_UNREACHABLE', name))
    } else if (this.#phase === Phase.BUSY) this.#fail(new PorticoError('BACKEND_SLOW', name))
    else this.destroy()
  }

  destroy(): void {
    if (this.#phase === Phase.IDLE) this.#owner.drop(this)
    if (this.#phase === Phase.TUNNEL) this.#tunnel?.destroy()
    else this.#phase = Phase.CLOSED
    this.deadline = NEVER
    if (this.#stream !== null) return this.#stream.destroy()
    this.#opening.cancel()
    this.#owner.closed(this)
  }

  // The request.

  connected(stream: DialedStream): void {
    this.#stream = stream
    this.#owner.connected()
    stream.start(this)
    this.#begin(this.#exchange!)
  }

  refused(error: PorticoError): void {
    this.#owner.notConnected()
    this.#notConnected(error)
  }

  #begin(exchange: Exchange): void {
    this.#phase = Phase.BUSY
    this.#heard = false
    this.#started = false
    this.#answer = null
    this.#ahead = 0
    this.deadline = this.#later(this.#responseTimeoutMs)
    const { line, fields } = exchange
    let head: string | Uint8Array
    try {
      head = this.#dialect.begin(exchange)
    } catch (error) {
      return this.#fail(asPorticoError(error))
    }
    this.#dialect.reader.expect(line.method)
    if (fields.chunked || fields.contentLength > 0) {
      this.#upload = new Upload(exchange, this.#dialect, this.#stream!, this)
      this.uploadChanged()
      this.#upload.start(head)
    } else {
      this.#upload = null
      write(this.#stream!, head)
    }
  }

  /** While a body is on its way, the backend is late only when it takes none of it. */
  uploadChanged(): void {
    const upload = this.#upload
    if (upload === null || this.#started) return
    const backendsTurn = upload.sent || upload.waits
    this.deadline = backendsTurn ? this.#later(this.#responseTimeoutMs) : NEVER
  }

  get #responseTimeoutMs(): number {
    return this.#attempt?.responseTimeoutMs ?? this.#owner.responseTimeoutMs
  }

  uploadFailed(error: PorticoError): void {
    this.#fail(error)
  }

  drained(): void {
    this.#tunnel?.backendDrained()
    this.#upload?.drained()
  }

  // The answer.

  read(bytes: Buffer, length: number): boolean {
    if (this.#phase === Phase.BUSY) return this.#readAnswer(bytes, length)
    if (this.#phase === Phase.TUNNEL) return this.#readTunnel(bytes, 0, length)
    // Nobody asked: whatever it is, it must not become the answer to the next request.
    this.destroy()
    return false
  }

  #readAnswer(bytes: Buffer, length: number): boolean {
    if (!this.#heard) {
      if (this.#upload === null && this.#stream!.trouble !== '') {
        // The request has not left: the backend has said this to nobody, and closed.
        this.#lost()
        return false
      }
      this.#heard = true
      this.#attempt?.heard?.()
    }
    let consumed: number
    const { reader } = this.#dialect
    try {
      consumed = reader.decode(bytes, length)
    } catch (error) {
      this.#refuseOrFail(blame(this.#owner.name, asPorticoError(error)))
      return false
    }
    const exchange = this.#exchange
    // An interim answer may have found the visitor gone.
    if (exchange === null) return false
    if (reader.done) return this.#complete(exchange, bytes, consumed, length)
    // A head has until its first deadline, however it trickles in.
    if (this.#answer === null) return true
    this.deadline = this.#later(this.#owner.bodyTimeoutMs)
    if (!this.#started) this.#start(exchange, this.#answer)
    if (this.#giveViews(exchange) || this.#exchange !== exchange) return true
    exchange.onDrain = this.#onDrain
    this.#ahead += length
    if (mayRunAhead(this.#ahead)) return true
    // The visitor is slower than the backend, who is not to blame for it.
    this.deadline = NEVER
    return false
  }

  interim(answer: ReceivedHead): void {
    this.#exchange?.inform(answer.head.status, answer.head.fields)
  }

  head(answer: ReceivedHead): void {
    this.#answer = answer
  }

  body(view: Uint8Array): void {
    if (this.#view === null) this.#view = view
    else this.#moreViews.push(view)
  }

  #start(exchange: Exchange, answer: ReceivedHead): void {
    this.#started = true
    exchange.start(answer.head, answer.contentLength)
  }

  /** Writes what this read brought of the body; false when the visitor is slower. */
  #giveViews(exchange: Exchange): boolean {
    const view = this.#view
    if (view === null) return true
    if (this.#moreViews.length > 0) return exchange.write(this.#takeViews(), true)
    this.#view = null
    return exchange.write(view, false)
  }

  /** The views of this read as bytes of our own. */
  #takeViews(): Uint8Array {
    const bytes = Buffer.concat([this.#view ?? EMPTY, ...this.#moreViews])
    this.#view = null
    this.#moreViews = []
    return bytes
  }

  /** The answer is complete; the read may hold more bytes behind it. */
  #complete(exchange: Exchange, bytes: Buffer, consumed: number, length: number): boolean {
    const answer = this.#answer!
    if (answer.head.status === 101) {
      return this.#switchProtocol(exchange, answer, bytes, consumed, length)
    }
    const { reader } = this.#dialect
    const started = this.#started
    // Several views become bytes of our own; a single one stays a view of the shared buffer.
    const owned = this.#moreViews.length > 0
    const body = owned ? this.#takeViews() : (this.#view ?? EMPTY)
    this.#view = null
    const trailers = forwardedTrailers(reader.trailers, MOST_TRAILERS)
    const sent = this.#upload === null || this.#upload.sent
    const attempt = this.#detach()
    // Free before the visitor hears of it, since its next request may come out of the calls below.
    // Bytes that nobody asked for, or half a request, are no place for another exchange.
    if (consumed === length && sent && reader.persistent && !this.#ended) this.#rest()
    else this.destroy()
    attempt.done()
    if (!started) answerAtOnce(exchange, answer, body, owned, trailers)
    else {
      exchange.write(body, owned)
      exchange.end(trailers)
    }
    return true
  }

  #rest(): void {
    this.#phase = Phase.IDLE
    this.deadline = this.#later(this.#owner.keepAliveMs)
    if (!this.#owner.keep(this)) this.destroy()
  }

  // Other protocols.

  #switchProtocol(
    exchange: Exchange,
    answer: ReceivedHead,
    bytes: Buffer,
    consumed: number,
    length: number,
  ): boolean {
    if (!mayUpgradeTo(exchange, answer.protocol)) {
      this.#fail(
        new PorticoError('BACKEND_LIED', `${this.#owner.name}: a protocol that was not asked for`),
      )
      return false
    }
    const attempt = this.#detach()
    this.#phase = Phase.TUNNEL
    this.#touchTunnel()
    this.#tunnel = new Tunnel(
      exchange.upgrade(answer.head),
      this.#stream!,
      () => this.#touchTunnel(),
      () => {
        this.#phase = Phase.CLOSED
        this.#owner.closed(this)
        attempt.done()
      },
    )
    return consumed === length || this.#readTunnel(bytes, consumed, length)
  }

  #touchTunnel(): void {
    this.deadline = this.#later(this.#owner.tunnelIdleMs)
  }

  #readTunnel(bytes: Buffer, from: number, to: number): boolean {
    return this.#tunnel === null || this.#tunnel.fromBackend(bytes.subarray(from, to))
  }

  // Ends.

  /** The exchange is no longer ours: nothing of it is called from here on. */
  #detach(): Attempt {
    const attempt = this.#attempt!
    const exchange = this.#exchange
    if (exchange !== null) {
      exchange.onGone = null
      exchange.onDrain = null
    }
    this.#upload?.cancel()
    this.#upload = null
    this.#exchange = null
    this.#attempt = null
    this.#answer = null
    return attempt
  }

  #fail(error: PorticoError): void {
    const exchange = this.#exchange
    if (exchange === null) return this.destroy()
    const attempt = this.#detach()
    this.destroy()
    attempt.done(error)
    exchange.fail(error)
  }

  /**
   * What the backend has declined unread may go to another one, unless its body is on its way already,
   * or an answer: whatever it says then, nobody else can answer the rest.
   */
  #refuseOrFail(error: PorticoError): void {
    const unread = this.#upload === null && this.#answer === null
    if (error.code === 'NO_BACKEND' && unread) this.#notConnected(error)
    else this.#fail(error)
  }

  /** The visitor has left: the backend is told, where its protocol has a word for that. */
  #takeLeave(): void {
    const { farewell } = this.#dialect
    const stream = this.#stream!
    if (farewell === null || stream.destroyed || stream.writableLength > 0) return this.destroy()
    this.#phase = Phase.CLOSED
    this.deadline = this.#later(FAREWELL_MS)
    stream.write(farewell)
    stream.destroySoon()
  }

  #notConnected(error: PorticoError): void {
    if (this.#exchange === null) return this.destroy()
    const attempt = this.#detach()
    this.destroy()
    attempt.refused(error)
  }

  ended(): void {
    this.#ended = true
    if (this.#phase === Phase.TUNNEL) this.#tunnel?.backendEnded()
    else if (this.#phase === Phase.BUSY) this.#lost()
    else this.destroy()
  }

  closed(): void {
    if (this.#phase === Phase.TUNNEL) {
      this.#tunnel?.backendClosed(this.#trouble !== '' || !this.#ended)
      return
    }
    if (this.#phase === Phase.BUSY) this.#lost()
    else this.destroy()
    this.#owner.closed(this)
  }

  /** The backend closed while it had an exchange. */
  #lost(): void {
    const exchange = this.#exchange
    if (exchange === null) return this.destroy()
    // Without an error, the end of the connection may be the end of the answer (RFC 9112 §6.3 item 8).
    if (
      this.#ended &&
      this.#trouble === '' &&
      this.#answer !== null &&
      this.#dialect.reader.finish()
    ) {
      this.#complete(exchange, EMPTY, 0, 0)
      return
    }
    const unread = this.#wasUnread(exchange)
    if (unread && !this.#used) return this.#notConnected(this.#whyLost())
    // RFC 9112 §9.3.1: a kept-alive connection that closes unheard was closed before it got the
    // request, most likely; what may be repeated is sent again.
    const again = this.#used && !this.#heard && this.#upload === null
    if (!unread && !(again && IDEMPOTENT.has(exchange.line.method))) {
      return this.#fail(this.#whyLost())
    }
    const attempt = this.#detach()
    this.destroy()
    this.#owner.sendFresh(exchange, attempt)
  }

  /**
   * Nothing of it was done. A unix socket says so: EPIPE where the backend had closed it before,
   * ECONNRESET where something lay unread.
   */
  #wasUnread({ rereadable }: Exchange): boolean {
    const upload = this.#upload
    const code = this.#trouble
    if (this.#heard || !this.#owner.readsWhole || (code !== 'EPIPE' && code !== 'ECONNRESET')) {
      return false
    }
    return upload === null || (rereadable === true && upload.sent && upload.bytes <= ONE_PIECE)
  }

  /** `error.code` of what broke the connection, '' for none. */
  get #trouble(): string {
    return this.#stream?.trouble ?? ''
  }

  #whyLost(): PorticoError {
    const { name, opener } = this.#owner
    const code = this.#trouble
    // A server that wants a certificate says so only when TLS 1.3's handshake is over for us.
    if (code.startsWith('ERR_SSL')) return opener.explain({ code, message: '' })
    return new PorticoError('BACKEND_CLOSED', `${name} ${code}`.trim())
  }

  #later(ms: number): number {
    return clock.now + ms + TICK_MS
  }
}

function asPorticoError(error: unknown): PorticoError {
  return error instanceof PorticoError
    ? error
    : new PorticoError('INTERNAL', error instanceof Error ? error.message : String(error), {
        cause: error,
      })
}
