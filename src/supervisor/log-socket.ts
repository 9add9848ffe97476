/**
 * Where workers send what they print. Each connection begins with one JSON line that says who it is
 * (see runtimes/runtime.ts); every line after it becomes a line of our log.
 */
import { chmodSync, chownSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Credentials } from '../system/users.ts'
import { LineReader } from './lines.ts'
import type { Fields, Logger } from './logger.ts'

/** Longer lines arrive in pieces, characters. */
export const LONGEST_LOG_LINE = 16_384

export interface LogSocket {
  close(): void
}

/** Listens on `path`; resolves once workers can connect. `only`: the application that these are of. */
export async function openLogSocket(
  path: string,
  credentials: Credentials | null,
  logger: Logger,
  only?: string,
): Promise<LogSocket> {
  const connections = new Set<Socket>()
  const server: Server = createServer((socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    receive(socket, logger, only)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600)
  if (credentials !== null) chownSync(path, credentials.uid, credentials.gid)
  return {
    close() {
      server.close()
      for (const socket of connections) socket.destroy()
    },
  }
}

function receive(socket: Socket, logger: Logger, only: string | undefined): void {
  let from: Fields | null = null
  const reader = new LineReader(LONGEST_LOG_LINE, (line) => {
    if (from !== null) {
      if (line !== '') logger.info(line, from)
      return
    }
    from = introduction(line)
    if (only !== undefined && from?.app !== only) from = null
    if (from === null) {
      logger.warn('a connection to the log socket did not say who it is; closed')
      socket.destroy()
    }
  })
  socket.on('data', (chunk: Buffer) => reader.feed(chunk))
  socket.on('end', () => reader.end())
  // A worker that was killed: what it wrote before has arrived.
  socket.on('error', () => reader.end())
}

function introduction(line: string): Fields | null {
  try {
    const said: unknown = JSON.parse(line)
    if (typeof said !== 'object' || said === null || !('app' in said) || !('pid' in said))
      return null
    const { app, pid } = said
    if (typeof app !== 'string' || typeof pid !== 'number') return null
    // A call into the application's code has a task and a run.
    const more = Object.entries(said).filter(
      ([name, value]) => (name === 'task' || name === 'run') && typeof value === 'string',
    )
    return { app, pid, ...Object.fromEntries(more) }
  } catch {
    return null
  }
}
