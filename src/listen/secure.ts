/** Makes a connection over TLS of a plain one that was accepted. */
import type { ByteStream } from './byte-stream.ts'
import { LightStream } from './light-stream.ts'
import { NodeStream } from './node-stream.ts'
import type { SecureOptions, Securing } from './secure-stream.ts'
import { wrapTls } from './tls-handle.ts'
import { TlsSocketStream } from './tls-socket-stream.ts'
import { TlsStream } from './tls-stream.ts'

const READ_BUFFER = 65_536

let shared: Buffer | null = null

/**
 * Begins the handshake on `stream`, unless it is closed already. Its connection hears only of its end from
 * now on.
 */
export function secure(stream: ByteStream, options: SecureOptions, by: Securing): void {
  if (stream instanceof LightStream) {
    const handle = stream.release()
    if (handle === null) return stream.destroy()
    shared ??= Buffer.allocUnsafeSlow(READ_BUFFER)
    const tls = wrapTls(handle, options.context)
    new TlsStream(stream, handle, tls, shared, options, by).start()
  } else if (stream instanceof NodeStream) {
    const socket = stream.release()
    if (socket === null) return stream.destroy()
    new TlsSocketStream(socket, options, by)
  }
}
