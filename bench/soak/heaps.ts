/** What lives in the JavaScript heaps of a soak's processes after each collection: see heap-probe.mjs. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sample } from './slope.ts'

/** By process, then by thread; bytes. */
export type Heaps = ReadonlyMap<number, ReadonlyMap<number, readonly Sample[]>>

const NAME = 'heap'

/** What Portico's environment needs for it. */
export function heapEnvironment(folder: string): Record<string, string> {
  const probe = join(import.meta.dirname, 'heap-probe.mjs')
  return { NODE_OPTIONS: `--import=${probe}`, PORTICO_HEAP_FILE: join(folder, NAME) }
}

export function readHeaps(folder: string): Heaps {
  const heaps = new Map<number, Map<number, Sample[]>>()
  const file = join(folder, NAME)
  if (!existsSync(file)) return heaps
  for (const line of readFileSync(file, 'latin1').trimEnd().split('\n')) {
    const [ms, pid, thread, value] = line.split(' ').map(Number) as [number, number, number, number]
    const threads = heaps.get(pid) ?? new Map<number, Sample[]>()
    heaps.set(pid, threads)
    const samples = threads.get(thread) ?? []
    threads.set(thread, samples)
    samples.push({ at: ms / 1000, value })
  }
  return heaps
}
