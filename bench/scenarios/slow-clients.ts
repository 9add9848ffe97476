/** Visitors on bad lines, or with bad intent: what the others notice of them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startClient } from '../harness/client.ts'
import { HELLO } from '../harness/expected.ts'
import type { Rival } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { type Server, serve } from '../harness/server.ts'
import { medians } from '../harness/statistics.ts'
import { errorsOf, wrk } from '../harness/wrk.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { portico } from '../rivals/portico.ts'

const SLOW = 5000
/** Keep-alive connections of the normal client. */
const NORMAL = 8

export const slowClients: Scenario = {
  name: 'slow-clients',
  title:
    '5,000 connections that send a request of one byte a second; beside them a normal client with 8 keep-alive connections: its p99 without and with them, 1 worker.',
  columns: [
    { key: 'quiet', title: 'p99 quiet', format: 'micros' },
    { key: 'beside', title: 'p99 beside them', format: 'micros' },
    { key: 'ratio', title: 'ratio', format: 'ratio' },
    { key: 'quietRate', title: 'requests/s quiet', format: 'rate' },
    { key: 'besideRate', title: 'requests/s beside them', format: 'rate' },
    { key: 'open', title: 'slow ones open', format: 'count' },
  ],
  run: (bench) => inTurn([portico, nginxUwsgi], bench, measure),
}

async function measure(rival: Rival, bench: Bench): Promise<Row> {
  const site = { kind: 'wsgi', module: 'hello', workers: 1 } as const
  const server = await serve(rival, site, HELLO, bench.scratch)
  try {
    await wrk(server.url, { connections: NORMAL, seconds: 2 })
    const rounds: Record<string, number>[] = []
    for (let round = 1; round <= (bench.quick ? 1 : 3); round++) {
      rounds.push(await quietAndBeside(server, bench.quick ? 2 : 4))
      bench.progress(`slow-clients ${rival.name} ${rounds.at(-1)!.ratio!.toFixed(2)}×`)
    }
    return { rival: rival.name, values: medians(rounds), remarks: [] }
  } finally {
    await server.stop()
  }
}

async function quietAndBeside(server: Server, seconds: number): Promise<Record<string, number>> {
  const normal = { connections: NORMAL, seconds }
  const quiet = await wrk(server.url, normal)
  const slow = await startClient('dripping', { port: server.port, connections: SLOW })
  await sleep(1000)
  const beside = await wrk(server.url, normal)
  const { open } = await slow.finish()
  const errors = errorsOf(quiet) ?? errorsOf(beside)
  if (errors) throw new Error(`requests of the normal client failed: ${errors}`)
  return {
    quiet: quiet.p99Us,
    beside: beside.p99Us,
    ratio: beside.p99Us / quiet.p99Us,
    quietRate: quiet.requests / quiet.seconds,
    besideRate: beside.requests / beside.seconds,
    open,
  }
}
