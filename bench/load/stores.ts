/**
 * Asks a store over `connections` connections, each the next thing when the last is answered, for `seconds`:
 * one line of JSON with operations, and the times of 1 in 8 in µs.
 * `node bench/load/stores.ts resp|memcached SOCKET get|set CONNECTIONS SECONDS`
 */
import { connect, type Socket } from 'node:net'

const [speaks, path = '', verb = 'get', connections = '1', seconds = '1'] = process.argv.slice(2)
const VALUE = 'x'.repeat(100)
const KEYS = 10_000

/** Questions, made before anything is measured. */
const questions = Array.from({ length: KEYS }, (_, i) => Buffer.from(question(`key:${i}`)))

function question(key: string): string {
  if (speaks === 'memcached') {
    return verb === 'get' ? `get ${key}\r\n` : `set ${key} 0 0 ${VALUE.length}\r\n${VALUE}\r\n`
  }
  const args = verb === 'get' ? ['GET', key] : ['SET', key, VALUE]
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`
}

function answerLength(key: string): number {
  if (verb === 'set') return speaks === 'memcached' ? 'STORED\r\n'.length : '+OK\r\n'.length
  if (speaks !== 'memcached') return `$${VALUE.length}\r\n${VALUE}\r\n`.length
  return `VALUE ${key} 0 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`.length
}

const lengths = Array.from({ length: KEYS }, (_, i) => answerLength(`key:${i}`))
const times: number[] = []
let operations = 0
let over = false

function drive(socket: Socket, first: number): void {
  let key = first
  let left = lengths[key]!
  let at = process.hrtime.bigint()
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left > 0) return
    if (left < 0) throw new Error(`an answer of another length: ${chunk.toString('latin1', 0, 80)}`)
    if (operations++ % 8 === 0) {
      const now = process.hrtime.bigint()
      times.push(Number(now - at) / 1000)
    }
    if (over) return
    key = (key + 7919) % KEYS
    left = lengths[key]!
    if (operations % 8 === 0) at = process.hrtime.bigint()
    else if (Number(connections) > 1) at = process.hrtime.bigint()
    socket.write(questions[key]!)
  })
  socket.write(questions[key]!)
}

for (let i = 0; i < Number(connections); i++) {
  const socket = connect(path, () => drive(socket, (i * 313) % KEYS))
}
const began = performance.now()
setTimeout(() => {
  over = true
  const took = (performance.now() - began) / 1000
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0
  console.log(JSON.stringify({ operations, rate: operations / took, p50: at(0.5), p99: at(0.99) }))
  process.exit(0)
}, Number(seconds) * 1000)
