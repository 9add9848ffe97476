/** One accepted connection as gateways use it: fewer features than net.Socket, and a fraction of its cost. */
export interface ByteStream {
  /** Undefined on unix sockets. */
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  /** Bytes written that the kernel has not taken; 0 as soon as it has everything. */
  readonly writableLength: number
  /** The same, seen while a large write is under way. */
  readonly queueSize: number
  /** The descriptor, or -1. */
  readonly fd: number
  /** `error.code` of what broke the connection, '' for none. */
  readonly trouble: string
  readonly destroyed: boolean
  /** Writes now what the kernel takes, the rest when it can. The bytes must not change meanwhile. */
  write(bytes: Uint8Array): void
  /** Until `uncork`, writes are gathered: they leave in one. */
  cork(): void
  uncork(): void
  /** Sends no more: a FIN behind what was written. */
  end(): void
  /** Closes; what was not sent is lost. */
  destroy(): void
  /** Closes when all that was written has left. */
  destroySoon(): void
  /** Closes with a reset, where the protocol has one. */
  resetAndDestroy(): void
  /** Reads again after `Connection.read` returned false. */
  resume(): void
}

/** What a gateway makes of a stream. `read` gets views that are valid only during the call. */
export interface Connection {
  /** False: read no more until the gateway calls `resume()`. */
  read(bytes: Buffer, length: number): boolean
  /** The visitor will send no more. */
  ended(): void
  /** Nothing is left of the connection. */
  closed(): void
  /** All that was written has left for the kernel. */
  drained(): void
}
