/**
 * Hot: connections that we make, as streams like those that we accept: on libuv's handle itself where
 * this Node's handles are as we know them (see light-stream.ts), else on a net.Socket.
 */
import { lookup } from 'node:dns'
import {
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  type NetConnectOpts,
  connect as netConnect,
} from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { Address } from '../site/plan.ts'
import type { ByteStream, Connection } from './byte-stream.ts'
import { LightStream } from './light-stream.ts'
import { NodeStream } from './node-stream.ts'
import { isStreamHandle, type StreamHandle } from './stream-handle.ts'

const READ_BUFFER = 65_536

/** What connections that we made are read into: each read is over before the next one. */
const shared = Buffer.allocUnsafeSlow(READ_BUFFER)

interface ConnectRequest {
  oncomplete: (status: number) => void
}

interface DialHandle extends StreamHandle {
  connect(request: ConnectRequest, host: string, port?: number): number | undefined
  connect6?(request: ConnectRequest, host: string, port: number): number
}

interface Wrap {
  readonly Handle: new (type: number) => DialHandle
  readonly Request: new () => ConnectRequest
  readonly type: number
  /** Whether its handles are as we know them; null: none was made yet. */
  usable: boolean | null
}

function findWrap(binding: string, handle: string, request: string): Wrap | null {
  try {
    const found: unknown = Reflect.get(process, 'binding').call(process, binding)
    if (typeof found !== 'object' || found === null) return null
    const Handle: unknown = Reflect.get(found, handle)
    const Request: unknown = Reflect.get(found, request)
    const constants: unknown = Reflect.get(found, 'constants')
    if (typeof Handle !== 'function' || typeof Request !== 'function') return null
    if (typeof constants !== 'object' || constants === null) return null
    const type: unknown = Reflect.get(constants, 'SOCKET')
    if (typeof type !== 'number') return null
    return {
      Handle: Handle as Wrap['Handle'],
      Request: Request as Wrap['Request'],
      type,
      usable: null,
    }
  } catch {
    return null
  }
}

const tcpWrap = findWrap('tcp_wrap', 'TCP', 'TCPConnectWrap')
const pipeWrap = findWrap('pipe_wrap', 'Pipe', 'PipeConnectWrap')

/** Nothing is read before `start`. */
export interface DialedStream extends ByteStream {
  /** Like `write`: latin-1. */
  writeText(text: string): void
  start(connection: Connection): void
}

/** Told once how it went. */
export interface Dialer {
  connected(stream: DialedStream): void
  /** `reason`: the name of an error, such as ECONNREFUSED. */
  refused(reason: string): void
}

/** A connection that is being made. */
export interface Dial {
  /** The dialer is told nothing any more. */
  cancel(): void
}

/** Connects to `address`; of a name with several addresses each is tried, in turn. */
export function dial(address: Address, dialer: Dialer): Dial {
  const attempt = new Attempt(dialer)
  if (address.kind === 'unix') attempt.toSocket(address.path)
  else if (isIP(address.host.split('%')[0] ?? '') !== 0)
    attempt.toHosts([address.host], address.port)
  else attempt.toName(address.host, address.port)
  return attempt
}

/** Null where this Node's handles are not as we know them. */
function newHandle(wrap: Wrap | null): DialHandle | null {
  if (wrap === null) return null
  const handle = new wrap.Handle(wrap.type)
  wrap.usable ??= isStreamHandle(handle)
  return wrap.usable ? handle : null
}

class Attempt implements Dial {
  readonly #dialer: Dialer
  #handle: StreamHandle | { close(): void } | null = null
  #over = false
  /** Ends the attempt at one of several addresses. */
  #patience: NodeJS.Timeout | undefined

  constructor(dialer: Dialer) {
    this.#dialer = dialer
  }

  cancel(): void {
    this.#over = true
    clearTimeout(this.#patience)
    this.#close()
  }

  #close(): void {
    const handle = this.#handle
    this.#handle = null
    handle?.close(() => {})
  }

  toName(name: string, port: number): void {
    lookup(name, { all: true, order: 'ipv4first' }, (error, found) => {
      if (this.#over) return
      if (error !== null) return this.#refuse(error.code ?? 'ENOTFOUND')
      this.toHosts(
        found.map((one) => one.address),
        port,
      )
    })
  }

  toHosts(hosts: readonly string[], port: number): void {
    const [host, ...others] = hosts
    if (host === undefined) return this.#refuse('ENOTFOUND')
    const failed = (reason: string): void => {
      clearTimeout(this.#patience)
      if (others.length > 0) this.toHosts(others, port)
      else this.#refuse(reason)
    }
    // An address that does not answer must not keep the others from it.
    if (others.length > 0) {
      this.#patience = setTimeout(() => {
        this.#close()
        failed('ETIMEDOUT')
      }, getDefaultAutoSelectFamilyAttemptTimeout())
    }
    const handle = newHandle(tcpWrap)
    if (handle === null || tcpWrap === null) return this.#plainly({ host, port }, failed)
    const isWide = host.includes(':') && handle.connect6 !== undefined
    this.#connect(handle, tcpWrap, failed, (request) =>
      isWide ? handle.connect6?.(request, host, port) : handle.connect(request, host, port),
    )
  }

  toSocket(path: string): void {
    const failed = (reason: string): void => this.#refuse(reason)
    // net.connect knows what the abstract namespace needs.
    const handle = path.startsWith('@') ? null : newHandle(pipeWrap)
    if (handle === null || pipeWrap === null) {
      return this.#plainly({ path: path.replace(/^@/, '\0') }, failed)
    }
    this.#connect(handle, pipeWrap, failed, (request) => handle.connect(request, path))
  }

  #connect(
    handle: DialHandle,
    wrap: Wrap,
    failed: (reason: string) => void,
    begin: (request: ConnectRequest) => number | undefined,
  ): void {
    this.#handle = handle
    const request = new wrap.Request()
    request.oncomplete = (status) => {
      if (this.#over || this.#handle !== handle) return
      if (status === 0) return this.#made(handle)
      this.#close()
      failed(getSystemErrorName(status))
    }
    const error = begin(request) ?? 0
    if (error === 0) return
    // Never before `dial` has returned.
    process.nextTick(() => request.oncomplete(error))
  }

  #made(handle: StreamHandle): void {
    this.#over = true
    clearTimeout(this.#patience)
    handle.setNoDelay?.(true)
    this.#dialer.connected(new LightStream(handle, shared))
  }

  #plainly(
    where: { readonly host: string; readonly port: number } | { readonly path: string },
    failed: (reason: string) => void,
  ): void {
    const options = { ...where, allowHalfOpen: true, noDelay: true, highWaterMark: 1 }
    const socket = netConnect(options as NetConnectOpts)
    const handle = { close: () => void socket.destroy() }
    this.#handle = handle
    let trouble = ''
    const onError = (error: NodeJS.ErrnoException): void => {
      trouble = error.code ?? error.message
    }
    const onClose = (): void => {
      if (!this.#over && this.#handle === handle) failed(trouble)
    }
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.once('connect', () => {
      if (this.#over || this.#handle !== handle) return
      this.#over = true
      clearTimeout(this.#patience)
      socket.off('close', onClose)
      this.#dialer.connected(new NodeStream(socket))
    })
  }

  #refuse(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#dialer.refused(reason)
  }
}
