/**
 * Drives one Python worker over its link with pipelined requests and prints the microseconds each one
 * takes: `node bench/worker-link.ts [module:callable] [threads] [requests in flight]`.
 */
import { readFileSync } from 'node:fs'
import { FrameType } from '../src/wire/frames.ts'
import { FrameReader, requestFrame } from '../test/runtimes/python/link.ts'
import { Supervisor } from '../test/runtimes/python/supervisor.ts'

const REQUESTS = 200_000

const [target = 'hello:application', threads = '1', inFlight = '64'] = process.argv.slice(2)
const [module = '', callable = 'application'] = target.split(':')
const { supervisor, worker } = await Supervisor.serving({
  module,
  callable,
  threads: Number(threads),
})

/** As a browser sends them. */
const fields = {
  HTTP_HOST: 'localhost:8080',
  HTTP_USER_AGENT: 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  HTTP_ACCEPT: 'text/html,application/xhtml+xml,*/*;q=0.8',
  HTTP_ACCEPT_ENCODING: 'gzip, deflate, br',
}

/** Sends `total` requests, as many at a time as asked for; the µs that each one took. */
async function run(total: number): Promise<number> {
  const reader = new FrameReader()
  const requests = Array.from({ length: Number(inFlight) }, (_, id) => requestFrame(id, { fields }))
  let sent = requests.length
  let done = 0
  const began = process.hrtime.bigint()
  worker.socket.removeAllListeners('data')
  await new Promise<void>((resolve) => {
    worker.socket.on('data', (chunk: Buffer) => {
      const next: Buffer[] = []
      for (const frame of reader.feed(chunk)) {
        if (frame.type !== FrameType.RESPONSE && frame.type !== FrameType.END) continue
        done++
        if (sent++ < total) next.push(requests[frame.id]!)
      }
      if (done >= total) resolve()
      else if (next.length > 0) worker.socket.write(Buffer.concat(next))
    })
    worker.socket.write(Buffer.concat(requests))
  })
  return Number(process.hrtime.bigint() - began) / 1000 / total
}

/** CPU time that the worker has used, in µs; the kernel counts it in hundredths of a second. */
function cpu(): number {
  const stat = readFileSync(`/proc/${worker.hello.pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) * 10_000
}

await run(REQUESTS / 10)
for (let round = 0; round < 3; round++) {
  const before = cpu()
  const elapsed = await run(REQUESTS)
  const used = (cpu() - before) / REQUESTS
  console.log(
    `${target}, ${threads} threads: ${elapsed.toFixed(2)} µs a request, ${used.toFixed(2)} µs of the worker's CPU`,
  )
}
await supervisor.stop()
