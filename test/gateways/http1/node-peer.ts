/** node:http as the second opinion: what it makes of the same bytes, on a real socket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** A request that was complete, as its reader saw it. */
export interface Read {
  readonly method: string
  readonly target: string
  /** `1.1` */
  readonly version: string
  /** `name: value`, in order; names in lower case. */
  readonly fields: readonly string[]
  /** Latin-1. */
  readonly body: string
}

export interface Opinion {
  readonly served: readonly Read[]
  /** What followed was refused. */
  readonly refused: boolean
  /** A request whose head was read and whose body was not complete, at the end. */
  readonly begun?: Read | undefined
}

interface Seen {
  readonly request: IncomingMessage
  readonly body: Buffer[]
}

export class NodePeer {
  readonly #server: Server
  /** By the visitor's port. */
  readonly #seen = new Map<number, Seen[]>()

  constructor() {
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      this.#watch(request)
      request.resume()
      request.on('end', () => response.end('seen\n'))
    }
    this.#server = createServer(
      {
        // What its parser says is of interest, not what its server adds.
        requireHostHeader: false,
        // Without listeners for upgrades it would close the connection of a request for one.
        shouldUpgradeCallback: () => false,
      },
      take,
    )
    this.#server.on('checkExpectation', take)
    this.#server.on('checkContinue', (request, response) => {
      response.writeContinue()
      take(request, response)
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  /**
   * What its parser hands over, as it does: when something later in the same read is refused, the
   * request's own events never come.
   */
  #watch(request: IncomingMessage): void {
    const body: Buffer[] = []
    this.#seen.get(request.socket.remotePort!)?.push({ request, body })
    const push = request.push.bind(request)
    request.push = (chunk: Buffer | null) => {
      if (chunk !== null) body.push(chunk)
      return push(chunk)
    }
  }

  /** Sends `bytes`, then closes this half, and waits for the end. */
  async judge(bytes: Buffer): Promise<Opinion> {
    const { port } = this.#server.address() as AddressInfo
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const seen: Seen[] = []
    const parts: Buffer[] = []
    let own = 0
    await new Promise<void>((resolve) => {
      socket.on('connect', () => {
        own = socket.localPort!
        this.#seen.set(own, seen)
        socket.end(bytes)
      })
      socket.on('data', (part: Buffer) => parts.push(part))
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
    this.#seen.delete(own)
    const text = Buffer.concat(parts).toString('latin1')
    const last = seen.at(-1)
    return {
      served: seen.filter(({ request }) => request.complete).map(asRead),
      refused: /HTTP\/1\.1 4[0-9]{2} /.test(text),
      begun: last === undefined || last.request.complete ? undefined : asRead(last),
    }
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

function asRead({ request, body }: Seen): Read {
  return {
    method: request.method!,
    target: request.url!,
    version: request.httpVersion,
    fields: fieldsOf(request.rawHeaders),
    body: Buffer.concat(body).toString('latin1'),
  }
}

function fieldsOf(raw: readonly string[]): string[] {
  const fields: string[] = []
  for (let i = 0; i < raw.length; i += 2) fields.push(`${raw[i]!.toLowerCase()}: ${raw[i + 1]}`)
  return fields
}
