/** Feeds a gateway in this process and reports as JSON what of it stays in memory. */
import fc from 'fast-check'
import { requests } from './grammar.ts'
import { handler, OK } from './handlers.ts'
import { type Site, site } from './site.ts'
import { StandIn } from './stand-in.ts'

const BODY = Buffer.from('hello')

/** Answers at once, later, in parts, or when the body is here: by turns. */
function capricious(): Site {
  let turn = 0
  return site({
    routes: {
      '/': handler((exchange) => {
        switch (turn++ % 4) {
          case 0:
            return exchange.respond(OK, BODY)
          case 1:
            return void setImmediate(() => exchange.respond(OK, BODY))
          case 2:
            exchange.start(OK, -1)
            exchange.write(BODY, false)
            return exchange.end()
          default:
            exchange.receive({
              data: () => true,
              end: () => exchange.respond(OK, BODY),
              abort: () => {},
            })
        }
      }),
    },
  })
}

function used(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function feed(
  gateway: Site,
  samples: readonly Buffer[],
  count: number,
  unique: string,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    const visitor = new StandIn(gateway.gateway)
    const sample = samples[i % samples.length]!
    // Half of them never seen before, so that what is remembered is always new.
    if (i % 2 === 0) visitor.send(sample)
    else {
      const path = `GET /${unique}${i} HTTP/1.1\r\nHost: h${i}\r\nX-${unique}-${i}: ${i}\r\n\r\n`
      visitor.send(Buffer.concat([Buffer.from(path), sample]))
    }
    if (i % 3 === 0) visitor.end()
    visitor.leave()
    if (i % 100 === 0) await new Promise(setImmediate)
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
}

/** Small requests, each in front of as much as one read can bring. */
async function hoard(gateway: Site): Promise<void> {
  const behind = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(12_000)}\r\n\r\n`
  for (let i = 0; i < 4000; i++) {
    const visitor = new StandIn(gateway.gateway)
    visitor.send(Buffer.from(`GET /hoard${i} HTTP/1.1\r\nHost: h${i}\r\n\r\n${behind}`))
    visitor.leave()
    if (i % 100 === 0) await new Promise(setImmediate)
  }
}

const gateway = capricious()
const samples = fc
  .sample(requests, { numRuns: 5000, seed: 1 })
  .map((text) => Buffer.from(text, 'latin1'))
// What the engine compiles and the memos may hold comes first.
await feed(gateway, samples, 100_000, 'a')
const before = used()
await feed(gateway, samples, 100_000, 'b')
const after = used()
await hoard(gateway)
await new Promise((resolve) => setTimeout(resolve, 100))
const hoarded = used() - after
const { requests: count, open } = gateway.totals()
gateway.close()
console.log(JSON.stringify({ requests: count, open, grown: after - before, hoarded }))
process.exit(0)
