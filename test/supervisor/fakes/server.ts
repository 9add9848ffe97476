/**
 * A server process that answers on its inherited sockets, and misbehaves on request:
 *
 *     GET /            "<generation> <pid>"
 *     GET /slow        the same after 300 ms
 *     GET /crash       dies without an answer
 *     GET /stuck       reports the first worker of application "app" as past its deadline
 *     GET /apps        what it was told about the applications, as JSON
 *
 * At `end` it tells the workers to end, as they do at once, and goes a little later itself.
 *
 * FAKE_SERVER: `fail` refuses to start, `die` dies before it is ready, `deaf` never drains.
 */
import { createServer as createHttp } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { FromServer, ServerStatus, ToServer } from '../../../src/server/protocol.ts'

const mode = process.env.FAKE_SERVER ?? ''
const servers: Server[] = []
const apps: Record<string, unknown> = {}
const visitors = new Set<Socket>()
const links = new Map<Socket, { app: string; slot: number; pid: number }>()
let total = 0
let active = 0
let generation = 0

function tell(message: FromServer): void {
  process.send?.(message)
}

process.on('disconnect', () => process.exit(0))
process.on('message', (message: ToServer) => {
  switch (message.type) {
    case 'start':
      return start(message)
    case 'app':
      apps[message.app] = message.status
      return
    case 'status':
      return tell({ type: 'status', ask: message.ask, status: status() })
    case 'reopen-logs':
      return tell({ type: 'log', level: 'info', message: 'the server opened its logs anew' })
    case 'dismiss':
      return tell({ type: 'dismissed', ask: message.ask })
    case 'drain':
      if (mode !== 'deaf') drain(message.timeoutMs)
      return
    case 'end':
      return end()
  }
})

function start(message: Extract<ToServer, { type: 'start' }>): void {
  generation = message.generation
  if (mode === 'die') process.exit(7)
  if (mode === 'fail') {
    tell({ type: 'failed', message: 'the fake server was told to fail' })
    return
  }
  const listening: Promise<void>[] = []
  for (const fd of message.sockets.flat()) {
    const http = createHttp((request, response) => {
      total += 1
      active += 1
      response.on('close', () => {
        active -= 1
      })
      const answer = (): void => {
        response.setHeader('Connection', 'close')
        response.end(`${generation} ${process.pid}`)
      }
      if (request.url === '/slow') setTimeout(answer, 300)
      else if (request.url === '/crash') process.exit(3)
      else if (request.url === '/apps') response.end(JSON.stringify(apps))
      else if (request.url === '/stuck') {
        const worker = [...links.values()].find(({ app }) => app === 'app')
        if (worker !== undefined) {
          tell({ type: 'stuck', ...worker, request: 'GET /stuck', elapsedMs: 30_000 })
        }
        answer()
      } else answer()
    })
    // Not the HTTP server itself: its close() also ends connections whose request is on its way.
    const server = createServer((socket) => {
      visitors.add(socket)
      socket.on('close', () => visitors.delete(socket))
      http.emit('connection', socket)
    })
    servers.push(server)
    listening.push(new Promise((resolve) => server.listen({ fd, backlog: 4096 }, resolve)))
  }
  for (let thread = 0; thread < message.plan.threads; thread += 1) {
    const server = createServer((socket) => {
      socket.on('data', (chunk) => {
        const hello = JSON.parse(chunk.toString())
        links.set(socket, hello)
        tell({ type: 'joined', ...hello })
      })
      socket.on('close', () => links.delete(socket))
      socket.on('error', () => {})
    })
    const path = `${message.linkDir}/link-${thread}.sock`
    listening.push(new Promise((resolve) => server.listen(path, resolve)))
  }
  Promise.all(listening).then(() => tell({ type: 'ready' }))
}

function drain(timeoutMs: number): void {
  for (const server of servers) server.close()
  tell({ type: 'draining' })
  const deadline = performance.now() + timeoutMs
  const check = setInterval(() => {
    if (visitors.size > 0 && performance.now() < deadline) return
    clearInterval(check)
    tell({ type: 'drained' })
  }, 5)
}

function end(): void {
  for (const link of links.keys()) link.write('q')
  setTimeout(() => process.disconnect?.(), 50)
}

function status(): ServerStatus {
  const named = Object.keys(apps).map((name) => {
    const workers = new Set(
      [...links.values()].filter(({ app }) => app === name).map(({ pid }) => pid),
    ).size
    return [name, { requests: 0, errors: 0, waiting: 0, busy: 0, workers }] as const
  })
  return {
    threads: 1,
    connections: { open: 0, accepted: total },
    requests: { total, active },
    answers: { '2xx': total },
    bytes: { received: 0, sent: 0 },
    apps: Object.fromEntries(named),
    pools: {},
    memory: { rss: process.memoryUsage.rss() },
    uptimeMs: Math.round(process.uptime() * 1000),
  }
}
