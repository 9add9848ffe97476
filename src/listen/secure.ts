/** Makes a connection over TLS of a plain one that was accepted. */
import type { ByteStream } from './byte-stream.ts'
import { LightStream } from './light-stream.ts'
import { NodeStream } from './node-stream.ts'
import type { HandshakeEnd, SecureOptions } from './secure-stream.ts'
import { wrapTls } from './tls-handle.ts'
import { TlsSocketStream } from './tls-socket-stream.ts'
import { TlsStream } from './tls-stream.ts'

const READ_BUFFER = 65_536

let shared: Buffer | null = null

/**
 * Begins the handshake on `stream`, of which `hello` was read. Its connection hears only of its end from
 * now on. False: it is closed already.
 */
export function secure(
  stream: ByteStream,
  hello: Uint8Array,
  options: SecureOptions,
  end: HandshakeEnd,
): boolean {
  if (stream instanceof LightStream) {
    const handle = stream.release()
    if (handle === null) return false
    shared ??= Buffer.allocUnsafeSlow(READ_BUFFER)
    const tls = wrapTls(handle, options.context)
    new TlsStream(stream, handle, tls, shared, options, end).start(hello)
    return true
  }
  if (!(stream instanceof NodeStream)) return false
  const socket = stream.release()
  if (socket === null) return false
  new TlsSocketStream(socket, hello, options, end)
  return true
}
