/** Bytes passed on as they are: small ones to and fro, and many at once. The upstream shares the load’s core. */
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import { LOAD_CORE } from '../harness/processes.ts'
import type { Scenario } from '../harness/scenario.ts'
import { serve } from '../harness/server.ts'
import { throughput } from '../harness/throughput.ts'
import { haproxy } from '../rivals/haproxy.ts'
import { nginx } from '../rivals/nginx.ts'
import { nginxStream } from '../rivals/nginx-stream.ts'
import { portico } from '../rivals/portico.ts'
import { BLOCKS_OF_1G, blockStart, largeFile, PATH } from './file-1g.ts'

const RIVALS = [portico, nginxStream, haproxy]

export const tcpSmall: Scenario = throughput({
  name: 'tcp-small',
  title:
    'Requests and answers of about 150 bytes passed on as bytes to an upstream nginx on the load’s core; 32 connections.',
  rivals: RIVALS,
  reference: haproxy.name,
  connections: 32,
  async prepare(bench) {
    const fixed = { kind: 'fixed', body: FIXED_BODY } as const
    const upstream = await serve(nginx, fixed, FIXED, bench.scratch, String(LOAD_CORE))
    return {
      site: { kind: 'tcp', upstreamPort: upstream.port },
      expected: FIXED,
      helper: upstream,
    }
  },
})

export const tcpBulk: Scenario = largeFile({
  name: 'tcp-1g',
  title:
    '1 GiB passed on as bytes from an upstream nginx on the load’s core to one client that drops it.',
  rivals: RIVALS,
  reference: haproxy.name,
  async prepare(bench, root) {
    const body = { start: blockStart(0), length: BLOCKS_OF_1G }
    const files = { kind: 'files', root } as const
    const expected = { path: PATH, body }
    const upstream = await serve(nginx, files, expected, bench.scratch, String(LOAD_CORE))
    return { site: { kind: 'tcp', upstreamPort: upstream.port }, helper: upstream }
  },
})
