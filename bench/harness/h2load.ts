/** h2load on the load core: HTTP/2 by prior knowledge. It does not tell how long its requests took, one by one. */
import { spawn } from 'node:child_process'
import { LOAD_CORE } from './processes.ts'
import type { Answered, Load } from './wrk.ts'

/** So many requests at a time on every connection. */
export function h2load(streams: number): (url: string, load: Load) => Promise<Answered> {
  return (url, { connections, seconds }) => {
    const args = ['-c', String(LOAD_CORE), 'h2load', '-t1', `-c${connections}`, `-m${streams}`]
    args.push(`-D${seconds}s`, url)
    return new Promise((resolve, reject) => {
      const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      child.stdout.on('data', (chunk) => {
        output += chunk
      })
      child.stderr.on('data', (chunk) => {
        output += chunk
      })
      child.on('error', reject)
      child.on('close', () => {
        const result = read(output, seconds)
        if (result === null) reject(new Error(`h2load gave no summary:\n${output}`))
        else resolve(result)
      })
    })
  }
}

/** Requests that were under way at the end are neither here nor there. */
function read(output: string, seconds: number): Answered | null {
  const requests = / (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(output)
  const codes = / (\d+) 4xx, (\d+) 5xx/.exec(output)
  const bytes = /traffic: .*?\((\d+)\) total/.exec(output)
  if (requests === null || codes === null) return null
  return {
    requests: Number(requests[1]),
    seconds,
    bytes: Number(bytes?.[1] ?? 0),
    errors: {
      connect: 0,
      read: Number(requests[3]),
      write: 0,
      status: Number(codes[1]) + Number(codes[2]),
      timeout: Number(requests[4]),
    },
  }
}
