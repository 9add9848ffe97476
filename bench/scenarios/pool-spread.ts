/** How evenly least-connections spreads what takes unequal time, when two threads or workers decide. */
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import type { Rival, Site } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { serve } from '../harness/server.ts'
import { percentile } from '../harness/statistics.ts'
import { errorsOf, wrk } from '../harness/wrk.ts'
import { haproxyPool, nginxPool, porticoPool } from '../rivals/pools.ts'

const CONNECTIONS = 32
const TWO = { threads: 2, schedule: 'least-connections' } as const
const SAMPLE_MS = 5
/** Nine of ten requests take the first, ms. */
const USUAL_MS = 5
const SLOW_MS = 100

export const poolSpread: Scenario = spread(
  'pool-spread',
  3,
  'least-connections over three upstreams by two threads (nginx: two workers): nine of ten requests take 5 ms, the tenth 100 ms; 32 keep-alive connections. Looked at every 5 ms: how many more the busiest upstream has in hand than the idlest. Perfect is 1.',
)

export const poolSpread10: Scenario = spread(
  'pool-spread-10',
  10,
  'The same over ten upstreams: whoever knows only its own requests knows less of each. Perfect is 1.',
)

function spread(name: string, servers: number, title: string): Scenario {
  return {
    name,
    title,
    columns: [
      { key: 'mean', title: 'spread, mean', format: 'number' },
      { key: 'p99', title: 'spread, p99', format: 'count' },
      { key: 'worst', title: 'the worst', format: 'count' },
      { key: 'rate', title: 'requests/s', format: 'rate' },
      { key: 'latency', title: 'p99', format: 'micros' },
    ],
    run: (bench) =>
      inTurn(
        [
          porticoPool(TWO),
          nginxPool(TWO),
          nginxPool(TWO, 'nginx, with zone', true),
          haproxyPool(TWO),
        ],
        bench,
        (rival) => measure(rival, bench, name, servers),
      ),
  }
}

class Upstream {
  inHand = 0
  readonly #server: HttpServer
  #asked = 0

  constructor() {
    this.#server = createServer((_request, response) => {
      this.inHand++
      const ms = ++this.#asked % 10 === 0 ? SLOW_MS : USUAL_MS
      setTimeout(() => {
        this.inHand--
        response.end(FIXED_BODY)
      }, ms)
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve()))
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

async function measure(rival: Rival, bench: Bench, name: string, servers: number): Promise<Row> {
  const upstreams = Array.from({ length: servers }, () => new Upstream())
  const upstreamPorts = await Promise.all(upstreams.map((each) => each.listen()))
  const site: Site = { kind: 'pool', upstreamPorts }
  try {
    const server = await serve(rival, site, FIXED, bench.scratch, '0,1')
    try {
      await wrk(server.url, { connections: CONNECTIONS, seconds: 1 })
      const spreads: number[] = []
      const timer = setInterval(() => {
        const inHand = upstreams.map((each) => each.inHand)
        spreads.push(Math.max(...inHand) - Math.min(...inHand))
      }, SAMPLE_MS)
      const seconds = bench.quick ? 3 : 10
      const result = await wrk(server.url, { connections: CONNECTIONS, seconds })
      clearInterval(timer)
      const errors = errorsOf(result)
      if (errors) throw new Error(errors)
      const mean = spreads.reduce((sum, spread) => sum + spread, 0) / spreads.length
      bench.progress(`${name} ${rival.name} ${mean.toFixed(2)}`)
      await sleep(100)
      const p99 = percentile(spreads, 0.99)
      const values = {
        mean,
        p99,
        worst: Math.max(...spreads),
        rate: result.requests / result.seconds,
        latency: result.p99Us,
      }
      return { rival: rival.name, values, remarks: [] }
    } finally {
      await server.stop()
    }
  } finally {
    for (const each of upstreams) each.close()
  }
}
