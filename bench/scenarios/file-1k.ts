/** Small files: the price of opening, describing and sending one. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { nginx, nginxOpenFileCache } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

const TEXT = 'All the files are small here. '.repeat(40).slice(0, 1024)

export const file1k: Scenario = throughput({
  name: 'file-1k',
  title: 'A file of 1,024 bytes, 32 keep-alive connections.',
  rivals: [portico, nginx, nginxOpenFileCache],
  reference: nginx.name,
  connections: 32,
  prepare(bench) {
    const root = join(bench.scratch, 'file-1k')
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'small.txt'), TEXT)
    return { site: { kind: 'files', root }, expected: { path: '/small.txt', body: TEXT } }
  },
})
