/** Who says whether visitors may log in: a small server as nginx's documentation describes it. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Answer = Readonly<Record<string, string>>

export class MailAuth {
  readonly #server: Server
  /** What was asked, the last at the end. */
  readonly asked: IncomingHttpHeaders[] = []
  /** Null: no answer at all. */
  answer: (headers: IncomingHttpHeaders) => Answer | null = () => ({
    'Auth-Status': 'Invalid login',
  })

  constructor() {
    this.#server = createServer((request, response) => {
      this.asked.push(request.headers)
      const answer = this.answer(request.headers)
      if (answer !== null) response.writeHead(200, answer).end()
    })
  }

  static async start(): Promise<MailAuth> {
    const auth = new MailAuth()
    auth.#server.listen(0, '127.0.0.1')
    await once(auth.#server, 'listening')
    return auth
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/auth`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
