/** Hot: answers the requests of all links with a fetch handler. */
import { Caller } from '../../../fetch/call.ts'
import type { FetchHandler } from '../../../fetch/handler.ts'
import { Background } from '../../../fetch/server.ts'
import type { WebSocketHandler } from '../../../fetch/websocket.ts'
import { FrameType, TEXT } from '../../../wire/frames.ts'
import { LinkExchange, type Over } from './link-exchange.ts'
import type { LinkUser, ServerLink } from './server-link.ts'

/** A worker that answers over the links' frames. */
export class FetchWorker implements LinkUser {
  readonly #caller: Caller
  readonly #background: Background
  /** By link: what is in hand, by the request's id. */
  readonly #hands = new Map<ServerLink, Map<number, LinkExchange>>()
  readonly #quitting: () => void
  #inHand = 0
  #idle: (() => void) | null = null

  /** `quitting` is called whenever a link has no more requests to come. */
  constructor(handler: FetchHandler, webSocket: WebSocketHandler | null, quitting: () => void) {
    this.#quitting = quitting
    this.#background = new Background(
      (text) => console.error(text),
      (exchange, fields, events) =>
        exchange instanceof LinkExchange ? exchange.accept(fields, events) : null,
    )
    this.#background.webSocket = webSocket
    this.#caller = new Caller(handler, this.#background, ({ line, trace }, stack) => {
      // No query: it may be secret.
      const path = line.origin.split('?', 1)[0]
      const name = trace === null || trace === undefined ? '' : ` (request ${trace.id})`
      console.error(`${line.method} ${path}${name}: the application failed\n${stack}`)
    })
  }

  frame(link: ServerLink, type: number, flags: number, id: number, payload: Buffer): void {
    const hand = this.#hand(link)
    if (type === FrameType.REQUEST) {
      const over: Over = () => this.#over(hand, id)
      const exchange = new LinkExchange(link, id, flags, payload, over)
      hand.set(id, exchange)
      this.#inHand++
      return this.#caller.call(exchange)
    }
    const exchange = hand.get(id)
    // It was answered meanwhile.
    if (exchange === undefined) return
    switch (type) {
      case FrameType.BODY:
        return exchange.bodyPart(payload)
      case FrameType.BODY_END:
        return exchange.bodyEnd()
      case FrameType.CANCEL:
        return exchange.cancel(false)
      case FrameType.WINDOW:
        return exchange.opened(payload.readUInt32LE(0))
      case FrameType.MESSAGE:
        return exchange.messageCame((flags & TEXT) !== 0, payload)
      case FrameType.CLOSE:
        return exchange.webSocketClosed(payload.readUInt16LE(0), payload.toString('utf8', 2))
      default:
        throw new Error(`frame type ${type}`)
    }
  }

  lost(link: ServerLink): void {
    for (const exchange of [...this.#hand(link).values()]) exchange.cancel(true)
  }

  quit(): void {
    this.#quitting()
  }

  /** Resolves when nothing is in hand, and nothing that was given to `waitUntil`. */
  async finished(): Promise<void> {
    if (this.#inHand > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    await this.#background.settled()
  }

  #over(hand: Map<number, LinkExchange>, id: number): void {
    hand.delete(id)
    if (--this.#inHand === 0) this.#idle?.()
  }

  #hand(link: ServerLink): Map<number, LinkExchange> {
    let hand = this.#hands.get(link)
    if (hand === undefined) {
      hand = new Map()
      this.#hands.set(link, hand)
    }
    return hand
  }
}
