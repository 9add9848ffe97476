/** A worker that answers over HTTP on a socket of its own: the links only tell that it lives. */
import type { Server } from 'node:http'
import type { LinkUser } from './server-link.ts'

export class HttpWorker implements LinkUser {
  readonly #server: Server
  readonly #quitting: () => void

  constructor(server: Server, quitting: () => void) {
    this.#server = server
    this.#quitting = quitting
  }

  /** Nothing but QUIT and PING comes, which the link deals with. */
  frame(): void {
    throw new Error('a request on the link of a worker that speaks HTTP')
  }

  lost(): void {}

  quit(): void {
    this.#quitting()
  }

  /** Resolves when every request is answered and every connection has ended. */
  finished(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeIdleConnections()
    })
  }
}
