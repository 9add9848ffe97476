/** Starts one of the load clients of bench/load on the load core. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { CountingOptions, Counts } from '../load/counting.ts'
import type { Downloaded, DownloadingOptions } from '../load/downloading.ts'
import type { Dripped, DrippingOptions } from '../load/dripping.ts'
import type { Held, HoldingOptions } from '../load/holding.ts'
import type { Soaked, SoakingOptions } from '../load/soaking.ts'
import { LOAD_CORE } from './processes.ts'

interface Clients {
  readonly counting: { readonly options: CountingOptions; readonly result: Counts }
  readonly downloading: { readonly options: DownloadingOptions; readonly result: Downloaded }
  readonly dripping: { readonly options: DrippingOptions; readonly result: Dripped }
  readonly holding: { readonly options: HoldingOptions; readonly result: Held }
  readonly soaking: { readonly options: SoakingOptions; readonly result: Soaked }
}

export interface Client<Result> {
  /** Asks it to finish and waits for its result. */
  finish(): Promise<Result>
}

/** How long a client may take to get going, in ms. */
const READY_MS = 30_000

/** Resolves once the client says that it is at work. */
export function startClient<Name extends keyof Clients>(
  name: Name,
  options: Clients[Name]['options'],
): Promise<Client<Clients[Name]['result']>> {
  const program = join(import.meta.dirname, `../load/${name}.ts`)
  const args = ['-c', String(LOAD_CORE), process.execPath, program, JSON.stringify(options)]
  const child = spawn('taskset', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  // The client may end by itself before it is asked to.
  child.stdin.on('error', () => {})
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))

  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      child.kill('SIGKILL')
      reject(new Error(`the ${name} client ${why}`))
    }
    const timer = setTimeout(() => fail(`was not ready within ${READY_MS} ms`), READY_MS)
    child.on('error', (error) => fail(error.message))
    child.on('close', () => fail(`ended too early: ${output}`))
    child.stdout.on('data', (chunk) => {
      output += chunk
      if (!output.startsWith('ready\n')) return
      clearTimeout(timer)
      resolve({
        async finish() {
          child.stdin.end()
          await ended
          const line = output.trimEnd().split('\n').at(-1) ?? ''
          if (!line.startsWith('{')) throw new Error(`the ${name} client gave no result`)
          return JSON.parse(line)
        },
      })
    })
  })
}
