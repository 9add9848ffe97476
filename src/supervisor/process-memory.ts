/** What memory a process holds, as Linux tells it in /proc; elsewhere nothing is known. */
import { readFileSync } from 'node:fs'

export interface ProcessMemory {
  /** Pages in memory, those that it shares with others included, bytes. */
  readonly resident: number
  readonly addressSpace: number
}

export function memoryOf(pid: number): ProcessMemory {
  try {
    return readStatus(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return { resident: 0, addressSpace: 0 }
  }
}

/** proc(5): `VmRSS` and `VmSize`, in KiB. */
export function readStatus(text: string): ProcessMemory {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024
  return { resident: bytes('VmRSS'), addressSpace: bytes('VmSize') }
}
