/** Opens many connections, makes one request on each, and then holds them idle. */
import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answers.ts'
import { onFinish, options, ready, result } from './control.ts'

export interface HoldingOptions {
  readonly port: number
  readonly connections: number
}

export interface Held {
  /** Connections that the server still kept when asked. */
  readonly open: number
}

/** Connections being opened at a time, so that no backlog overflows. */
const AT_ONCE = 100

const { port, connections } = options<HoldingOptions>()
const REQUEST = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
const held = new Set<Socket>()
let begun = 0

function next(): void {
  if (begun === connections) return
  begun++
  const reader = new AnswerReader()
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(REQUEST))
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    if (reader.read(chunk)?.status !== 200) return
    held.add(socket)
    if (held.size === connections) ready()
    else next()
  })
  const forget = () => held.delete(socket)
  socket.on('error', forget)
  socket.on('close', forget)
}

for (let at = 0; at < AT_ONCE; at++) next()
onFinish(() => {
  const counts: Held = { open: held.size }
  for (const socket of held) socket.destroy()
  result(counts)
})
