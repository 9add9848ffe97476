/** uwsgitop of PyPI, as it is, on a terminal of its own, reads our statistics. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico } from '../flows/support/portico.ts'
import { Terminal } from '../flows/support/terminal.ts'
import { ask } from '../flows/support/visitor.ts'
import { makeVenv } from './venv.ts'

let folder = ''
let venv = ''

beforeAll(() => {
  ;({ folder, venv } = makeVenv(['uwsgitop']))
}, 180_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each(['plain', 'http'])(
  '%s',
  async (how) => {
    await using portico = await Portico.serve({
      'hello.py': `def application(environ, start_response):
    start_response('200 OK', [])
    return [b'hello']
`,
      'site.yaml': `
listen: "127.0.0.1:0"
log: { access: off }
routes: { /: { app: shop } }
apps: { shop: { python: "hello:application", workers: 2 } }
stats: { uwsgi: "127.0.0.1:0" }
`,
    })
    const { apps } = await portico.settled()
    const { message } = await portico.logged(/uWSGI's stats on/)
    const address = message.split(' ').at(-1)!
    for (let i = 0; i < 7; i++) await ask(portico.port, '/')
    const command = [
      join(venv, 'bin', 'python'),
      join(venv, 'bin', 'uwsgitop'),
      how === 'http' ? `http://${address}/` : address,
    ]
    await using terminal = new Terminal(24, 160, command)
    await terminal.shows(/uwsgi-portico-.* req: 7 - RPS: /)
    await terminal.shows(new RegExp(`masterpid: ${portico.pid}`))
    for (const { pid } of apps.shop!.workers) await terminal.shows(new RegExp(`\\b${pid}\\b`))
    // Its views of cores.
    terminal.press('a')
    await terminal.shows(/1:0/)
    terminal.press('a')
    terminal.press('q')
    expect((await terminal.ended).code).toBe(0)
  },
  60_000,
)
