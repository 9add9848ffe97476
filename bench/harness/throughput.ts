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
import { type Answered, errorsOf, type Load, wrk } from './wrk.ts'

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
  /** In place of wrk. */
  readonly ask?: (url: string, load: Load) => Promise<Answered>
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
/** Above this share of a core used by somebody else a round is disturbed. */
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

/** One rival while it is being measured. */
interface Candidate {
  readonly server: Server
  readonly note: string | undefined
  readonly clean: Record<string, number>[]
  /** Rounds in which somebody else was at work on the same cores. */
  readonly disturbed: Record<string, number>[]
  readonly remarks: Set<string>
}

async function compare(
  bench: Bench,
  options: Throughput,
  rivals: readonly Rival[],
  { site, expected, helper }: Prepared,
): Promise<Row[]> {
  const rows: Row[] = []
  const candidates: Candidate[] = []
  try {
    for (const rival of rivals) {
      try {
        const server = await serve(rival, site, expected, bench.scratch)
        const { note } = rival
        candidates.push({ server, note, clean: [], disturbed: [], remarks: new Set() })
        await ask(options)(server.url, load(options, bench.quick ? 1 : 2))
      } catch (error) {
        rows.push(failed(rival.name, error))
      }
    }
    // A disturbed round is measured again, as often as there are rounds at most.
    for (let pass = 1; pass <= bench.rounds * 2; pass++) {
      for (const candidate of candidates) {
        if (pass > bench.rounds && candidate.clean.length >= bench.rounds) continue
        const seconds = bench.seconds * (options.lengthen ?? 1)
        const told = await measure(candidate, options, seconds, helper?.pids ?? [])
        const which = pass > bench.rounds ? 'again' : `${pass}/${bench.rounds}`
        bench.progress(`${options.name} ${which} ${candidate.server.rival} ${told}`)
      }
    }
    // Clean rounds count alone when everybody has enough of them: clean and disturbed do not compare.
    const cleanAlone = candidates.every(({ clean, disturbed }) => {
      return disturbed.length === 0 || clean.length >= Math.ceil(bench.rounds / 2)
    })
    return [...candidates.map((candidate) => rowOf(candidate, cleanAlone)), ...rows]
  } finally {
    for (const { server } of candidates) await server.stop()
  }
}

function rowOf({ server, note, clean, disturbed, remarks }: Candidate, cleanAlone: boolean): Row {
  const all = [...clean, ...disturbed]
  const said = [...(note ? [note] : []), ...remarks]
  if (disturbed.length > 0) {
    const what = `${disturbed.length} of ${all.length} rounds were disturbed: somebody else used more than 5% of a core`
    said.push(cleanAlone ? `${what}; they are not counted` : `${what}; all are counted`)
  }
  if (all.length === 0) return { rival: server.rival, values: {}, remarks: said, absent: 'failed' }
  return { rival: server.rival, values: medians(cleanAlone ? clean : all), remarks: said }
}

function ask(options: Throughput): (url: string, load: Load) => Promise<Answered> {
  return options.ask ?? wrk
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

/** One round. Returns the words for the progress line. */
async function measure(
  { server, clean, disturbed, remarks }: Candidate,
  options: Throughput,
  seconds: number,
  helpers: readonly number[],
): Promise<string> {
  await sleep(100)
  const before = readClocks(server, helpers)
  const result = await ask(options)(server.url, load(options, seconds))
  const after = readClocks(server, helpers)
  const errors = errorsOf(result)
  if (errors) {
    remarks.add(`a round is not counted: ${errors}`)
    return errors
  }
  const values = {
    rate: result.requests / result.seconds,
    ...(result.p50Us === undefined ? {} : { p50: result.p50Us }),
    ...(result.p99Us === undefined ? {} : { p99: result.p99Us }),
    cpu: ((after.servers - before.servers) * 1e6) / result.requests,
    memory: memoryBytes(server.pids),
  }
  const words = `${Math.round(values.rate)}/s`
  const elapsed = after.serverCore.total - before.serverCore.total
  if (after.load - before.load > elapsed * LOAD_LIMIT) {
    remarks.add('the load generator was at its limit')
  }
  if (wasDisturbed(before, after, elapsed)) {
    disturbed.push(values)
    return `${words}, disturbed`
  }
  clean.push(values)
  return words
}

function wasDisturbed(before: Clocks, after: Clocks, elapsed: number): boolean {
  const onServerCore = after.serverCore.busy - before.serverCore.busy
  const onLoadCore = after.loadCore.busy - before.loadCore.busy
  const others = [
    onServerCore - (after.servers - before.servers),
    onLoadCore - (after.load - before.load),
  ]
  return others.some((seconds) => seconds > elapsed * FOREIGN_LIMIT)
}
