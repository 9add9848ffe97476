/** Workers that die: only what was in their hands may fail, and even that gets an answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startClient } from '../harness/client.ts'
import { HELLO } from '../harness/expected.ts'
import { workersOf } from '../harness/proc.ts'
import { signal } from '../harness/processes.ts'
import type { Rival } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { serve } from '../harness/server.ts'
import type { Counts } from '../load/counting.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { portico } from '../rivals/portico.ts'

const EVERY_MS = 100
/** What the workers of the rivals below run in. */
const WORKER = /python|uwsgi/

export const killLoss: Scenario = {
  name: 'kill-loss',
  title:
    'One of 4 workers is killed with -9 every 100 ms, while 32 keep-alive connections ask for what takes 5 ms, so that each has one request in its hands: that one may get 502. Lost is every request without an answer, every connection refused, and every answer but 200 and 502.',
  columns: [
    { key: 'kills', title: 'killed', format: 'count' },
    { key: 'answered', title: 'answered', format: 'count' },
    { key: 'failed', title: '502', format: 'count' },
    { key: 'failedEach', title: '502 a kill', format: 'ratio' },
    { key: 'lost', title: 'lost', format: 'count' },
    { key: 'p99', title: 'p99', format: 'millis' },
  ],
  run: (bench) => inTurn([portico, nginxUwsgi], bench, measure),
}

async function measure(rival: Rival, bench: Bench): Promise<Row> {
  const site = { kind: 'wsgi', module: 'steady', workers: 4 } as const
  const server = await serve(rival, site, HELLO, bench.scratch)
  try {
    const { port } = server
    const client = await startClient('counting', {
      port,
      connections: 32,
      fresh: false,
      thinkMs: 0,
    })
    await sleep(500)
    let kills = 0
    let turn = 0
    const until = Date.now() + (bench.quick ? 3000 : 10_000)
    while (Date.now() < until) {
      const workers = workersOf(server.pids, WORKER)
      // Nobody there to kill yet: the server is busy with replacing.
      const victim = workers[turn++ % Math.max(1, workers.length)]
      if (victim !== undefined && signal(victim, 'SIGKILL')) kills++
      await sleep(EVERY_MS)
    }
    await sleep(500)
    const row = rowOf(rival.name, kills, await client.finish())
    bench.progress(`kill-loss ${rival.name} ${kills} killed`)
    return row
  } finally {
    await server.stop()
  }
}

function rowOf(rival: string, kills: number, counts: Counts): Row {
  const answered = counts.answered['200'] ?? 0
  const failed = counts.answered['502'] ?? 0
  const others = Object.entries(counts.answered).filter(([status]) => !/^(200|502)$/.test(status))
  const unanswered = counts.lostFirst + counts.lostLater
  const lost = others.reduce((sum, [, count]) => sum + count, unanswered + counts.refused)
  const remarks = others.map(([status, count]) => `${count} answers of ${status}`)
  if (unanswered > 0) remarks.push(`${unanswered} requests unanswered`)
  if (counts.refused > 0) remarks.push(`${counts.refused} connections refused`)
  const failedEach = kills > 0 ? failed / kills : Number.NaN
  const values = { kills, answered, failed, failedEach, lost, p99: counts.p99Ms }
  return { rival, values, remarks }
}
