/** Has a program that calls `listen` listen on a socket of ours instead (as Passenger does). */
import { Server as HttpServer } from 'node:http'
import { type AddressInfo, Server } from 'node:net'

/** The program's own server, once it has begun to listen. */
export interface Listening {
  /** Null: it has not called `listen`. */
  server: HttpServer | null
  /** Called when it listens. */
  heard: (() => void) | null
  /** From now on everything listens as it asks; what did not keeps no process alive. */
  restore(): void
}

/**
 * The first HTTP server that listens gets `path`. Others on the same port, such as one for each address
 * of `localhost`, get a socket beside it that nobody uses; on other ports they listen as they ask.
 */
export function divertListen(path: string): Listening {
  const listen = Server.prototype.listen
  const listening: Listening = {
    server: null,
    heard: null,
    restore() {
      Server.prototype.listen = listen
      this.server?.unref()
    },
  }
  let wanted = 0
  let others = 0

  function diverted(this: Server, ...args: unknown[]): Server {
    const port = portOf(args)
    const first = listening.server === null
    if (!(this instanceof HttpServer) || (!first && (port !== wanted || port === 0))) {
      return Reflect.apply(listen, this, args)
    }
    const done = args.at(-1)
    if (typeof done === 'function') this.once('listening', done as () => void)
    if (!first) return listen.call(this, { path: besides(path, ++others) })
    wanted = port
    listening.server = this
    this.once('listening', () => listening.heard?.())
    pretend(this, args, port)
    adapt(this)
    // The folder is the gate: only the server and this application get into it.
    return listen.call(this, { path, writableAll: true, ...abortSignal(args[0]) })
  }

  Object.defineProperty(Server.prototype, 'listen', {
    configurable: true,
    writable: true,
    value: diverted,
  })
  return listening
}

/** Visitors' limits are enforced in front: between the two of us connections stay. */
export function adapt(server: HttpServer): void {
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
}

/** Of the same length, since paths of sockets must not be long. */
function besides(path: string, count: number): string {
  const at = path.lastIndexOf('/') + 1
  return path.slice(0, at) + String.fromCharCode(0x61 + (count % 13)) + path.slice(at + 1)
}

/** Programs tell where they listen: where they asked to. */
function pretend(server: Server, args: readonly unknown[], port: number): void {
  const asked = typeof args[0] === 'object' ? Reflect.get(args[0] ?? {}, 'host') : args[1]
  const address = typeof asked === 'string' ? asked : '127.0.0.1'
  const info: AddressInfo = { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port }
  server.address = () => (server.listening ? info : null)
}

function portOf([first]: readonly unknown[]): number {
  const port = typeof first === 'object' && first !== null ? Reflect.get(first, 'port') : first
  return Number(port) || 0
}

function abortSignal(options: unknown): { signal?: AbortSignal } {
  const signal = typeof options === 'object' && options !== null && Reflect.get(options, 'signal')
  return signal instanceof AbortSignal ? { signal } : {}
}
