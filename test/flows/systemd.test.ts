/** A site as a service of systemd: installed, activated by its sockets, watched, reloaded, removed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Systemd } from './support/systemd.ts'
import { ask } from './support/visitor.ts'

const PORTICO = [process.execPath, new URL('../../bin/portico', import.meta.url).pathname]

let folder = ''
let name = ''
let port = 0

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'service-'))
  port = await freePort()
  site('respond: hello')
  name = `portico-${basename(folder)}`
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function site(handler: string): void {
  writeFileSync(
    join(folder, 'site.yaml'),
    `listen: "127.0.0.1:${port}"\nroutes: { /: { ${handler} } }\n`,
  )
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

async function text(): Promise<string> {
  return (await ask(port, '/')).text
}

test('its life, from install to remove', async () => {
  using systemd = await Systemd.start()
  const portico = (...args: string[]) => systemd.run(...PORTICO, ...args)
  const installed = await portico('install', folder, '--scope', 'user', '--now')
  expect(installed).toMatchObject({ code: 0, out: expect.stringContaining('it runs') })
  expect(await systemd.property(name, 'ActiveState')).toBe('active')
  expect(await systemd.property(name, 'StatusText')).toBe(`Serving http://127.0.0.1:${port}/`)
  expect(await text()).toBe('hello')
  // The commands find it where systemd had its sockets put.
  expect((await portico('status', folder)).out).toContain('ready, generation 1')

  site('respond: changed')
  expect((await systemd.run('systemctl', '--user', 'reload', name)).code).toBe(0)
  expect(await text()).toBe('changed')
  site('respond: [')
  expect((await systemd.run('systemctl', '--user', 'reload', name)).code).not.toBe(0)
  expect(await text()).toBe('changed')

  site('respond: hello')
  expect((await portico('install', folder, '--scope', 'user', '--remove')).code).toBe(0)
  await expect(text()).rejects.toThrow()
  expect((await systemd.run('systemctl', '--user', 'cat', name)).code).not.toBe(0)
})

test('its sockets hold visitors while it restarts', async () => {
  using systemd = await Systemd.start()
  await systemd.run(...PORTICO, 'install', folder, '--scope', 'user', '--sockets')
  expect((await systemd.run('systemctl', '--user', 'start', `${name}.socket`)).code).toBe(0)
  // The first visitor starts it.
  expect(await text()).toBe('hello')
  const answers: string[] = []
  let over = false
  const visiting = (async () => {
    while (!over) answers.push(await text())
  })()
  for (let n = 0; n < 2; n++) {
    expect((await systemd.run('systemctl', '--user', 'restart', name)).code).toBe(0)
  }
  over = true
  await visiting
  expect(answers.length).toBeGreaterThan(10)
  expect(new Set(answers)).toEqual(new Set(['hello']))
})

test('a server that hangs is restarted by the watchdog', async () => {
  using systemd = await Systemd.start()
  await systemd.run(...PORTICO, 'install', folder, '--scope', 'user')
  const unit = join(systemd.home, '.config/systemd/user', `${name}.service`)
  writeFileSync(unit, readFileSync(unit, 'utf8').replace(/WatchdogSec=.*/, 'WatchdogSec=2s'))
  await systemd.run('systemctl', '--user', 'daemon-reload')
  await systemd.run('systemctl', '--user', 'start', name)
  expect(await text()).toBe('hello')
  const status = await systemd.run(...PORTICO, 'status', folder, '--json')
  const { server } = JSON.parse(status.out)
  await systemd.run('kill', '-STOP', `${server.pid}`)
  await until(
    'the restart',
    async () => (await systemd.property(name, 'NRestarts')) === '1',
    15_000,
  )
  await until(
    'its answer',
    () =>
      text().then(
        (said) => said === 'hello',
        () => false,
      ),
    15_000,
  )
}, 40_000)
