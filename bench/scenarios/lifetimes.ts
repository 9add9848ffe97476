/** How long a visitor waits for a worker that is not there: killed, or sent to sleep. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HELLO } from '../harness/expected.ts'
import { PYTHON } from '../harness/machine.ts'
import { workersOf } from '../harness/proc.ts'
import { signal } from '../harness/processes.ts'
import type { Rival, Site } from '../harness/rival.ts'
import { type Bench, inTurn, type Row, type Scenario } from '../harness/scenario.ts'
import { answerIsWrong, type Server, serve } from '../harness/server.ts'
import { median } from '../harness/statistics.ts'
import { gunicornSync } from '../rivals/gunicorn.ts'
import { PORTICO, portico, siteOf } from '../rivals/portico.ts'
import { uwsgi, uwsgiVersion } from '../rivals/uwsgi-command.ts'

const APPS = join(import.meta.dirname, '../apps')
const SITE: Site = { kind: 'wsgi', module: 'flask_hello', workers: 1 }
const WORKER = /python|uwsgi/
/** After so long without a request there is no worker; sleepers look about once a second. */
const IDLE_S = 1
const ASLEEP_MS = 15_000
const RETRY_MS = 2

/** Without nginx: what is measured is its own. */
const uwsgiAlone: Rival = {
  name: 'uWSGI',
  version: uwsgiVersion,
  serve: (_site, _dir, port) => [uwsgi('flask_hello', 1, ['--http11-socket', `127.0.0.1:${port}`])],
}

const gunicornPreload: Rival = {
  ...gunicornSync,
  name: 'Gunicorn --preload',
  serve: (site, dir, port) =>
    gunicornSync.serve(site, dir, port).map((command) => ({
      ...command,
      argv: [...command.argv, '--preload'],
    })),
}

const porticoAsleep: Rival = {
  ...portico,
  serve(_site, dir, port) {
    const file = join(dir, 'site.yaml')
    const workers = `{ min: 0, max: 1, idle: ${IDLE_S}s, every: 100ms }`
    const content = `hosts: { "*": { /: { app: bench } } }
apps:
  bench: { python: "flask_hello:application", interpreter: ${PYTHON}, dir: ${APPS}, workers: ${workers} }
`
    writeFileSync(file, siteOf(content, dir, `127.0.0.1:${port}`))
    return [{ argv: [PORTICO, 'serve', file], cwd: dir }]
  },
}

const uwsgiAsleep: Rival = {
  ...uwsgiAlone,
  name: 'uWSGI --cheap --idle',
  serve: (_site, _dir, port) => {
    const listen = ['--http11-socket', `127.0.0.1:${port}`, '--cheap', '--idle', `${IDLE_S}`]
    return [uwsgi('flask_hello', 1, listen)]
  },
}

const columns: Scenario['columns'] = [
  { key: 'wait', title: 'median', format: 'millis' },
  { key: 'worst', title: 'the worst', format: 'millis' },
]

export const respawn: Scenario = {
  name: 'respawn',
  title:
    'The only worker, with Flask in it, is killed with -9: from then to the next right answer, asked for at once and again every 2 ms.',
  columns,
  run: (bench) =>
    inTurn([portico, uwsgiAlone, gunicornPreload], bench, (rival) =>
      measure('respawn', rival, bench, async (server) => {
        const [victim] = workersOf(server.pids, WORKER)
        if (victim === undefined) throw new Error(`${rival.name} has no worker`)
        const began = performance.now()
        signal(victim, 'SIGKILL')
        return began
      }),
    ),
}

export const wake: Scenario = {
  name: 'wake',
  title:
    'Nobody came for a second, so the application has no worker: from the next request to its right answer. Gunicorn has nothing like it.',
  columns,
  run: (bench) =>
    inTurn([porticoAsleep, uwsgiAsleep], bench, (rival) =>
      measure('wake', rival, bench, async (server) => {
        const until = Date.now() + ASLEEP_MS
        while (workersOf(server.pids, WORKER).length > 0) {
          if (Date.now() > until) throw new Error(`${rival.name} does not fall asleep`)
          await sleep(50)
        }
        return performance.now()
      }),
    ),
}

/** `begin` takes the worker away and says when the wait began. */
async function measure(
  name: string,
  rival: Rival,
  bench: Bench,
  begin: (server: Server) => Promise<number>,
): Promise<Row> {
  const server = await serve(rival, SITE, HELLO, bench.scratch)
  try {
    const waits: number[] = []
    for (let run = 0; run < (bench.quick ? 3 : 9); run++) {
      const began = await begin(server)
      while ((await answerIsWrong(server.url, HELLO)) !== undefined) await sleep(RETRY_MS)
      waits.push(performance.now() - began)
      await sleep(200)
    }
    const wait = median(waits)
    bench.progress(`${name} ${rival.name} ${Math.round(wait)} ms`)
    return { rival: rival.name, values: { wait, worst: Math.max(...waits) }, remarks: [] }
  } finally {
    await server.stop()
  }
}
