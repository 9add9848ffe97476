/**
 * Jobs through the whole of Portico while everything dies: job workers at random, the broker (or the process
 * that keeps the jobs) twice. Counts what was put, what was done, and what was done twice.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { CommonsClient } from '../../src/cli/commons-client.ts'
import { Portico, PYTHON } from '../flows/support/portico.ts'
import { kill } from '../flows/support/processes.ts'
import { until } from '../supervisor/site.ts'

const APP = `
import os
import portico

done = os.open("done", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)


@portico.job(name="mark")
def mark(number):
    os.write(done, b"%d %d\\n" % (number, os.getpid()))


def application(environ, start_response):
    start_response("200 OK", [])
    return [b""]
`

export interface EnduranceOptions {
  /** The setting `jobs.engine`. */
  readonly engine: string
  readonly jobs: number
  /** A worker is killed so often, ms. */
  readonly killEveryMs: number
  /** Restarts what keeps the jobs; null: the commons process is killed. */
  readonly restart: (() => Promise<void>) | null
}

export interface EnduranceResult {
  readonly done: number
  readonly lost: number
  /** Runs beyond the first of a job. */
  readonly duplicates: number
  readonly workersKilled: number
  readonly restarts: number
  readonly putPerSecond: number
  readonly donePerSecond: number
}

const PUTTERS = 16
const WORKERS = 4
const LONGEST_MS = 600_000

export async function endure(options: EnduranceOptions): Promise<EnduranceResult> {
  const { engine, jobs } = options
  await using portico = await Portico.serve({
    'app.py': APP,
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
state: ./state
jobs:
  engine: "${engine}"
  queues: { default: { retries: 1000, backoff: 50ms } }
routes: { /: { app: app } }
apps:
  app: { python: app, interpreter: ${PYTHON}, workers: 1, jobs: { workers: ${WORKERS} } }
`,
  })
  const { commonsSocket } = await portico.status()
  const runs = new Runs(join(portico.folder, 'done'))
  const restart =
    options.restart ??
    (async () => {
      const commons = portico.processes().find(({ command }) => command.includes('commons/main'))
      if (commons !== undefined) kill(commons.pid)
    })

  let workersKilled = 0
  const killer = setInterval(() => {
    const { last } = runs
    const pid = last[Math.floor(Math.random() * last.length)] ?? 0
    if (pid > 0 && kill(pid)) workersKilled += 1
  }, options.killEveryMs)

  try {
    const startedAt = performance.now()
    const putting = putAll(commonsSocket, jobs)
    let restarts = 0
    for (const share of [0.3, 0.6]) {
      await until(`${share} of the jobs`, () => runs.read() > share * jobs, LONGEST_MS)
      await restart()
      restarts += 1
    }
    await putting
    const putMs = performance.now() - startedAt
    await until('all jobs', () => runs.read() === jobs, LONGEST_MS)
    const seconds = (performance.now() - startedAt) / 1000
    // What is done twice is done within a moment.
    await new Promise((resolve) => setTimeout(resolve, 500))
    const done = runs.read()
    return {
      done,
      lost: jobs - done,
      duplicates: runs.count - done,
      workersKilled,
      restarts,
      putPerSecond: Math.round((jobs / putMs) * 1000),
      donePerSecond: Math.round(jobs / seconds),
    }
  } finally {
    clearInterval(killer)
    runs.close()
  }
}

/** What the jobs have written: `number pid`, a line for each run. */
class Runs {
  readonly #path: string
  readonly #done = new Set<number>()
  #fd = -1
  #rest = ''
  /** Of all runs. */
  count = 0
  /** Processes of the last ones. */
  last: number[] = []

  constructor(path: string) {
    this.#path = path
  }

  /** How many different jobs have run. */
  read(): number {
    if (this.#fd < 0 && existsSync(this.#path)) this.#fd = openSync(this.#path, 'r')
    const bytes = Buffer.alloc(65_536)
    for (let read = -1; this.#fd >= 0 && read !== 0; ) {
      read = readSync(this.#fd, bytes)
      const lines = (this.#rest + bytes.toString('latin1', 0, read)).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) {
        const [number, pid] = line.split(' ').map(Number)
        this.#done.add(number!)
        this.last = [...this.last.slice(-19), pid!]
        this.count += 1
      }
    }
    return this.#done.size
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd)
  }
}

/** Each job again until it is taken: then, and only then, it must be done. */
async function putAll(path: string, jobs: number): Promise<void> {
  let next = 0
  const put = async (): Promise<void> => {
    let client: CommonsClient | null = null
    for (let number = next++; number < jobs; number = next++) {
      for (let taken = false; !taken; ) {
        try {
          client ??= await CommonsClient.at(path)
          const id = `n${number}`
          await client.ask('PORTICO.JOB.PUT', 'default', 'mark', `[${number}]`, 'ID', id)
          taken = true
        } catch {
          client?.close()
          client = null
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    }
    client?.close()
  }
  await Promise.all(Array.from({ length: PUTTERS }, put))
}
