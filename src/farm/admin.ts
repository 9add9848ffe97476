/** The farm's admin socket: GET /status, for its own user alone. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { openUnix, removeSocketFile } from '../listen/open.ts'
import { http } from '../system/http.ts'
import type { FarmStatus } from './farm.ts'

const MODE = 0o600
const BACKLOG = 64

/** Throws when another farm answers there already. */
export function openFarmAdmin(path: string, status: () => FarmStatus): { close(): void } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  const { fd, inode } = openUnix(path, MODE, BACKLOG)
  const server = http.createServer((request, response) => {
    const known = request.method === 'GET' && request.url === '/status'
    response.writeHead(known ? 200 : 404, { 'Content-Type': 'application/json' })
    response.end(`${JSON.stringify(known ? status() : { error: 'GET /status is all there is' })}\n`)
  })
  server.listen({ fd })
  return {
    close() {
      server.close()
      server.closeAllConnections()
      removeSocketFile(path, inode)
    },
  }
}
