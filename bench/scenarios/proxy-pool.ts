/** Passing small answers on from three servers. The upstreams, nginx for everybody, share the load's core. */
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import { LOAD_CORE } from '../harness/processes.ts'
import type { Scenario } from '../harness/scenario.ts'
import { type Server, serve } from '../harness/server.ts'
import { throughput } from '../harness/throughput.ts'
import { nginx } from '../rivals/nginx.ts'
import { haproxyPool, nginxPool, porticoPool } from '../rivals/pools.ts'

const SERVERS = 3
const POOL = { threads: 1, schedule: 'round-robin' } as const

/** What a pool has that is to survive its servers. */
const CAREFUL = ', retry: { each: 2s }, passive: {}, slow-start: 10s'

export const proxyPool: Scenario = throughput({
  name: 'proxy-pool',
  title:
    'An answer of 13 bytes from three upstream nginx on the load’s core in turn, over kept-alive connections; 32 keep-alive connections. “with retries” also leaves out servers that fail.',
  rivals: [
    porticoPool(POOL),
    porticoPool(POOL, 'Portico, with retries', CAREFUL),
    nginxPool(POOL),
    haproxyPool(POOL),
  ],
  reference: 'HAProxy',
  connections: 32,
  async prepare(bench) {
    const fixed = { kind: 'fixed', body: FIXED_BODY } as const
    const upstreams: Server[] = []
    for (let i = 0; i < SERVERS; i++) {
      upstreams.push(await serve(nginx, fixed, FIXED, bench.scratch, String(LOAD_CORE)))
    }
    return {
      site: { kind: 'pool', upstreamPorts: upstreams.map(({ port }) => port) },
      expected: FIXED,
      helper: together(upstreams),
    }
  },
})

/** Several servers as one helper. */
function together(servers: readonly Server[]): Server {
  return {
    ...servers[0]!,
    pids: servers.flatMap(({ pids }) => pids),
    stop: async () => {
      for (const server of servers) await server.stop()
    },
  }
}
