/** Hot: connections on which a request is one packet of variables and then its body: uwsgi and SCGI. */
import { PorticoError } from '../../errors.ts'
import type { CgiRequestReader } from '../../wire/cgi-request.ts'
import { FrontConnection } from './connection.ts'
import type { FrontExchange } from './exchange.ts'

/** Of an unread request body: how much we read and drop to keep the connection. */
const WORTH_DISCARDING = 262_144

/** Takes one packet after the other out of whatever pieces they come in. */
export interface PacketDecoder {
  readonly done: boolean
  readonly untouched: boolean
  /** Null in a complete packet: too large. */
  readonly block: Buffer | null
  readonly size: number
  decode(bytes: Buffer, from: number, to: number): number
  reset(): void
}

export abstract class PacketConnection extends FrontConnection {
  protected abstract readonly decoder: PacketDecoder
  protected abstract readonly requests: CgiRequestReader

  /** A complete packet that may be something else than a request: false when that has been dealt with. */
  protected abstract isRequest(): boolean

  protected get heading(): boolean {
    return !this.decoder.untouched
  }

  protected take(bytes: Buffer, from: number, to: number): number {
    let at = from
    if (this.exchange === null && at < to) {
      at = this.decoder.decode(bytes, at, to)
      if (!this.decoder.done) return at
      this.#packet()
    }
    while (at < to && this.exchange?.receiving === true) at = this.exchange.feed(bytes, at, to)
    // Bytes behind a request whose connection is not kept are nobody's.
    return this.exchange?.bodyDone === true && !this.keep ? to : at
  }

  #packet(): void {
    const { decoder } = this
    const { block } = decoder
    try {
      if (!this.isRequest()) return
      if (block === null) {
        const { head } = this.gateway.limits
        return this.refuse(
          new PorticoError('TOO_LARGE_HEAD', `${decoder.size} bytes of variables, over ${head}`),
        )
      }
      const request = this.requests.read(block.toString('latin1'), this.gateway.limits)
      if (request.unmeasured) throw new PorticoError('LENGTH_REQUIRED')
      this.begin(request)
    } finally {
      decoder.reset()
    }
  }

  protected settle(exchange: FrontExchange): boolean {
    const { bodyLeft } = exchange
    if (bodyLeft > WORTH_DISCARDING || (bodyLeft > 0 && exchange.bodyDone)) this.keep = false
    else if (bodyLeft > 0 && this.keep) exchange.discardBody()
    return bodyLeft === 0
  }

  emit(head: string, part: Uint8Array, owned: boolean): boolean {
    return this.sendBoth(head, part, owned)
  }
}
