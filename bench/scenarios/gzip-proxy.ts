/** Compressing what an upstream says: 8 KB of JSON, anew for every request. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LOAD_CORE } from '../harness/processes.ts'
import type { Scenario } from '../harness/scenario.ts'
import { serve } from '../harness/server.ts'
import { throughput } from '../harness/throughput.ts'
import { nginx } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

const ITEMS = Array.from({ length: 110 }, (_, id) => ({
  id,
  name: `item ${(id * 7919) % 1000}`,
  price: ((id * 104_729) % 10_000) / 100,
  tags: ['a', 'b'].slice(id % 2),
}))

export const gzipProxy: Scenario = throughput({
  name: 'gzip-proxy',
  title:
    'An answer of 6 KB of JSON from an upstream nginx on the load’s core, compressed with gzip at level 4 for every request; 32 keep-alive connections.',
  rivals: [portico, nginx],
  reference: nginx.name,
  connections: 32,
  script: 'gzip.lua',
  async prepare(bench) {
    const root = join(bench.scratch, 'gzip-proxy')
    mkdirSync(root, { recursive: true })
    const body = JSON.stringify(ITEMS)
    writeFileSync(join(root, 'items.json'), body)
    const expected = { path: '/items.json', body }
    const files = { kind: 'files', root } as const
    const upstream = await serve(nginx, files, expected, bench.scratch, String(LOAD_CORE))
    return {
      site: { kind: 'proxy', upstreamPort: upstream.port, gzip: 4 },
      expected,
      helper: upstream,
    }
  },
})
