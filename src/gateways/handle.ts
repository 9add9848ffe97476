/** Sends files without reading them. */
import type { ByteStream } from '../listen/byte-stream.ts'
import { sendFromFile } from '../system/sendfile.ts'

/** As Exchange.sendFile. What was written before has to leave first. */
export function sendFileTo(
  socket: ByteStream,
  fd: number,
  offset: number,
  length: number,
  done: (count: number) => void,
): void {
  if (socket.writableLength > 0) return done(0)
  if (socket.fd < 0) return done(-1)
  sendFromFile(socket.fd, fd, offset, length, done)
}
