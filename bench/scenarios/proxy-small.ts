/** Passing a small answer on. The upstream, the same nginx for everybody, shares the load's core. */
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import { LOAD_CORE } from '../harness/processes.ts'
import type { Scenario } from '../harness/scenario.ts'
import { serve } from '../harness/server.ts'
import { throughput } from '../harness/throughput.ts'
import { haproxy } from '../rivals/haproxy.ts'
import { nginx } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

export const proxySmall: Scenario = throughput({
  name: 'proxy-small',
  title:
    'An answer of 13 bytes from an upstream nginx on the load’s core, over kept-alive connections; 32 keep-alive connections.',
  rivals: [portico, nginx, haproxy],
  reference: nginx.name,
  connections: 32,
  async prepare(bench) {
    const fixed = { kind: 'fixed', body: FIXED_BODY } as const
    const upstream = await serve(nginx, fixed, FIXED, bench.scratch, String(LOAD_CORE))
    return {
      site: { kind: 'proxy', upstreamPort: upstream.port },
      expected: FIXED,
      helper: upstream,
    }
  },
})
