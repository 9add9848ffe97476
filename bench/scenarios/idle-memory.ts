/** What a visitor costs who stays connected and asks nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startClient } from '../harness/client.ts'
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import { memoryBytes } from '../harness/proc.ts'
import type { Rival } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { type Server, serve } from '../harness/server.ts'
import { medians } from '../harness/statistics.ts'
import { nginx } from '../rivals/nginx.ts'
import { portico } from '../rivals/portico.ts'

const CONNECTIONS = 5000
/** Opened and closed before the first look, so that what is only needed once is there. */
const WARM_UP = 500
const SETTLE_MS = 1500

export const idleMemory: Scenario = {
  name: 'idle-memory',
  title:
    '5,000 keep-alive connections that have made one request each and are idle: growth of the servers’ memory (the kernel’s own share, the same for all, is not in it), after 500 others have come and gone.',
  columns: [
    { key: 'each', title: 'a connection', format: 'bytes' },
    { key: 'before', title: 'before', format: 'memory' },
    { key: 'after', title: 'after', format: 'memory' },
  ],
  run: (bench) => inTurn([portico, nginx], bench, measure),
}

async function measure(rival: Rival, bench: Bench): Promise<Row> {
  const rounds: Record<string, number>[] = []
  for (let round = 0; round < (bench.quick ? 1 : 3); round++) {
    const site = { kind: 'fixed', body: FIXED_BODY } as const
    const server = await serve(rival, site, FIXED, bench.scratch)
    try {
      rounds.push(await grow(server))
    } finally {
      await server.stop()
    }
    bench.progress(`idle-memory ${rival.name} ${Math.round(rounds.at(-1)!.each!)} B`)
  }
  return { rival: rival.name, values: medians(rounds), remarks: [] }
}

async function grow(server: Server): Promise<Record<string, number>> {
  const { port } = server
  await (await startClient('holding', { port, connections: WARM_UP })).finish()
  await sleep(SETTLE_MS)
  const before = memoryBytes(server.pids)
  const client = await startClient('holding', { port, connections: CONNECTIONS })
  await sleep(SETTLE_MS)
  const after = memoryBytes(server.pids)
  const { open } = await client.finish()
  if (open < CONNECTIONS) throw new Error(`only ${open} connections of ${CONNECTIONS} stayed open`)
  return { before, after, each: (after - before) / CONNECTIONS }
}
