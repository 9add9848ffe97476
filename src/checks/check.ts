/** Whether a server is well: one question, asked again and again. Thresholds and times are the caller's. */
import type { Address } from '../site/plan.ts'

/** Who is asked. */
export interface Peer {
  readonly address: Address
  /** Sent first on each connection, before TLS: a PROXY header for who expects one; null: nothing. */
  readonly first: Uint8Array | null
}

export interface Check {
  readonly name: string
  /**
   * Resolves when the server is well: with the weight that it says it can take now, or with undefined for
   * the one it has. Rejects with why it is not. Settles soon after `signal` is aborted, and leaves nothing
   * behind: no socket, no process. Takes a bounded amount of what the server sends.
   */
  probe(peer: Peer, signal: AbortSignal): Promise<number | undefined>
}

/** The server has answered, and not as it should. */
export class Unwell extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Unwell'
  }
}
