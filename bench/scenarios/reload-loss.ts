/** Reloads under full load: what is lost, on connections kept and on new ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startClient } from '../harness/client.ts'
import { HELLO } from '../harness/expected.ts'
import { tree } from '../harness/proc.ts'
import { signal } from '../harness/processes.ts'
import type { Rival } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { type Server, serve } from '../harness/server.ts'
import { type LoadResult, wrk } from '../harness/wrk.ts'
import type { Counts } from '../load/counting.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { portico } from '../rivals/portico.ts'

const RELOADS = 20
/** Longest that a reload may take to start anything new, in ms. */
const RELOAD_MS = 10_000
/** Between the sight of a new process and the next reload, in ms: time to switch and to drain. */
const PAUSE_MS = 400

export const reloadLoss: Scenario = {
  name: 'reload-loss',
  title: `${RELOADS} reloads (signal HUP to all that was started) under full load: wrk with 32 keep-alive connections, a client with 8 more, and a client that opens a new connection for each request. Lost is every request that was sent and not answered, every connection refused, and every answer that is not 200.`,
  columns: [
    { key: 'reloads', title: 'reloads', format: 'count' },
    { key: 'answered', title: 'answered', format: 'count' },
    { key: 'lost', title: 'lost', format: 'count' },
    { key: 'wrk', title: 'of wrk', format: 'count' },
    { key: 'kept', title: 'on kept connections', format: 'count' },
    { key: 'fresh', title: 'on new ones', format: 'count' },
    { key: 'worst', title: 'longest wait', format: 'millis' },
  ],
  run: (bench) => inTurn([portico, nginxUwsgi], bench, measure),
}

async function measure(rival: Rival, bench: Bench): Promise<Row> {
  const site = { kind: 'wsgi', module: 'hello', workers: 2 } as const
  const server = await serve(rival, site, HELLO, bench.scratch)
  try {
    await wrk(server.url, { connections: 32, seconds: 1 })
    const { port } = server
    const kept = await startClient('counting', { port, connections: 8, fresh: false, thinkMs: 1 })
    const fresh = await startClient('counting', { port, connections: 4, fresh: true, thinkMs: 5 })
    let over = false
    const loaded = loadUntil(server, () => over)
    let reloads = 0
    try {
      while (reloads < RELOADS) {
        await reload(server)
        bench.progress(`reload-loss ${rival.name} ${++reloads}/${RELOADS}`)
      }
    } finally {
      over = true
      await loaded.catch(() => {})
    }
    return rowOf(rival.name, reloads, await loaded, await kept.finish(), await fresh.finish())
  } finally {
    await server.stop()
  }
}

/** wrk without end: one run after the other. */
async function loadUntil(server: Server, over: () => boolean): Promise<LoadResult[]> {
  const results: LoadResult[] = []
  while (!over()) results.push(await wrk(server.url, { connections: 32, seconds: 5 }))
  return results
}

/** Asks for a reload and waits until something new runs, so that no two are taken for one. */
async function reload(server: Server): Promise<void> {
  const before = new Set(tree(server.pids))
  for (const pid of server.pids) signal(pid, 'SIGHUP')
  const deadline = Date.now() + RELOAD_MS
  while (tree(server.pids).every((pid) => before.has(pid))) {
    if (Date.now() > deadline) throw new Error('a reload started nothing new')
    await sleep(20)
  }
  await sleep(PAUSE_MS)
}

function rowOf(
  rival: string,
  reloads: number,
  loads: readonly LoadResult[],
  kept: Counts,
  fresh: Counts,
): Row {
  const remarks: string[] = []
  let answered = 0
  let wrkLost = 0
  let worst = Math.max(kept.maxMs, fresh.maxMs)
  for (const { requests, errors, maxUs } of loads) {
    answered += requests - errors.status
    worst = Math.max(worst, maxUs / 1000)
    for (const [kind, count] of Object.entries(errors)) {
      wrkLost += count
      if (count > 0) remarks.push(`wrk: ${count} ${kind}`)
    }
  }
  for (const [name, counts] of Object.entries({ kept, fresh })) {
    answered += counts.answered['200'] ?? 0
    const { lostFirst, lostLater, refused } = counts
    if (lostFirst + lostLater + refused > 0) {
      remarks.push(
        `${name}: ${lostFirst} first and ${lostLater} later requests unanswered, ${refused} refused`,
      )
    }
    for (const [status, count] of Object.entries(counts.answered)) {
      if (status !== '200') remarks.push(`${name}: ${count} answers of ${status}`)
    }
  }
  const onKept = lost(kept)
  const onFresh = lost(fresh)
  const allLost = wrkLost + onKept + onFresh
  const values = {
    reloads,
    answered,
    worst,
    lost: allLost,
    wrk: wrkLost,
    kept: onKept,
    fresh: onFresh,
  }
  return { rival, values, remarks }
}

function lost(counts: Counts): number {
  const answered = Object.values(counts.answered).reduce((sum, count) => sum + count, 0)
  const wrong = answered - (counts.answered['200'] ?? 0)
  return counts.lostFirst + counts.lostLater + counts.refused + wrong
}
