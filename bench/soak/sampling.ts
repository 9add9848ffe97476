/** Once a second: memory and open files of the supervisor and of its server, by process. */
import { readdirSync } from 'node:fs'
import { lookAt } from '../../test/flows/support/processes.ts'
import { tree } from '../harness/proc.ts'
import type { Sample } from './slope.ts'

export interface Watched {
  /** Bytes. */
  readonly memory: Sample[]
  readonly files: Sample[]
}

export class Sampling {
  readonly #startedAt = performance.now()
  readonly supervisor: Watched = { memory: [], files: [] }
  /** Every server process, by its number, in the order of their births. */
  readonly servers: Map<number, Watched> = new Map()
  readonly processes: Sample[] = []

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000
  }

  toJSON(): object {
    const { supervisor, servers, processes } = this
    return { supervisor, servers: Object.fromEntries(servers), processes }
  }

  take(supervisor: number, server: number): void {
    const at = this.seconds
    note(this.supervisor, supervisor, at)
    const watched = this.servers.get(server) ?? { memory: [], files: [] }
    this.servers.set(server, watched)
    note(watched, server, at)
    this.processes.push({ at, value: tree([supervisor]).length })
  }
}

function note({ memory, files }: Watched, pid: number, at: number): void {
  const process = lookAt(pid)
  if (process === null) return
  memory.push({ at, value: process.memory })
  try {
    files.push({ at, value: readdirSync(`/proc/${pid}/fd`).length })
  } catch {
    // It has just ended.
  }
}
