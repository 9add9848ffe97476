/** Lets in who has shown a good certificate. Listeners ask for it: see `tls.client-certificates`. */
import { PorticoError } from '../errors.ts'
import type { Handler } from '../request/exchange.ts'

export function certificate(next: Handler): Handler {
  return {
    name: next.name,
    handle(exchange) {
      if (exchange.peer.tls?.verified === 'SUCCESS') return next.handle(exchange)
      exchange.fail(NEEDED)
    },
    close: () => next.close?.(),
  }
}

/** Made once: a stack for everybody who is refused is dear. */
const NEEDED = new PorticoError('FORBIDDEN', 'a client certificate is needed here')
