/** A farm: sites appear, change, fail and disappear with their files, each by itself, as its owner. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { FarmStatus } from '../../src/farm/farm.ts'
import { askAdmin } from '../../src/supervisor/ask-admin.ts'
import { until } from '../supervisor/site.ts'
import { PYTHON } from './support/portico.ts'
import { kill, MARK, marked } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const LAUNCHER = new URL('../../bin/portico', import.meta.url).pathname
const APP = `import os
def application(environ, start):
    start("200 OK", [])
    return [("%s %d %s" % (NAME, os.getuid(), environ["REMOTE_ADDR"])).encode()]
`
/** Debian's, everywhere the same. */
const GAMES = 5
const NEWS = 9
const START_MS = 30_000

let folder = ''
let log = ''
let farm: ChildProcess
let port = 0

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-farm-'))
  chmodSync(folder, 0o755)
  log = ''
})

afterEach(async () => {
  farm.kill('SIGTERM')
  await until(
    'the end of the farm',
    () => farm.exitCode !== null || farm.signalCode !== null,
    20_000,
  )
  for (const { pid } of marked(folder)) kill(pid)
  rmSync(folder, { recursive: true, force: true })
})

async function start(): Promise<void> {
  const admin = join(folder, 'farm.sock')
  const args = [
    'farm',
    '-l',
    '127.0.0.1:0',
    '--every',
    '0.1',
    '--admin',
    admin,
    '--json',
    'srv/*/site.yaml',
  ]
  farm = spawn(process.execPath, [LAUNCHER, ...args], {
    cwd: folder,
    env: { ...process.env, [MARK]: folder, A_SECRET: 'of the farm' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFailed(() => console.log(log))
  farm.stderr!.on('data', (chunk: Buffer) => {
    log += chunk
  })
  const url = await until(
    'the front',
    () => /"urls":"http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1],
    START_MS,
  )
  port = Number(url)
}

function put(name: string, owner: number, text = site(name)): void {
  const place = join(folder, 'srv', name)
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'app.py'), `NAME = ${JSON.stringify(name)}\n${APP}`)
  writeFileSync(join(place, 'site.yaml'), text)
  for (const path of [place, join(place, 'app.py'), join(place, 'site.yaml')])
    chownSync(path, owner, owner)
}

function site(name: string, host = `${name}.test`): string {
  const app = `{ python: app, workers: 1, interpreter: ${PYTHON} }`
  return `hosts: { ${host}: { /: { app: main } } }\napps: { main: ${app} }\n`
}

async function status(): Promise<FarmStatus> {
  return JSON.parse((await askAdmin(join(folder, 'farm.sock'), 'GET', '/status')).body)
}

async function text(host: string): Promise<string> {
  return (await ask(port, '/', { fields: { Host: host } })).text
}

function says(host: string, expected: string | RegExp): Promise<unknown> {
  return until(
    `${host} to say ${expected}`,
    async () => {
      const said = await text(host).catch(() => '')
      return typeof expected === 'string' ? said === expected : expected.test(said)
    },
    START_MS,
  )
}

test('sites come, change and go with their files; what fails harms no other', async () => {
  put('a', GAMES)
  put('bad', GAMES, 'hosts: [')
  await start()
  await says('a.test', `a ${GAMES} 127.0.0.1`)
  put('b', NEWS)
  await says('b.test', `b ${NEWS} 127.0.0.1`)
  expect((await status()).sites).toMatchObject({
    a: { state: 'running', user: 'games', hosts: ['a.test'], restarts: 0 },
    b: { state: 'running', user: 'news', hosts: ['b.test'] },
    bad: { detail: expect.stringContaining('site.yaml:') },
  })

  put('a', GAMES, site('a', 'other.test'))
  await says('other.test', `a ${GAMES} 127.0.0.1`)
  await says('a.test', /no such host here/)
  put('a', GAMES, 'hosts: [')
  await until('the failed reload', async () => (await status()).sites.a?.detail !== '')
  expect((await status()).sites.a).toMatchObject({ state: 'running', restarts: 0 })
  expect(await text('other.test')).toBe(`a ${GAMES} 127.0.0.1`)
  put('bad', GAMES, site('bad'))
  await says('bad.test', `bad ${GAMES} 127.0.0.1`)

  rmSync(join(folder, 'srv/b/site.yaml'))
  await says('b.test', /no such host here/)
  await until('b to be gone', async () => (await status()).sites.b === undefined)
  expect(await text('bad.test')).toBe(`bad ${GAMES} 127.0.0.1`)
}, 120_000)

test('what a tenant puts into its folder decides nothing about where the front goes', async () => {
  put('a', GAMES)
  await start()
  await says('a.test', /^a /)
  const { admin } = JSON.parse(
    log.split('\n').find((line) => line.includes('"site":"a"') && line.includes('urls'))!,
  )
  const place = dirname(dirname(admin))
  const { uid, mode } = lstatSync(join(place, 'a.sock'))
  expect([uid, lstatSync(place).uid, (lstatSync(place).mode & 0o022) === 0]).toEqual([0, 0, true])
  expect(mode & 0o777).toBe(0o666)
})

test('a site that is killed comes back; it sees nothing of the farm; none outlives it', async () => {
  put('a', GAMES)
  await start()
  await says('a.test', /^a /)
  const pid = (await status()).sites.a!.pid
  const environment = execFileSync('cat', [`/proc/${pid}/environ`]).toString()
  expect(environment).not.toContain('of the farm')
  const all = () => readdirSync('/proc').filter((name) => commandOf(name).includes(folder))
  kill(pid)
  await until('its restart', async () => (await status()).sites.a?.restarts === 1, START_MS)
  await says('a.test', /^a /)
  expect(all().length).toBeGreaterThan(1)
  kill(farm.pid!)
  await until('the end of all', () => all().length === 0, 15_000)
}, 120_000)

function commandOf(pid: string): string {
  if (!/^\d+$/.test(pid)) return ''
  try {
    return execFileSync('cat', [`/proc/${pid}/cmdline`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString()
  } catch {
    return ''
  }
}
