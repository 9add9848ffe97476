/** A request's body, as a fetch handler wants it: whole, or as a stream. */
import { PorticoError } from '../errors.ts'
import type { BodySink } from '../request/exchange.ts'
import type { FetchExchange } from './exchange.ts'

/** Why bodies broke off. */
const reasons = new WeakSet<PorticoError>()

/** With this error a visitor's body broke off. */
export function isBrokenBody(error: unknown): error is PorticoError {
  return error instanceof PorticoError && reasons.has(error)
}

/** The whole body, in memory of its own; how much that may be is the route's limit. */
export function gatherBytes(exchange: FetchExchange): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    exchange.receive({
      data(chunk) {
        parts.push(new Uint8Array(chunk))
        return true
      },
      end() {
        resolve(join(parts))
      },
      abort(error) {
        reasons.add(error)
        reject(error)
      },
    })
  })
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.length
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Bytes that a stream holds before its reader asks for more. */
const AHEAD = 65_536

/** The body as a stream: the visitor is asked for no more than AHEAD beyond what is read. */
export function streamOf(exchange: FetchExchange): ReadableStream<Uint8Array> {
  let controller: ReadableByteStreamController
  let received = false
  let over = false
  const sink: BodySink = {
    data(chunk) {
      if (over) return true
      controller.enqueue(new Uint8Array(chunk))
      return (controller.desiredSize ?? 0) > 0
    },
    end() {
      if (over) return
      over = true
      controller.close()
      // A read that waits is told with this (Streams §4.10.5).
      controller.byobRequest?.respond(0)
    },
    abort(error: PorticoError) {
      if (over) return
      over = true
      reasons.add(error)
      controller.error(error)
    },
  }
  return new ReadableStream<Uint8Array>(
    {
      type: 'bytes',
      start(own) {
        controller = own as ReadableByteStreamController
      },
      pull() {
        if (received) return exchange.resume()
        received = true
        exchange.receive(sink)
      },
      // The gateway drops what still comes.
      cancel() {
        over = true
        if (received) exchange.resume()
      },
    },
    { highWaterMark: AHEAD },
  )
}
