/**
 * uWSGI's stats server: whoever connects gets the whole JSON, then the end. Whoever says GET first gets it
 * over HTTP (uWSGI's `stats-http`); a client of either kind need not be told which is spoken here.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { openUnix, removeSocketFile } from '../listen/open.ts'
import type { Address } from '../site/plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { Figures } from './outputs.ts'
import { uwsgiStats } from './uwsgi.ts'

/** A client of HTTP sends its request at once; who is silent for so long wants the plain JSON. */
const SILENCE_MS = 50
/** From the connection to the end of the answer. */
const LIFE_MS = 10_000
const LONGEST_HEAD = 16_384
const MOST_CONNECTIONS = 64
const MOST_REQUESTS = 1_000
/** The site's user and group. */
const MODE = 0o660

export interface StatsSocket {
  close(): void
}

/** Rejects when the address cannot be had. */
export async function openUwsgiStats(
  address: Address,
  figures: Figures,
  logger: Logger,
): Promise<StatsSocket> {
  let pending: Promise<string> | null = null
  // All who ask meanwhile get the same answer.
  const text = (): Promise<string> => {
    pending ??= render(figures).finally(() => {
      pending = null
    })
    return pending
  }
  const living = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    living.add(socket)
    socket.on('close', () => living.delete(socket))
    answer(socket, text)
  })
  server.maxConnections = MOST_CONNECTIONS
  const remove = await listen(server, address)
  server.on('error', () => {})
  logger.info(`uWSGI's stats on ${show(server, address)}`)
  return {
    close() {
      server.close()
      for (const socket of living) socket.destroy()
      remove()
    },
  }
}

async function render(figures: Figures): Promise<string> {
  const [status, inHand] = await Promise.all([figures.status(), figures.requests(MOST_REQUESTS)])
  const self = {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    cwd: process.cwd(),
    now: Date.now() / 1000,
  }
  return `${JSON.stringify(uwsgiStats(status, inHand, self), null, '\t')}\n`
}

function answer(socket: Socket, text: () => Promise<string>): void {
  let head = ''
  let over = false
  socket.on('error', () => {})
  const life = setTimeout(() => socket.destroy(), LIFE_MS)
  socket.on('close', () => clearTimeout(life))
  const send = (prefix: string): void => {
    if (over) return
    over = true
    clearTimeout(silence)
    text().then(
      (json) => socket.end(prefix === '' ? json : prefix + json),
      () => socket.destroy(),
    )
  }
  const silence = setTimeout(() => send(''), SILENCE_MS)
  socket.on('close', () => clearTimeout(silence))
  socket.on('end', () => send(''))
  socket.on('data', (chunk: Buffer) => {
    if (over) return
    clearTimeout(silence)
    head += chunk.toString('latin1')
    const isHttp = 'GET '.startsWith(head.slice(0, 4))
    if (!isHttp) return send('')
    if (/\r?\n\r?\n/.test(head)) return send(HTTP_HEAD)
    if (head.length > LONGEST_HEAD) socket.destroy()
  })
}

const HTTP_HEAD =
  'HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n\r\n'

/** Returns what removes the socket's file. */
function listen(server: Server, address: Address): Promise<() => void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    if (address.kind === 'tcp') {
      return server.listen({ host: address.host, port: address.port }, () => resolve(() => {}))
    }
    const { fd, inode } = openUnix(address.path, MODE, MOST_CONNECTIONS)
    server.listen({ fd }, () => resolve(() => removeSocketFile(address.path, inode)))
  })
}

/** With the port that the kernel chose. */
function show(server: Server, address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`
}
