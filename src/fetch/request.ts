/**
 * Hot: the Request that applications get. Node's own costs 2 µs and more; this one looks at the exchange
 * when it is asked, and becomes Node's own for whatever it cannot answer so.
 */

import type { FieldList } from '../wire/fields.ts'
import { gatherBytes, streamOf } from './body.ts'
import { delegateRest, knowsAll } from './delegate.ts'
import type { FetchExchange } from './exchange.ts'
import { incomingHeaders } from './headers.ts'
import { urlOf } from './url.ts'

/** Node's own. */
export const PlainRequest: typeof Request = globalThis.Request

/** The Request of an exchange. */
export let makeRequest: (exchange: FetchExchange) => Request
/** Where a Request came from; null for one that the application made. */
export let exchangeOf: (request: unknown) => FetchExchange | null
/** The visitor has left: `signal` tells. */
export let abortRequest: (request: Request) => void
/** Node's own for a light one, anything else as it is: for functions that accept only Node's own. */
export let asPlain: (input: unknown) => unknown

/** As the second argument of the constructor: the first is an exchange. */
const INCOMING = Symbol('incoming')
type Input = ConstructorParameters<typeof Request>[0]

const decoder = new TextDecoder()

/** The fields, with the name of the request where it has one. */
function namedFields({ fields, trace }: FetchExchange): FieldList {
  if (trace === null || trace === undefined) return fields
  return {
    names: [...fields.names, 'traceparent', 'x-request-id'],
    values: [...fields.values, trace.traceparent, trace.id],
  }
}

export class LightRequest {
  #exchange: FetchExchange | null = null
  #url = ''
  #headers: Headers | null = null
  #abort: AbortController | null = null
  #left = false
  /** The body was asked for without a stream. */
  #used = false
  /** Node's own, once it was needed: the truth about the body, and all of one that the application made. */
  #plain: Request | null = null

  static {
    makeRequest = (exchange) =>
      new LightRequest(
        exchange as unknown as string,
        INCOMING as unknown as RequestInit,
      ) as unknown as Request
    exchangeOf = (request) =>
      typeof request === 'object' && request !== null && #exchange in request
        ? request.#exchange
        : null
    abortRequest = (request) => {
      if (!(#exchange in request)) return
      request.#left = true
      request.#abort?.abort(leftError())
    }
    asPlain = (input) =>
      typeof input === 'object' && input !== null && #exchange in input ? input.#outgoing() : input
  }

  constructor(input: Input, init?: RequestInit) {
    if ((init as unknown) === INCOMING) this.#exchange = input as unknown as FetchExchange
    else this.#plain = new PlainRequest(asPlain(input) as Input, init)
  }

  get method(): string {
    return this.#exchange === null ? this.#real().method : this.#exchange.line.method
  }

  get url(): string {
    if (this.#exchange === null) return this.#real().url
    if (this.#url === '') this.#url = urlOf(this.#exchange)
    return this.#url
  }

  get headers(): Headers {
    if (this.#exchange === null) return this.#real().headers
    this.#headers ??= incomingHeaders(namedFields(this.#exchange))
    return this.#headers
  }

  get signal(): AbortSignal {
    // A clone follows the one it was made from.
    if (this.#plain !== null && this.#abort === null) return this.#plain.signal
    if (this.#abort === null) {
      this.#abort = new AbortController()
      if (this.#left) this.#abort.abort(leftError())
    }
    return this.#abort.signal
  }

  get body(): Request['body'] {
    return this.#plain === null && !this.#hasBody ? null : this.#real().body
  }

  get bodyUsed(): boolean {
    return this.#plain === null ? this.#used : this.#plain.bodyUsed
  }

  async text(): Promise<string> {
    if (!this.#isDirect) return this.#real().text()
    return decoder.decode(await this.#bytes())
  }

  async json(): Promise<unknown> {
    if (!this.#isDirect) return this.#real().json()
    return JSON.parse(decoder.decode(await this.#bytes()))
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (!this.#isDirect) return this.#real().arrayBuffer()
    return (await this.#bytes()).buffer
  }

  async bytes(): Promise<Uint8Array> {
    if (!this.#isDirect) return this.#real().bytes()
    return this.#bytes()
  }

  clone(): Request {
    const plain = this.#real().clone()
    const exchange = this.#exchange
    if (exchange === null) return plain
    const copy = new LightRequest(exchange as unknown as string, INCOMING as unknown as RequestInit)
    copy.#plain = plain
    copy.#headers = new Headers(this.headers)
    return copy as unknown as Request
  }

  static {
    Object.defineProperty(LightRequest, 'name', { value: 'Request' })
    knowsAll(LightRequest, PlainRequest)
    delegateRest(LightRequest.prototype, PlainRequest.prototype, (light) => light.#real())
  }

  get #hasBody(): boolean {
    const { line, fields } = this.#exchange!
    // As the standard has it; what comes nevertheless is dropped.
    if (line.method === 'GET' || line.method === 'HEAD') return false
    return fields.chunked || fields.contentLength > 0
  }

  /** The body can be given without Node's own Request. */
  get #isDirect(): boolean {
    return this.#plain === null && !this.#used
  }

  async #bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#hasBody) return new Uint8Array(0)
    this.#used = true
    return gatherBytes(this.#exchange!)
  }

  #real(): Request {
    if (this.#plain !== null) return this.#plain
    const { method, url, headers, signal } = this
    const body = this.#used
      ? new ReadableStream()
      : this.#hasBody
        ? streamOf(this.#exchange!)
        : null
    const plain = new PlainRequest(url, { method, headers, signal, body, duplex: 'half' })
    this.#plain = plain
    // Used up, as it is here.
    if (this.#used) void plain.body?.cancel()
    return plain
  }

  /** Node's own with the fields as they are now. */
  #outgoing(): Request {
    const plain = this.#real()
    if (this.#headers === null) return plain
    for (const name of [...plain.headers.keys()]) plain.headers.delete(name)
    for (const [name, value] of this.#headers) plain.headers.append(name, value)
    return plain
  }
}

function leftError(): DOMException {
  return new DOMException('the visitor has left', 'AbortError')
}
