/**
 * What applications share against redis-server and memcached, each on a unix socket, server on core 0 and
 * load on core 1: `node bench/stores.ts [rounds] [seconds]`. Rounds go around all of them. Processor time per
 * operation is what to believe on a machine that is not quiet.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LOAD_CORE, SERVER_CORE, start, stop } from './harness/processes.ts'
import { median } from './harness/statistics.ts'
import { type Store, stores } from './rivals/stores.ts'

const [rounds = '5', seconds = '1'] = process.argv.slice(2)
const LOAD = new URL('load/stores.ts', import.meta.url).pathname
const PYTHON = new URL('load/stores.py', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'bench-stores-'))

interface Figure {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly cpu: number
}

const running = stores.map((store, i) => {
  const socket = join(folder, `${i}.sock`)
  const log = join(folder, `${i}.log`)
  const server = start({ argv: store.command(socket, folder) }, String(SERVER_CORE), log)
  return { store, socket, server }
})

/** User and system time, µs; the kernel counts it in hundredths of a second. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) * 10_000
}

function measure(pid: number, argv: readonly string[]): Figure {
  const before = cpuOf(pid)
  const out = execFileSync('taskset', ['-c', String(LOAD_CORE), ...argv], { encoding: 'utf8' })
  const { operations, rate, p50, p99 } = JSON.parse(out)
  return { rate, p50, p99, cpu: (cpuOf(pid) - before) / operations }
}

function asks(store: Store, socket: string, verb: string, connections: number): string[] {
  return [process.execPath, LOAD, store.speaks, socket, verb, String(connections), seconds]
}

const kinds = [
  ...[1, 32].flatMap((connections) =>
    ['set', 'get'].map((verb) => ({
      name: `${verb}, ${connections} connection${connections > 1 ? 's' : ''}`,
      argv: (store: Store, socket: string) => asks(store, socket, verb, connections),
    })),
  ),
  {
    name: 'get from Python',
    argv: (store: Store, socket: string) => [
      '/usr/bin/python3',
      PYTHON,
      store.name,
      socket,
      seconds,
    ],
  },
]

try {
  for (const { socket } of running) while (!existsSync(socket)) await sleep(20)
  await sleep(200)
  for (const { store } of running) console.log(`${store.name}: ${store.version()}`)
  for (const kind of kinds) {
    const figures = new Map<string, Figure[]>()
    for (let round = 0; round < Number(rounds); round++) {
      for (const { store, socket, server } of running) {
        const figure = measure(server.pid, kind.argv(store, socket))
        figures.set(store.name, [...(figures.get(store.name) ?? []), figure])
      }
    }
    console.log(`\n${kind.name}`)
    for (const [name, all] of figures) {
      const of = (key: keyof Figure): number => median(all.map((one) => one[key]))
      console.log(
        `${name.padEnd(30)} ${of('rate').toFixed(0).padStart(8)}/s  p50 ${of('p50').toFixed(0)} µs  p99 ${of('p99').toFixed(0)} µs  CPU ${of('cpu').toFixed(2)} µs`,
      )
    }
  }
} finally {
  await stop(running.map(({ server }) => server))
  rmSync(folder, { recursive: true, force: true })
}
