/** Many clients that send a request of one byte a second, spread evenly over the second. */
import { connect, type Socket } from 'node:net'
import { onFinish, options, ready, result } from './control.ts'

export interface DrippingOptions {
  readonly port: number
  readonly connections: number
}

export interface Dripped {
  /** Connections that were open at the end. */
  readonly open: number
  /** Connections that the server gave up, each replaced by a new one. */
  readonly givenUp: number
  readonly bytes: number
}

const TICK_MS = 10
const TICKS = 1000 / TICK_MS

const { port, connections } = options<DrippingOptions>()
// Long enough never to be complete: at one byte a second it takes over an hour.
const REQUEST = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Slow: ${'slow'.repeat(1000)}\r\n\r\n`

interface Client {
  socket: Socket | undefined
  at: number
}

const clients: Client[] = Array.from({ length: connections }, () => ({ socket: undefined, at: 0 }))
let open = 0
let givenUp = 0
let bytes = 0
let tick = 0
let announced = false

function begin(client: Client): void {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  client.socket = socket
  client.at = 0
  let connected = false
  socket.on('connect', () => {
    connected = true
    open++
    if (open === connections && !announced) {
      announced = true
      ready()
    }
  })
  // What it answers to a slow client, 408 for instance, is read and dropped.
  socket.resume()
  socket.on('error', () => {})
  socket.on('close', () => {
    if (connected) {
      open--
      givenUp++
    }
    client.socket = undefined
  })
}

const timer = setInterval(() => {
  tick = (tick + 1) % TICKS
  for (let at = tick; at < clients.length; at += TICKS) {
    const client = clients[at]!
    if (!client.socket) begin(client)
    else if (!client.socket.connecting) {
      client.socket.write(REQUEST[client.at++ % REQUEST.length]!)
      bytes++
    }
  }
}, TICK_MS)

onFinish(() => {
  clearInterval(timer)
  const counts: Dripped = { open, givenUp, bytes }
  for (const { socket } of clients) socket?.destroy()
  result(counts)
})
