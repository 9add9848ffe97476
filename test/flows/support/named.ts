/** Small servers behind a pool, which say their name, hold requests while told to, and count. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export class NamedServer {
  readonly name: string
  /** Requests that have come. */
  asked = 0
  /** In hand now, and at most so far. */
  active = 0
  most = 0
  /** Answers wait for `release`. */
  holds = false
  readonly #server: Server
  readonly #held: ServerResponse[] = []
  #port = 0

  constructor(name: string) {
    this.name = name
    this.#server = createServer((_request, response) => {
      this.asked++
      this.most = Math.max(this.most, ++this.active)
      response.on('close', () => this.active--)
      if (this.holds) this.#held.push(response)
      else response.end(name)
    })
  }

  /** Several, on ports of the kernel's choice. */
  static async start(...names: readonly string[]): Promise<NamedServer[]> {
    const servers = names.map((name) => new NamedServer(name))
    await Promise.all(servers.map((server) => server.start()))
    return servers
  }

  /** On the port it had before, if any. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) =>
      this.#server.listen(this.#port, '127.0.0.1', () => resolve()),
    )
    this.#port = (this.#server.address() as AddressInfo).port
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Answers what it holds. */
  release(): void {
    for (const response of this.#held.splice(0)) response.end(this.name)
  }

  /** Answers the first of what it holds; false: it holds nothing. */
  releaseOne(): boolean {
    const first = this.#held.shift()
    first?.end(this.name)
    return first !== undefined
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}
