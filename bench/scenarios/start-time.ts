/** From the command to the first right answer, as somebody waits who restarts a server. */
import { dirname, join } from 'node:path'
import { HELLO } from '../harness/expected.ts'
import { PYTHON } from '../harness/machine.ts'
import { cpuSeconds } from '../harness/proc.ts'
import type { Rival } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { serve } from '../harness/server.ts'
import { median } from '../harness/statistics.ts'
import { granian } from '../rivals/granian.ts'
import { gunicornGthread } from '../rivals/gunicorn.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { PORTICO, portico } from '../rivals/portico.ts'

const APPS = join(import.meta.dirname, '../apps')
const POLL_MS = 2

/**
 * Portico as it is started by hand, without a site file. The Python that everybody runs on comes first
 * in PATH: a version manager's stand-in for it would be measured otherwise.
 */
const porticoByHand: Rival = {
  ...portico,
  serve: (_site, _dir, port) => [
    {
      argv: [PORTICO, 'serve', 'hello:application', '--listen', `127.0.0.1:${port}`],
      cwd: APPS,
      env: { PATH: `${dirname(PYTHON)}:${process.env.PATH}` },
    },
  ],
}

export const startTime: Scenario = {
  name: 'start-time',
  title:
    'From the start of `portico serve hello:application` (and what others have for it) to the first right answer, asked for every 2 ms; median of all starts.',
  columns: [
    { key: 'first', title: 'on one core', format: 'millis' },
    { key: 'worst', title: 'the worst', format: 'millis' },
    { key: 'cpu', title: 'CPU', format: 'millis' },
    { key: 'free', title: 'on both cores', format: 'millis' },
  ],
  run: (bench) => inTurn([porticoByHand, nginxUwsgi, gunicornGthread, granian], bench, measure),
}

async function measure(rival: Rival, bench: Bench): Promise<Row> {
  const pinned: Start[] = []
  const free: Start[] = []
  for (let run = 0; run < (bench.quick ? 3 : 9); run++) {
    pinned.push(await once(rival, bench, '0'))
    free.push(await once(rival, bench, '0,1'))
  }
  const first = median(pinned.map((start) => start.elapsed))
  bench.progress(`start-time ${rival.name} ${Math.round(first)} ms`)
  return {
    rival: rival.name,
    values: {
      first,
      worst: Math.max(...pinned.map((start) => start.elapsed)),
      cpu: median(pinned.map((start) => start.cpu)),
      free: median(free.map((start) => start.elapsed)),
    },
    remarks: [],
  }
}

/** Both in ms. */
interface Start {
  readonly elapsed: number
  readonly cpu: number
}

async function once(rival: Rival, bench: Bench, cores: string): Promise<Start> {
  const site = { kind: 'wsgi', module: 'hello', workers: 1 } as const
  const before = performance.now()
  const server = await serve(rival, site, HELLO, bench.scratch, cores, POLL_MS)
  const elapsed = performance.now() - before
  const cpu = cpuSeconds(server.pids) * 1000
  await server.stop()
  return { elapsed, cpu }
}
