/** `portico status --watch` on a real terminal, and into a pipe. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { Portico, run } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { Terminal } from './support/terminal.ts'
import { ask } from './support/visitor.ts'

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const LAUNCHER = new URL('../../bin/portico', import.meta.url).pathname

let portico: Portico
let admin = ''

beforeAll(async () => {
  portico = await Portico.serve({
    'hello.py': `def application(environ, start_response):
    start_response('200 OK', [])
    return [b'hello']
`,
    'site.yaml': `
listen: "127.0.0.1:0"
log: { access: off }
routes: { /: { app: shop } }
apps: { shop: { python: "hello:application", workers: 2 } }
`,
  })
  await portico.settled()
  admin = portico.log.find((line) => line.admin !== undefined)!.admin!
}, 40_000)

afterAll(() => portico[Symbol.asyncDispose]())

function watch(rows = 24, columns = 120): Terminal {
  const command = [process.execPath, LAUNCHER, 'status', '--admin', admin, '--watch', '100ms']
  return new Terminal(rows, columns, command)
}

test('is live: what is served shows, keys sort, and a smaller terminal gets less', async () => {
  await using terminal = watch()
  await terminal.shows(/shop:0/)
  expect(terminal.shown.startsWith(ENTER)).toBe(true)
  for (let i = 0; i < 5; i++) await ask(portico.port, '/')
  await terminal.shows(/ shop running +2 +\d +0 +5 /)
  terminal.press('s')
  await terminal.shows(/sort: requests/)
  terminal.press('r')
  await terminal.shows(/sort: requests, reversed/)
  const before = terminal.shown.length
  terminal.resize(8, 40)
  await terminal.shows(/\x1b\[H[\s\S]*\x1b\[J\x1b\[H/, before + 2_000)
  const last = terminal.shown.split('\x1b[H').at(-2)!
  const lines = last.replace(/\x1b\[[\d;?]*[A-Za-z]/g, '').split(/\r+\n/)
  expect(lines.length).toBeLessThanOrEqual(8)
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(40)
  expect(lines.join('\n')).toMatch(/APP .*RPS/)
  terminal.press('q')
  expect((await terminal.ended).code).toBe(0)
  expect(terminal.shown.endsWith(LEAVE)).toBe(true)
})

test.for([
  ['q', (terminal: Terminal) => terminal.press('q')],
  ['Ctrl-C', (terminal: Terminal) => terminal.press('\x03')],
  ['SIGTERM', (terminal: Terminal) => terminal.signal('SIGTERM')],
  ['SIGHUP', (terminal: Terminal) => terminal.signal('SIGHUP')],
  ['SIGINT', (terminal: Terminal) => terminal.signal('SIGINT')],
] as const)('leaves the terminal as it was: %s', async ([, end]) => {
  await using terminal = watch()
  await terminal.shows(/shop:0/)
  end(terminal)
  const { code, restored } = await terminal.ended
  expect([code, restored]).not.toContain(false)
  expect(code).toBe(0)
  expect(terminal.shown.endsWith(LEAVE)).toBe(true)
})

test('into a pipe it is a line of JSON each time, until the reader leaves', async () => {
  const args = [LAUNCHER, 'status', '--admin', admin, '--watch', '100ms']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const seen: SiteStatus[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    seen.push(JSON.parse(line))
    if (seen.length === 3) break
  }
  expect(seen.map(({ pid }) => pid)).toEqual([portico.pid, portico.pid, portico.pid])
  child.stdout.destroy()
  await once(child, 'exit')
  expect(child.exitCode).toBe(0)
})

test('what does not run is said, and an interval must be one', async () => {
  const nobody = await run(process.execPath, [LAUNCHER, 'status', '--admin', '/no/such', '--watch'])
  expect([nobody.code, nobody.err]).toEqual([1, expect.stringMatching(/not running/)])
  for (const interval of ['0', '1ms', 'soon', '2d']) {
    const wrong = await run(process.execPath, [LAUNCHER, 'status', `--watch=${interval}`])
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringMatching(/interval such as 1s/)])
  }
}, 20_000)

test('a site that ends is said, and the view goes on', async () => {
  await using terminal = watch()
  await terminal.shows(/shop:0/)
  kill(portico.pid, 'SIGTERM')
  await portico.exited
  await terminal.shows(/not running: nobody answers/)
  terminal.press('q')
  expect((await terminal.ended).code).toBe(0)
})
