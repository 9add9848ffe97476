import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseOpenMetrics } from '../stats/parse.ts'
import { appPlan, get, sitePlan, TestSite, until } from './site.ts'

test('the pid file is written when ready and removed at the end; a stale one is replaced', async () => {
  await using site = new TestSite((folder) => {
    writeFileSync(join(folder, 'site.pid'), '999999999\n')
    return sitePlan(folder, { pidFile: join(folder, 'site.pid') })
  })
  const file = join(site.folder, 'site.pid')
  await site.ready()
  expect(readFileSync(file, 'utf8')).toBe(`${site.pid}\n`)
  site.child.kill('SIGTERM')
  await site.exited
  expect(existsSync(file)).toBe(false)
})

test('the pid file of a living process is refused', async () => {
  await using site = new TestSite((folder) => {
    writeFileSync(join(folder, 'site.pid'), `${process.pid}\n`)
    return sitePlan(folder, { pidFile: join(folder, 'site.pid') })
  })
  expect((await site.exited).code).toBe(1)
  await site.logged(new RegExp(`^already running: .*site.pid names process ${process.pid}`))
  expect(readFileSync(join(site.folder, 'site.pid'), 'utf8')).toBe(`${process.pid}\n`)
})

test('the pid file of a process that began after it was written is stale', async () => {
  await using site = new TestSite((folder) => {
    const file = join(folder, 'site.pid')
    writeFileSync(file, `${process.pid}\n`)
    // As if written long before this process began.
    spawnTouch(file)
    return sitePlan(folder, { pidFile: file })
  })
  await site.ready()
  expect(readFileSync(join(site.folder, 'site.pid'), 'utf8')).toBe(`${site.pid}\n`)
})

function spawnTouch(file: string): void {
  const past = new Date(Date.now() - process.uptime() * 1000 - 60_000)
  const { utimesSync } = process.getBuiltinModule('node:fs')
  utimesSync(file, past, past)
}

test('the admin socket is for its owner alone; a second supervisor is refused', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  const url = await site.ready()
  const path = join(site.folder, 'admin.sock')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  await using second = new TestSite((folder) => sitePlan(folder, { admin: path }))
  expect((await second.exited).code).toBe(1)
  await second.logged(/^already running: another supervisor answers on .*admin.sock/)
  expect(await get(url)).toMatch(/^1 /)
  expect((await site.admin('GET', '/status')).status).toBe(200)
})

test('a stale admin socket is replaced', async () => {
  await using first = new TestSite((folder) => sitePlan(folder))
  await first.ready()
  first.child.kill('SIGKILL')
  await first.exited
  const path = join(first.folder, 'admin.sock')
  expect(existsSync(path)).toBe(true)
  await using second = new TestSite((folder) => sitePlan(folder, { admin: path }))
  await second.ready()
})

test('the admin socket answers what it does not know', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  await site.ready()
  expect(await site.admin('GET', '/nothing')).toMatchObject({ status: 404 })
  expect(await site.admin('GET', '/reload')).toMatchObject({ status: 405 })
  expect((await site.status()).generation).toBe(1)
})

test('metrics are OpenMetrics', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  const url = await site.ready()
  await get(url)
  const { type, body } = await site.admin('GET', '/metrics')
  expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(body.endsWith('\n# EOF\n')).toBe(true)
  expect(body).toContain('# TYPE portico_requests counter\n')
  expect(body).toContain('\nportico_requests_total 1\n')
  expect(body).toContain('\nportico_answers_total{class="2xx"} 1\n')
  expect(body).toMatch(/\nportico_app_workers\{app="app"\} \d\n/)
  parseOpenMetrics(body)
})

test.for(['file', 'abstract'])('sd_notify over a real datagram socket (%s)', async (kind) => {
  const path =
    kind === 'file'
      ? join(mkdtempSync(join(tmpdir(), 'portico-notify-')), 'notify.sock')
      : `@portico-test-${process.pid}`
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(path)}.replace("@", "\\0"))
print("bound", flush=True)
while True:
    print(repr(s.recv(4096).decode()), flush=True)
`
  const manager = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let heard = ''
  manager.stdout.on('data', (chunk) => {
    heard += chunk
  })
  await once(manager.stdout, 'data')
  try {
    await using site = new TestSite((folder) => sitePlan(folder), {
      NOTIFY_SOCKET: path,
      WATCHDOG_USEC: '100000',
    })
    await site.ready()
    await until('READY', () =>
      heard.includes(`READY=1\\nMAINPID=${site.pid}\\nSTATUS=Serving http`),
    )
    await until('WATCHDOG', () => heard.includes('WATCHDOG=1'))
    const clock = process.hrtime.bigint() / 1000n
    site.child.kill('SIGHUP')
    const time = await until(
      'RELOADING',
      () => /RELOADING=1\\nMONOTONIC_USEC=(\d+)/.exec(heard)?.[1],
    )
    expect(BigInt(time)).toBeGreaterThan(clock)
    await until('READY again', () => heard.split('READY=1').length === 3)
    site.child.kill('SIGTERM')
    await site.exited
    await until('STOPPING', () => heard.includes('STOPPING=1'))
  } finally {
    manager.kill()
  }
})
