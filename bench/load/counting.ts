/**
 * A client that accounts for every request: sent, answered and how, or lost. A connection that the
 * server closes between two requests is no loss; a request that was sent and not answered is one.
 */
import { connect, type Socket } from 'node:net'
import { percentile } from '../harness/statistics.ts'
import { AnswerReader } from './answers.ts'
import { onFinish, options, ready, result } from './control.ts'

export interface CountingOptions {
  readonly port: number
  /** Connections at work at a time. */
  readonly connections: number
  /** A new connection for each request, or as many requests as the server allows on each. */
  readonly fresh: boolean
  /** Pause between an answer and the next request, in ms. */
  readonly thinkMs: number
}

export interface Counts {
  readonly sent: number
  /** Answers by status. */
  readonly answered: Readonly<Record<string, number>>
  /** Requests that got no answer, on a connection's first request and on later ones. */
  readonly lostFirst: number
  readonly lostLater: number
  /** Connections refused or reset before a request was sent. */
  readonly refused: number
  /** Kept connections that the server closed between requests. Not a loss. */
  readonly closedIdle: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** A request is given up, and lost, after this long, in ms. */
const PATIENCE_MS = 10_000
/** Wait after a refused connection, so that a dead server is not hammered, in ms. */
const REFUSED_MS = 20

const { port, connections, fresh, thinkMs } = options<CountingOptions>()
const REQUEST = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`

let sent = 0
let lostFirst = 0
let lostLater = 0
let refused = 0
let closedIdle = 0
const answered: Record<string, number> = {}
const latencies: number[] = []
let finishing = false
let open = 0

function visit(): void {
  open++
  const reader = new AnswerReader()
  let connected = false
  let over = false
  let requests = 0
  let sentAt = 0
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.setEncoding('latin1')
  const patience = setInterval(() => {
    if (sentAt !== 0 && performance.now() - sentAt > PATIENCE_MS) end()
  }, 1000)

  function send(): void {
    if (over) return
    if (finishing) return end()
    requests++
    sent++
    sentAt = performance.now()
    socket.write(REQUEST)
  }

  function end(): void {
    if (over) return
    over = true
    clearInterval(patience)
    socket.destroy()
    open--
    if (!connected) refused++
    else if (sentAt !== 0 && requests === 1) lostFirst++
    else if (sentAt !== 0) lostLater++
    else if (!fresh && !finishing) closedIdle++
    if (!finishing) setTimeout(visit, connected ? (fresh ? thinkMs : 0) : REFUSED_MS)
    else if (open === 0) report()
  }

  socket.on('connect', () => {
    connected = true
    send()
  })
  socket.on('data', (chunk: string) => {
    const answer = reader.read(chunk)
    if (!answer) return
    latencies.push(performance.now() - sentAt)
    sentAt = 0
    answered[answer.status] = (answered[answer.status] ?? 0) + 1
    if (fresh || answer.closes || finishing) end()
    else if (thinkMs > 0) setTimeout(send, thinkMs)
    else send()
  })
  socket.on('end', end)
  socket.on('error', end)
  socket.on('close', end)
}

function report(): void {
  const counts: Counts = {
    sent,
    answered,
    lostFirst,
    lostLater,
    refused,
    closedIdle,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
  }
  result(counts)
}

for (let at = 0; at < connections; at++) visit()
ready()
onFinish(() => {
  finishing = true
  if (open === 0) report()
})
