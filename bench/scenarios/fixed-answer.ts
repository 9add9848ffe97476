/** HTTP and nothing else: what the gateway itself costs. */
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { haproxy } from '../rivals/haproxy.ts'
import { nginx } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

export const fixedAnswer: Scenario = throughput({
  name: 'fixed-answer',
  title: 'An answer of 13 bytes from the configuration, 32 keep-alive connections.',
  rivals: [portico, nginx, haproxy],
  reference: nginx.name,
  connections: 32,
  prepare: () => ({ site: { kind: 'fixed', body: FIXED_BODY }, expected: FIXED }),
})
