/** HTTP/2 without TLS: what its frames and streams cost. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import { h2load } from '../harness/h2load.ts'
import type { Scenario } from '../harness/scenario.ts'
import { type Throughput, throughput } from '../harness/throughput.ts'
import { nginxHttp2 } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

const TEXT = 'All the files are small here. '.repeat(40).slice(0, 1024)

const BOTH: Pick<Throughput, 'rivals' | 'reference' | 'connections'> = {
  rivals: [portico, nginxHttp2],
  reference: nginxHttp2.name,
  connections: 32,
}
const fixed: Throughput['prepare'] = () => ({
  site: { kind: 'fixed', body: FIXED_BODY },
  expected: { ...FIXED, http2: true },
})

export const http2Fixed: Scenario = throughput({
  ...BOTH,
  name: 'http2-fixed',
  title: 'An answer of 13 bytes over HTTP/2, 32 connections with 10 streams each.',
  ask: h2load(10),
  prepare: fixed,
})

export const http2One: Scenario = throughput({
  ...BOTH,
  name: 'http2-one',
  title: 'The same, one stream at a time on each of 32 connections.',
  ask: h2load(1),
  prepare: fixed,
})

export const http2File: Scenario = throughput({
  ...BOTH,
  name: 'http2-file-1k',
  title: 'A file of 1,024 bytes over HTTP/2, 32 connections with 10 streams each.',
  ask: h2load(10),
  prepare(bench) {
    const root = join(bench.scratch, 'http2-file-1k')
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'small.txt'), TEXT)
    const expected = { path: '/small.txt', body: TEXT, http2: true } as const
    return { site: { kind: 'files', root }, expected }
  },
})
