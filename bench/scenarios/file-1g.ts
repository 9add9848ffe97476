/** A large file: how fast its bytes leave, and what they cost. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { startClient } from '../harness/client.ts'
import { cpuSeconds, memoryBytes } from '../harness/proc.ts'
import type { Rival, Site } from '../harness/rival.ts'
import { type Bench, failed, type Row, type Scenario } from '../harness/scenario.ts'
import { type Server, serve } from '../harness/server.ts'
import { medians } from '../harness/statistics.ts'
import type { Downloaded } from '../load/downloading.ts'
import { nginx } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

const BLOCK = 1024 * 1024
const BLOCKS = 1024
export const PATH = '/large.bin'
export const BLOCKS_OF_1G: number = BLOCK * BLOCKS

interface Large {
  readonly name: string
  readonly title: string
  readonly rivals: readonly Rival[]
  readonly reference: string
  /** What is served where the file is in `root`, and what that leans on. */
  prepare(bench: Bench, root: string): Promise<{ site: Site; helper?: Server }>
}

export const file1g: Scenario = largeFile({
  name: 'file-1g',
  title:
    'A file of 1 GiB, in the page cache, read by one client that drops it. The checksum of a first reading was right.',
  rivals: [portico, nginx],
  reference: nginx.name,
  prepare: (_bench, root) => Promise.resolve({ site: { kind: 'files', root } }),
})

export function largeFile({ name, title, rivals, reference, prepare }: Large): Scenario {
  return {
    name,
    title,
    columns: [
      { key: 'speed', title: 'bytes/s', format: 'speed' },
      { key: 'cpu', title: 'CPU/GiB', format: 'millis' },
      { key: 'memory', title: 'memory', format: 'memory' },
    ],
    reference: { rival: reference, column: 'speed' },
    async run(bench) {
      const { present, missing } = bench.select(rivals)
      const root = join(bench.scratch, name)
      mkdirSync(root, { recursive: true })
      const checksum = writeLarge(join(root, PATH))
      const { site, helper } = await prepare(bench, root)
      const rows: Row[] = []
      const running: { server: Server; rounds: Record<string, number>[] }[] = []
      try {
        for (const rival of present) {
          try {
            const server = await serveLarge(rival, site, bench)
            running.push({ server, rounds: [] })
            const first = await download(server, true)
            if (first.checksum !== checksum) throw new Error('the checksum of what came is wrong')
          } catch (error) {
            rows.push(failed(rival.name, error))
          }
        }
        const measured = running.filter(
          ({ server }) => !rows.some((row) => row.rival === server.rival),
        )
        for (let round = 1; round <= bench.rounds * 2; round++) {
          for (const { server, rounds } of measured) rounds.push(await measure(server))
          bench.progress(`${name} ${round}/${bench.rounds * 2}`)
        }
        const done = measured.map(({ server, rounds }): Row => {
          return { rival: server.rival, values: medians(rounds), remarks: [] }
        })
        return [...done, ...rows, ...missing]
      } finally {
        for (const { server } of running) await server.stop()
        await helper?.stop()
      }
    },
  }
}

function serveLarge(rival: Rival, site: Site, bench: Bench): Promise<Server> {
  const body = { start: blockStart(0), length: BLOCKS_OF_1G }
  return serve(rival, site, { path: PATH, body }, bench.scratch)
}

async function measure(server: Server): Promise<Record<string, number>> {
  const before = cpuSeconds(server.pids)
  const { seconds, bytes } = await download(server, false)
  const cpu = (cpuSeconds(server.pids) - before) * 1000
  return { speed: bytes / seconds, cpu, memory: memoryBytes(server.pids) }
}

async function download(server: Server, checksum: boolean): Promise<Downloaded> {
  const client = await startClient('downloading', { port: server.port, path: PATH, checksum })
  const downloaded = await client.finish()
  if (downloaded.status !== 200 || downloaded.bytes !== BLOCKS_OF_1G) {
    throw new Error(`${server.rival}: status ${downloaded.status}, ${downloaded.bytes} bytes`)
  }
  return downloaded
}

/** No two blocks alike, and no holes. Returns the CRC-32 of the whole. */
function writeLarge(path: string): number {
  const file = openSync(path, 'w')
  let sum = 0
  for (let at = 0; at < BLOCKS; at++) {
    const block = Buffer.alloc(BLOCK, blockStart(at))
    sum = crc32(block, sum)
    writeSync(file, block)
  }
  closeSync(file)
  return sum
}

export function blockStart(block: number): string {
  return `block ${String(block).padStart(5, '0')} of a large file; `
}
