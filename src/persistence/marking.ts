/** A transport whose requests and answers are marked with whose the visitor is. */
import type { Transport } from '../transports/transport.ts'
import type { Persistence } from './persistence.ts'

/** `server`: by its index in the pool's plan. */
export function marking(transport: Transport, { through }: Persistence, server: number): Transport {
  if (through === null) return transport
  return {
    name: transport.name,
    send: (exchange, attempt) => transport.send(through(exchange, server), attempt),
    close: () => transport.close(),
  }
}
