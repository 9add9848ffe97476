/** The smallest fetch handler, beside Node alone: what the standard interface costs. */
import { HELLO } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { nodeHttp } from '../rivals/node-http.ts'
import { portico } from '../rivals/portico.ts'
import { porticoWorkers } from '../rivals/portico-workers.ts'

export const nodeFetchHello: Scenario = throughput({
  name: 'node-fetch-hello',
  title:
    'A fetch handler that answers 14 bytes, in the server thread (`run: threads`) and in one worker; 32 keep-alive connections.',
  rivals: [portico, porticoWorkers, nodeHttp],
  reference: nodeHttp.name,
  connections: 32,
  prepare: () => ({ site: { kind: 'fetch' }, expected: HELLO }),
})
