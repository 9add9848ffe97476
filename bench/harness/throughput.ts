/**
 * The scenario that most are: every rival serves the same site on the same core, wrk asks for one
 * thing over and over from the other, and rounds go around all rivals so that drift hits all alike.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type CoreTime, coreTime, cpuSeconds, memoryBytes, ownCpuSeconds } from './proc.ts'
import { LOAD_CORE, SERVER_CORE } from './processes.ts'
import type { Rival, Site } from './rival.ts'
import { type Bench, type Column, failed, type Row, type Scenario } from './scenario.ts'
import { type Expected, type Server, serve } from './server.ts'
import { medians } from './statistics.ts'
import { errorsOf, type Load, wrk } from './wrk.ts'

export interface Prepared {
  readonly site: Site
  readonly expected: Expected
  /** What the site leans on and the load's core has to carry, such as an upstream. */
  readonly helper?: Server
}

export interface Throughput {
  readonly name: string
  readonly title: string
  readonly rivals: readonly Rival[]
  /** The rival that ratios refer to. */
  readonly reference: string
  readonly connections: number
  readonly script?: string
  /** Where requests that take long need more samples: measurements are this many times longer. */
  readonly lengthen?: number
  prepare(bench: Bench): Promise<Prepared> | Prepared
}

const COLUMNS: readonly Column[] = [
  { key: 'rate', title: 'requests/s', format: 'rate' },
  { key: 'p50', title: 'p50', format: 'micros' },
  { key: 'p99', title: 'p99', format: 'micros' },
  { key: 'cpu', title: 'CPU/request', format: 'micros' },
  { key: 'memory', title: 'memory', format: 'memory' },
]

/** Above this share of its core the load generator, not the server, may be what is measured. */
const LOAD_LIMIT = 0.96
/** Above this share of a core used by somebody else a round is worth a remark. */
const FOREIGN_LIMIT = 0.05

export function throughput(options: Throughput): Scenario {
  return {
    name: options.name,
    title: options.title,
    columns: COLUMNS,
    reference: { rival: options.reference, column: 'rate' },
    async run(bench) {
      const { present, missing } = bench.select(options.rivals)
      const prepared = await options.prepare(bench)
      try {
        return [...(await compare(bench, options, present, prepared)), ...missing]
      } finally {
        await prepared.helper?.stop()
      }
    },
  }
}

async function compare(
  bench: Bench,
  options: Throughput,
  rivals: readonly Rival[],
  { site, expected, helper }: Prepared,
): Promise<Row[]> {
  const rows: Row[] = []
  const running: { server: Server; rival: Rival; rounds: Record<string, number>[] }[] = []
  const remarks = new Map<string, string[]>()
  try {
    for (const rival of rivals) {
      remarks.set(rival.name, rival.note ? [rival.note] : [])
      try {
        const server = await serve(rival, site, expected, bench.scratch)
        running.push({ server, rival, rounds: [] })
        await wrk(server.url, load(options, bench.quick ? 1 : 2))
      } catch (error) {
        rows.push(failed(rival.name, error))
      }
    }
    for (let round = 1; round <= bench.rounds; round++) {
      for (const { server, rival, rounds } of running) {
        const seconds = bench.seconds * (options.lengthen ?? 1)
        const outcome = await measure(server, load(options, seconds), helper?.pids ?? [])
        const said = remarks.get(rival.name)!
        said.push(...outcome.remarks)
        if (outcome.values) rounds.push(outcome.values)
        const rate = outcome.values ? `${Math.round(outcome.values.rate!)}/s` : 'invalid'
        bench.progress(`${options.name} ${round}/${bench.rounds} ${rival.name} ${rate}`)
      }
    }
    for (const { rival, rounds } of running) {
      const said = [...new Set(remarks.get(rival.name))]
      if (rounds.length > 0) {
        rows.push({ rival: rival.name, values: medians(rounds), remarks: said })
      } else rows.push({ rival: rival.name, values: {}, remarks: said, absent: 'failed' })
    }
    return rows
  } finally {
    for (const { server } of running) await server.stop()
  }
}

function load(options: Throughput, seconds: number): Load {
  const { connections, script } = options
  return script === undefined ? { connections, seconds } : { connections, seconds, script }
}

interface Clocks {
  /** Processor seconds of the servers, and of the load with its helpers and the bench itself. */
  readonly servers: number
  readonly load: number
  readonly serverCore: CoreTime
  readonly loadCore: CoreTime
}

function readClocks(server: Server, helpers: readonly number[]): Clocks {
  return {
    servers: cpuSeconds(server.pids),
    load: ownCpuSeconds() + cpuSeconds(helpers),
    serverCore: coreTime(SERVER_CORE),
    loadCore: coreTime(LOAD_CORE),
  }
}

async function measure(
  server: Server,
  load: Load,
  helpers: readonly number[],
): Promise<{ values?: Record<string, number>; remarks: string[] }> {
  await sleep(100)
  const before = readClocks(server, helpers)
  const result = await wrk(server.url, load)
  const after = readClocks(server, helpers)
  const errors = errorsOf(result)
  if (errors) return { remarks: [`a round is not counted: ${errors}`] }
  const cpu = after.servers - before.servers
  return {
    remarks: disturbances(before, after),
    values: {
      rate: result.requests / result.seconds,
      p50: result.p50Us,
      p99: result.p99Us,
      cpu: (cpu * 1e6) / result.requests,
      memory: memoryBytes(server.pids),
    },
  }
}

/** What makes a round less than clean. */
function disturbances(before: Clocks, after: Clocks): string[] {
  const remarks: string[] = []
  const elapsed = after.serverCore.total - before.serverCore.total
  const servers = after.servers - before.servers
  const load = after.load - before.load
  const others = {
    'servers’': after.serverCore.busy - before.serverCore.busy - servers,
    'load’s': after.loadCore.busy - before.loadCore.busy - load,
  }
  for (const [whose, busy] of Object.entries(others)) {
    if (busy > elapsed * FOREIGN_LIMIT) {
      remarks.push(`somebody else used more than 5% of the ${whose} core in a round`)
    }
  }
  if (load > elapsed * LOAD_LIMIT) remarks.push('the load generator was at its limit')
  return remarks
}
