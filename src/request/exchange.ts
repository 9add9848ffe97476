/**
 * One request and its answer, whatever protocol carries them: the seam between gateways (visitors),
 * handlers and transports. Everything here runs on the plain path of every request, so it is callbacks
 * and bytes: no promise, no stream object, no header map.
 */
import type { Duplex } from 'node:stream'
import type { PorticoError } from '../errors.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { RequestLine } from '../wire/request-line.ts'
import type { TlsFacts } from './tls-facts.ts'
import type { Trace } from './trace.ts'

/** Facts of the connection a request came on. */
export interface Peer {
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
  readonly scheme: 'http' | 'https'
  /** Who told us all this: the address of a trusted proxy. Absent where the visitor itself is connected. */
  readonly proxy?: string
  /** Of a connection whose TLS ends here; absent: it has none. */
  readonly tls?: TlsFacts | undefined
  /**
   * A place for what a transport makes of this peer's requests (the worker link keeps the last one's encoded
   * form here). Never read by anyone else. Absent: not a peer for long.
   */
  encoded?: object | null
}

/** Receives a request's body. Callbacks may run inside `receive`. */
export interface BodySink {
  /** The chunk is valid only during the call: copy what you keep. False: no more until `resume()`. */
  data(chunk: Uint8Array): boolean
  /** The body is complete. `trailers`: a raw field block, '' for none. */
  end(trailers: string): void
  /** The body will never be complete: too large, malformed, or the visitor left. */
  abort(error: PorticoError): void
}

/** Bodies up to this size are copied or written before `respond` returns; longer ones may be kept. */
export const COPIED = 16_384

/** The application or upstream set this field itself: the gateway adds none. */
export const HAS_DATE = 1
export const HAS_SERVER = 2

/** A backend's wish that a file be the body: X-Accel-Redirect (a path in a URL) or X-Sendfile (of a file). */
export interface FileOrder {
  readonly by: 'X-Accel-Redirect' | 'X-Sendfile'
  /** As it came, latin-1. */
  readonly path: string
}

/**
 * The head of an answer. Immutable, so that a handler may make it once and use it for every request
 * (gateways remember what they encoded it to).
 */
export interface AnswerHead {
  readonly status: number
  /** '' for the standard phrase. */
  readonly reason: string
  /**
   * Latin-1 block of `Name: value\r\n` lines, '' for none, valid as it is. Never holds Content-Length,
   * Transfer-Encoding, Connection or other hop-by-hop fields: framing is the gateway's.
   */
  readonly fields: string
  /** Bit set of HAS_DATE and HAS_SERVER. */
  readonly has: number
  /**
   * Whoever made this head gives it with one and the same body object, whose bytes never change: a
   * gateway may keep the whole answer as it encoded it (up to COPIED bytes).
   */
  readonly fixed?: true
  /** Taken out of the fields. Only routes that name folders to send from follow it. */
  readonly file?: FileOrder
  /**
   * All that was taken out as no visitor's business, a block as `fields`: X-Accel-Redirect and the like.
   * A web server before us, which passes our answers on, is told.
   */
  readonly orders?: string
}

/** The answer to a failure. */
export interface ErrorPage {
  readonly head: AnswerHead
  readonly body: Uint8Array
}

/** Changes an answer's head on its way to the visitor. The same head for the same one, where it can. */
export type EditHead = (head: AnswerHead) => AnswerHead

export interface Exchange {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly peer: Peer
  /** The name of the request; null or absent: requests have none. */
  readonly trace?: Trace | null
  /** `performance.now()` when the head was complete. */
  readonly began: number
  /** The literal part of the route that matched: `/blog/` for a prefix; '' for a regular expression. */
  readonly prefix: string
  /** What a regular-expression route captured, else null. */
  readonly captures: readonly string[] | null
  /** Largest body allowed, bytes; enforced by the gateway. */
  readonly maxBody: number

  /** The head of the final answer has been given to the gateway. */
  readonly answered: boolean
  /** The visitor has left or the exchange was destroyed: nothing more will be sent or received. */
  readonly gone: boolean
  /** Called once when `gone` turns true before the answer was complete. */
  onGone: (() => void) | null
  /** Called when the answer may continue after `write` returned false. */
  onDrain: (() => void) | null
  /** Called once when the exchange is over, however it ends: also for tunnels and for who has left. */
  onFinished?: (() => void) | null
  /** Every final answer's head goes through it, error pages included; a 101 does not. */
  edit?: EditHead | null
  /** Pages of the site's own in place of the usual error pages; null: there is none for this one. */
  pages?: ((error: PorticoError) => ErrorPage | null) | null

  /**
   * Starts the request's body. Without a body `sink.end('')` is called at once. Sends `100 Continue`
   * first where the visitor waits for it (RFC 9110 §10.1.1). At most once, unless `rereadable`. A body
   * nobody receives is discarded by the gateway.
   */
  receive(sink: BodySink): void
  /** All of the body is here: `receive` gives it from its beginning each time. */
  readonly rereadable?: boolean
  /** Continue after `data` returned false. */
  resume(): void

  /** An interim answer: 103 Early Hints and the like; `fields` as in AnswerHead. */
  inform(status: number, fields: string): void
  /**
   * The whole answer in one call. The gateway adds Content-Length (from `length` where it is given: a
   * HEAD request's answer without its body), Date, Server and Connection, and leaves the body out where
   * HTTP has none (HEAD, 204, 304). A body longer than COPIED must never change afterwards.
   */
  respond(head: AnswerHead, body: Uint8Array, length?: number): void
  /** Starts an answer in parts. `length` in bytes, or -1: unknown (chunked on HTTP/1.1, else until close). */
  start(head: AnswerHead, length: number): void
  /**
   * The next part. Returns false when the visitor is slower than we are: wait for `onDrain` before the
   * next one (nothing is refused meanwhile). `owned`: the caller will never change these bytes, so they
   * need no copy. Does nothing once `gone`. After `write` returned true, and when `onDrain` is called,
   * the gateway holds nothing any more: the memory of every chunk may be used again.
   */
  write(chunk: Uint8Array, owned: boolean): boolean
  /**
   * Where the kernel can send a file by itself: gives it up to `length` bytes of the open file `fd` from
   * `offset` as the next part, then calls `done` once with how many it took. 0: the visitor is slower
   * than we are, or the file ends here: go on with `write`. -1: never possible for this answer. Until
   * `done`, even when `gone`, nothing else may be written and `fd` must stay open.
   */
  sendFile?(fd: number, offset: number, length: number, done: (count: number) => void): void
  /**
   * The answer is complete. `trailers`: raw field block, sent where framing allows. Fewer bytes than
   * announced: the connection closes, so that the visitor sees it was cut short.
   */
  end(trailers?: string): void
  /**
   * Ends in an error: its page when nothing was answered yet, else the connection is cut so that the
   * visitor cannot take a part for the whole.
   */
  fail(error: PorticoError): void
  /** The gateway can hand over the connection; absent: it cannot. */
  readonly canUpgrade?: boolean
  /**
   * Answers 101 (or the status of `head`) and hands over the raw connection: what was read ahead comes
   * first. `fields` of this head must hold Connection and Upgrade. Only after `line.minor` 1 and with
   * an empty request body.
   */
  upgrade(head: AnswerHead): Duplex
}

/** Answers a request. One factory per kind in `handlers/`; made once at load from its plan. */
export interface Handler {
  readonly name: string
  /** Answers now or later; never throws for what a visitor sent. */
  handle(exchange: Exchange): void
  /** Gives back what the handler holds (pools, watchers) after the last request of a generation. */
  close?(): void
}
