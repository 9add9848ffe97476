/** A connection that another process has accepted for us: its descriptor was inherited. */
import { Socket } from 'node:net'
import type { ByteStream, Connection } from './byte-stream.ts'
import { LightStream } from './light-stream.ts'
import { NodeStream } from './node-stream.ts'
import { isStreamHandle } from './stream-handle.ts'

const READ_BUFFER = 65_536

let shared: Buffer | null = null

/** Begins to read from it for what `connect` returns. */
export function adopt(fd: number, connect: (stream: ByteStream) => Connection): void {
  // Without `manualStart`, which is not among the documented options, it would begin to read at once.
  const options = { fd, readable: true, writable: true, allowHalfOpen: true, manualStart: true }
  const socket = new Socket(options)
  const handle: unknown = Reflect.get(socket, '_handle')
  if (isStreamHandle(handle)) {
    Reflect.set(socket, '_handle', null)
    shared ??= Buffer.allocUnsafeSlow(READ_BUFFER)
    const stream = new LightStream(handle, shared)
    stream.start(connect(stream))
    return
  }
  const stream = new NodeStream(socket)
  stream.start(connect(stream))
}
