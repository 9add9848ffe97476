/** Backends and visitors for tests: raw enough to lie, to be slow, to leave. */
import { once } from 'node:events'
import {
  type ClientRequest,
  createServer as createHttp,
  type Server as HttpServer,
  type IncomingMessage,
  type RequestListener,
  request,
} from 'node:http'
import { connect, createServer, type Socket } from 'node:net'

export interface Backend {
  readonly port: number
  /** Connections it has accepted. */
  readonly accepted: number
  /** Those that are open. */
  readonly sockets: ReadonlySet<Socket>
  close(): void
}

/** A backend that gets each connection raw. `ends`: it closes its side when the other does. */
export async function rawBackend(
  serve: (socket: Socket, nth: number) => void,
  ends = true,
): Promise<Backend> {
  let accepted = 0
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    if (ends) socket.on('end', () => socket.end())
    serve(socket, accepted++)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server.address())
  return {
    port,
    get accepted() {
      return accepted
    },
    sockets,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A raw backend that calls `answer` with each request's head; requests without a body only. */
export function scriptedBackend(
  answer: (socket: Socket, head: string, nth: number) => void,
): Promise<Backend> {
  let requests = 0
  return rawBackend((socket) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end + 2)
        text = text.slice(end + 4)
        answer(socket, head, requests++)
      }
    })
  })
}

export interface HttpBackend {
  readonly port: number
  readonly server: HttpServer
  close(): void
}

export async function httpBackend(listener: RequestListener): Promise<HttpBackend> {
  const server = createHttp(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: portOf(server.address()),
    server,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function portOf(address: ReturnType<HttpServer['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('not a TCP port')
  return address.port
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const backend = await rawBackend(() => {})
  backend.close()
  return backend.port
}

export interface Got {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly trailers: IncomingMessage['trailers']
  readonly body: string
  /** The answer ended before it was complete. */
  readonly cut: boolean
}

/** Sends one request by node:http and reads the whole answer. */
export function get(
  port: number,
  path: string,
  options: {
    readonly method?: string
    readonly headers?: Record<string, string | string[]>
    readonly body?: string | Buffer
    readonly prepare?: (request: ClientRequest) => void
  } = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options
    const req = request({ host: '127.0.0.1', port, path, method, headers, agent: false })
    req.on('error', reject)
    req.on('response', (res) => {
      const parts: Buffer[] = []
      res.on('data', (part: Buffer) => parts.push(part))
      res.on('error', () => {})
      res.on('close', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          rawHeaders: res.rawHeaders,
          trailers: res.trailers,
          body: Buffer.concat(parts).toString('latin1'),
          cut: !res.complete,
        }),
      )
    })
    options.prepare?.(req)
    req.end(body)
  })
}

/** Sends `bytes` as they are and returns all that comes until the other side closes. */
export async function raw(
  port: number,
  bytes: string,
  more?: (socket: Socket) => void,
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  socket.on('error', () => {})
  socket.write(bytes, 'latin1')
  more?.(socket)
  await once(socket, 'close')
  return Buffer.concat(parts).toString('latin1')
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Waits until `test` holds; fails after `ms`. */
export async function until(test: () => boolean, ms = 3_000): Promise<void> {
  const end = performance.now() + ms
  while (!test()) {
    if (performance.now() > end) throw new Error('waited in vain')
    await sleep(5)
  }
}
