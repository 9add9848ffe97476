/** What only the handle below a socket knows: its descriptor, and how much of a large write has left. */
import type { Socket } from 'node:net'
import { sendFromFile } from '../system/sendfile.ts'

/** Bytes that the kernel has not taken yet: shrinks while a large write leaves, unlike `writableLength`. */
export function queueSize(socket: Socket): number {
  return Number(ofHandle(socket, 'writeQueueSize') ?? 0)
}

/** As Exchange.sendFile. What was written before has to leave first. */
export function sendFileTo(
  socket: Socket,
  fd: number,
  offset: number,
  length: number,
  done: (count: number) => void,
): void {
  if (socket.writableLength > 0) return done(0)
  const out = Number(ofHandle(socket, 'fd') ?? -1)
  if (!(out >= 0)) return done(-1)
  sendFromFile(out, fd, offset, length, done)
}

function ofHandle(socket: Socket, name: string): unknown {
  const handle: unknown = Reflect.get(socket, '_handle')
  return typeof handle === 'object' && handle !== null ? Reflect.get(handle, name) : undefined
}
