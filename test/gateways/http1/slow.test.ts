/** Very many visitors who are very slow: they cost little memory and nobody else's time. */
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { says } from './handlers.ts'
import { listeningSite } from './site.ts'
import { sleep, until, Visitor } from './visitor.ts'

const COUNT = 2000
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
/** Server and visitors share this process: both ends of each connection are counted. */
const MOST_BYTES_EACH = 40_000

/** The 99th percentile of 400 round trips, in ms. */
async function p99(visitor: Visitor, after: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 400; i++) {
    const began = performance.now()
    await visitor.send(GET).answers(after + i + 1)
    times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)]!
}

function memory(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test(`${COUNT} connections of a byte at a time`, async () => {
  const site = await listeningSite({ routes: { '/': says('hello') } })
  const visitor = await Visitor.at(site.port)
  await p99(visitor, 0)
  const quiet = await p99(visitor, 400)
  const before = memory()
  const slow: Socket[] = []
  for (let i = 0; i < COUNT; i++) {
    const socket = connect(site.port, '127.0.0.1')
    socket.on('error', () => {})
    slow.push(socket)
    if (i % 100 === 99) await sleep(5)
  }
  await until(() => site.totals().open === COUNT + 1, 15_000)
  const head = 'GET / HTTP/1.1\r\nHost: a\r\nX: '
  let at = 0
  const trickle = setInterval(() => {
    const byte = head[at++] ?? 'x'
    for (const socket of slow) socket.write(byte)
  }, 1000)
  await sleep(1200)
  const busy = await p99(visitor, 800)
  await sleep(2000)
  clearInterval(trickle)
  const each = (memory() - before) / COUNT
  for (const socket of slow) socket.destroy()
  visitor.leave()
  await until(() => site.totals().open === 0, 15_000)
  site.close()
  expect(each).toBeLessThan(MOST_BYTES_EACH)
  // A burst of 2,000 writes and reads takes its own time once a second, in this one process.
  expect(busy).toBeLessThan(Math.max(quiet * 3, 50))
}, 60_000)
