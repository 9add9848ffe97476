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
    let bytes = new Uint8Array(0)
    let length = 0
    exchange.receive({
      data(chunk) {
        const end = length + chunk.length
        if (end > bytes.length) {
          // In one piece: a visitor may send a body byte by byte.
          const larger = new Uint8Array(Math.max(end, length * 2))
          larger.set(bytes)
          bytes = larger
        }
        bytes.set(chunk, length)
        length = end
        return true
      },
      end() {
        resolve(length === bytes.length ? bytes : bytes.slice(0, length))
      },
      abort(error) {
        reasons.add(error)
        reject(error)
      },
    })
  })
}

/** Bytes that a stream holds before its reader asks for more. */
const AHEAD = 65_536
/** And pieces, each of which takes some hundred more. What comes behind them waits in one piece. */
const MOST_PIECES = 256

/** The body as a stream: the visitor is asked for no more than AHEAD beyond what is read. */
export function streamOf(exchange: FetchExchange): ReadableStream<Uint8Array> {
  let controller: ReadableByteStreamController
  let received = false
  let over = false
  let pieces = 0
  const sink: BodySink = {
    data(chunk) {
      if (over) return true
      controller.enqueue(new Uint8Array(chunk))
      const room = controller.desiredSize ?? 0
      pieces = room === AHEAD ? 0 : pieces + 1
      return room > 0 && pieces < MOST_PIECES
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
        if (!received) {
          received = true
          return exchange.receive(sink)
        }
        if (controller.desiredSize === AHEAD) pieces = 0
        if (pieces < MOST_PIECES) exchange.resume()
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
