/** One soak from the start of a Portico to what is left of it: facts, no judgement. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { startClient } from '../harness/client.ts'
import type { Soaked as Visited } from '../load/soaking.ts'
import { Disturbing, type Kill, type Reload } from './disturbing.ts'
import { type Heaps, heapEnvironment, readHeaps } from './heaps.ts'
import { type LogLine, Soaked } from './portico.ts'
import { Sampling } from './sampling.ts'
import { writeSite } from './site.ts'

export interface SoakOptions {
  /** An empty folder, which the caller removes. */
  readonly folder: string
  readonly seconds: number
  /** With reloads of the whole site; else one server process lives all the time. */
  readonly whole: boolean
  /** Between two reloads, and between two kills, ms. */
  readonly reloadMs: number
  readonly killMs: number
  readonly recycle: number
  readonly deadlineMs: number
  readonly kept: number
  readonly fresh: number
  readonly pauseMs: number
  /** Collect garbage now and then, so that only what lives counts as memory. */
  readonly collects: boolean
  readonly progress: (text: string) => void
}

export interface Facts {
  readonly seconds: number
  readonly whole: boolean
  readonly visited: Visited
  /** Of each request: its status, 0 without an answer. */
  readonly statuses: Uint16Array
  /** Which processes have begun each request, in the order of their words. */
  readonly begun: ReadonlyMap<number, readonly number[]>
  readonly kills: readonly Kill[]
  readonly reloads: readonly Reload[]
  readonly sampling: Sampling
  readonly heaps: Heaps
  readonly supervisor: number
  /** When the load was over and everything stood still. */
  readonly status: SiteStatus
  readonly log: readonly LogLine[]
  readonly left: readonly string[]
}

export async function soak(options: SoakOptions): Promise<Facts> {
  const { folder, seconds, whole, kept, fresh, pauseMs, progress } = options
  mkdirSync(folder, { recursive: true })
  writeSite(folder, options)
  const portico = new Soaked(folder, options.collects ? heapEnvironment(folder) : {})
  const { urls } = await portico.settled()
  const port = Number(new URL(urls[0]!).port)
  const file = join(folder, 'statuses')
  const sampling = new Sampling()
  const client = await startClient('soaking', { port, kept, fresh, pauseMs, file })
  const disturbing = new Disturbing(portico, port, whole, options.reloadMs, options.killMs)
  for (let second = 1; second <= seconds && !portico.isOver; second++) {
    await sleep(Math.max(0, second - sampling.seconds) * 1000)
    const { server, totals } = await portico.status()
    sampling.take(portico.pid, server.pid)
    if (second % 15 === 0) {
      const { kills, reloads } = disturbing
      progress(
        `${second}/${seconds} s, ${totals.requests.total} requests, ${reloads.length} reloads, ${kills.length} kills`,
      )
    }
  }
  await disturbing.stop()
  const visited = await client.finish()
  const status = await portico.settled()
  const left = await portico.stop()
  writeFileSync(join(folder, 'samples.json'), JSON.stringify(sampling))
  const bytes = readFileSync(file)
  return {
    seconds: sampling.seconds,
    whole,
    visited,
    statuses: new Uint16Array(new Uint8Array(bytes).buffer),
    begun: journalOf(join(folder, 'journal')),
    kills: disturbing.kills,
    reloads: disturbing.reloads,
    sampling,
    heaps: readHeaps(folder),
    supervisor: portico.pid,
    status,
    log: portico.log(),
    left,
  }
}

function journalOf(file: string): Map<number, number[]> {
  const begun = new Map<number, number[]>()
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    if (line === '') continue
    const [number, pid] = line.split(' ').map(Number) as [number, number]
    const pids = begun.get(number)
    if (pids === undefined) begun.set(number, [pid])
    else pids.push(pid)
  }
  return begun
}
