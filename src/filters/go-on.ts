/** Hands an exchange on outside of the call that brought it: nobody else would catch what is thrown. */
import { PorticoError } from '../errors.ts'
import type { Exchange, Handler } from '../request/exchange.ts'

export function goOn(next: Handler, exchange: Exchange): void {
  try {
    next.handle(exchange)
  } catch (cause) {
    const known = cause instanceof PorticoError
    exchange.fail(known ? cause : new PorticoError('INTERNAL', '', { cause }))
  }
}
