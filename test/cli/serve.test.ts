import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isAlive } from '../../src/system/alive.ts'
import { get, until } from '../supervisor/site.ts'
import { appFolder, portico, Served, writeApp } from './portico.ts'

const APP = ['app:application', '-b', '127.0.0.1:0', '-w', '1', '--server-threads', '1']

test('serve, status, reload, stop: a whole life', async () => {
  const folder = appFolder('one')
  await using site = new Served(folder, APP)
  const url = await site.ready()
  expect(await get(url)).toBe('one')

  // The server's threads publish their counters a few times a second.
  const status = await until('the request to be counted', () => {
    const run = portico(['status', 'app:application'], folder)
    return (
      /^answers +2xx 1$/m.test(run.out) && /^app +running +1 +0 +0 +1 +0 /m.test(run.out) && run
    )
  })
  expect(status.code).toBe(0)
  expect(status.out).toMatch(/^urls {6}http:\/\/127.0.0.1:\d+\/$/m)
  expect(status.out).toMatch(/^state {5}ready, generation 1$/m)
  expect(status.out).toMatch(/^\* \/ +1 +0 +0 +3 B /m)

  writeApp(folder, 'two')
  const reload = portico(['reload', 'app:application', '--json'], folder)
  expect(JSON.parse(reload.out)).toEqual({ ok: true, message: '', generation: 2 })
  expect(await get(url)).toBe('two')

  writeFileSync(join(folder, 'app.py'), 'import nothing_like_this\n')
  const refused = portico(['reload', 'app:application'], folder)
  expect(refused.code).toBe(1)
  expect(refused.err).toMatch(/^not reloaded, the site serves as before: [\s\S]*nothing_like_this/)
  expect(await get(url)).toBe('two')

  const metrics = portico(['status', 'app:application', '--metrics'], folder)
  expect(metrics.out).toMatch(/^portico_reloads_total\{result="failed"\} 1$/m)
  const facts = JSON.parse(portico(['status', 'app:application', '--json'], folder).out)
  expect(facts).toMatchObject({ generation: 2, apps: { app: { state: 'running', connected: 1 } } })

  const stop = portico(['stop', 'app:application'], folder)
  expect(stop).toEqual({ code: 0, out: `stopped (pid ${facts.pid})\n`, err: '' })
  expect(await site.exited).toEqual({ code: 0, signal: null })
}, 40_000)

test('an application of a site that cannot be imported: its traceback in the log, the site goes on', async () => {
  const folder = appFolder()
  writeFileSync(join(folder, 'app.py'), 'import nothing_like_this\napplication = None\n')
  writeFileSync(
    join(folder, 'site.yaml'),
    'listen: "127.0.0.1:0"\nroutes: { /: { app: app } }\napps: { app: { python: app } }\n',
  )
  await using site = new Served(folder, ['site.yaml'])
  const url = await site.ready()
  await until('the traceback', () => site.err.includes('nothing_like_this'))
  expect(await get(url)).toMatch(/500/)
  writeApp(folder, 'mended')
  expect(portico(['reload', 'site.yaml'], folder).code).toBe(0)
  expect(await get(url)).toBe('mended')
}, 30_000)

test('nothing but an application that cannot be imported: its traceback, and no server', async () => {
  const folder = appFolder()
  writeFileSync(join(folder, 'app.py'), 'import nothing_like_this\napplication = None\n')
  await using site = new Served(folder, APP)
  expect(await site.exited).toEqual({ code: 1, signal: null })
  expect(site.err.split("No module named 'nothing_like_this'")).toHaveLength(2)
  const { message } = JSON.parse(site.err.trim().split('\n').at(-1) ?? '')
  expect(message).toBe('application app did not load, see above')
  expect(site.err).not.toContain('"urls"')
}, 30_000)

test('--reload: a changed file is served without being asked', async () => {
  const folder = appFolder('one')
  await using site = new Served(folder, [...APP, '--reload'])
  const url = await site.ready()
  expect(await get(url)).toBe('one')
  writeApp(folder, 'two')
  await until('the new version', async () => (await get(url)) === 'two')
}, 20_000)

test('a site file that has become invalid can still be stopped', async () => {
  const folder = appFolder('one')
  const file = join(folder, 'site.yaml')
  writeFileSync(file, 'listen: "127.0.0.1:0"\nhosts:\n  "*":\n    /: { respond: pong }\n')
  await using site = new Served(folder, ['site.yaml'])
  expect(await get(await site.ready())).toBe('pong')
  writeFileSync(file, 'listen: [\n')
  expect(portico(['stop', 'site.yaml'], folder).code).toBe(0)
  await site.exited
}, 20_000)

test('killed (-9), the real server, parent and workers end', async () => {
  await using site = new Served(appFolder(), APP)
  await site.ready()
  const { server, apps } = await until('the worker', () => {
    const { out } = portico(['status', 'app:application', '--json'], site.folder)
    const status = JSON.parse(out)
    return status.apps.app.connected === 1 && status
  })
  const pids = [server.pid, apps.app.parent, apps.app.workers[0].pid]
  expect(pids.every(isAlive)).toBe(true)
  site.child.kill('SIGKILL')
  await until('all to end', () => !pids.some(isAlive))
}, 20_000)

const oldNode = spawnSync('/usr/bin/node', ['--version'], { encoding: 'utf8' }).stdout ?? ''
test.runIf(/^v(18|20|22)\./.test(oldNode))(
  'started by an older Node, it is the same process that serves and gets the signals',
  async () => {
    await using site = new Served(appFolder(), APP, '/usr/bin/node')
    await site.ready()
    const { out } = portico(['status', 'app:application', '--json'], site.folder)
    expect(JSON.parse(out).pid).toBe(site.child.pid)
    site.child.kill('SIGTERM')
    expect(await site.exited).toEqual({ code: 0, signal: null })
  },
)
