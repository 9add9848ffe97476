/** Processes beside the workers, over Python's real warm parent. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { psgi } from '../../src/runtimes/perl/runtime.ts'
import { python } from '../../src/runtimes/python/runtime.ts'
import type { Runtime } from '../../src/runtimes/runtime.ts'
import { isAlive } from '../../src/supervisor/alive.ts'
import { AppInServer } from '../../src/supervisor/app-in-server.ts'
import { AppProcess } from '../../src/supervisor/app-process.ts'
import { createLogger } from '../../src/supervisor/logger.ts'
import { quartersIn } from '../isolation/quarters.ts'
import { appsFolder, debianPython } from '../runtimes/python/supervisor.ts'
import { appPlan, until } from './site.ts'

const lines: string[] = []
const logger = createLogger(
  { write: (line) => lines.push(line) },
  { format: 'json', colours: false, level: 'debug' },
)

function start(change: Parameters<typeof appPlan>[0] = {}, runtime: Runtime = python) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-roles-'))
  const file = join(folder, 'notes')
  const env = { NOTES: file }
  const plan = appPlan({ module: 'roles', dir: appsFolder, python: debianPython, env, ...change })
  const app = new AppProcess({
    app: plan,
    runtime,
    quarters: quartersIn(folder, plan, logger),
    dev: false,
    logger,
    stopMs: 2_000,
    before: 0,
    dismiss: async () => {},
    changed: () => {},
    declared: () => {},
  })
  onTestFinished(async () => {
    await app.stop(2_000)
    rmSync(folder, { recursive: true })
  })
  app.start()
  return { app, file }
}

const call = (target: string, ...args: unknown[]) => ({
  kind: 'call',
  target: `roles:${target}`,
  arguments: args,
})

const mule = (target: string) => ({ kind: 'mule', target: `roles:${target}`, number: 1 })

function notes(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

test('once: its end is told, its process is none of the workers', async () => {
  const { app, file } = start()
  // Asked before the application has loaded.
  const ended = app.once(call('note', file), 5_000)
  expect(await ended).toEqual({ code: 0, signal: null, timedOut: false })
  const [line = ''] = notes(file)
  expect(line).toMatch(/^called \d+$/)
  await app.settled()
  expect(app.facts.workers.map(({ slot }) => slot)).toEqual([0, 1])
  expect(app.facts.roles).toEqual([])
  expect(await app.once(call('leave', 7), 0)).toMatchObject({ code: 7 })
  expect(await app.once(call('fail'), 0)).toMatchObject({ code: 1 })
  await until('the traceback', () => lines.some((line) => line.includes('LookupError: on purpose')))
})

test('once: killed when its time is over', async () => {
  const { app, file } = start()
  const end = await app.once(call('wait', file), 300)
  expect(end).toEqual({ code: null, signal: 9, timedOut: true })
})

test('once: rejects when the application does not load, or stops before', async () => {
  const { app } = start({ module: 'no_such_module' })
  await expect(app.once(call('note', '/'), 0)).rejects.toThrow('call did not run: it did not load')
  await expect(app.once(call('note', '/'), 0)).rejects.toThrow('it did not load')
})

test('kept: started again when it dies, with its parent too; gone when it is told to stop', async () => {
  const { app, file } = start()
  const kept = app.keep(mule('stay'))
  const first = await until('the process', () => kept.pid > 0 && kept.pid)
  await until('its first note', () => notes(file).length === 1)
  process.kill(first, 'SIGKILL')
  const second = await until('its successor', () => ![0, first].includes(kept.pid) && kept.pid)
  await until('its note', () => notes(file).length === 2)
  expect(app.facts.roles).toMatchObject([{ kind: 'mule', pid: second, restarts: 1 }])
  process.kill(app.facts.parent, 'SIGKILL')
  const third = await until(
    'one of the next parent',
    () => ![0, second].includes(kept.pid) && kept.pid,
  )
  expect(isAlive(second)).toBe(false)
  await kept.stop()
  expect(isAlive(third)).toBe(false)
  expect(app.facts.roles).toEqual([])
})

test('kept: one that ends at once is started ever more slowly; the application ends it', async () => {
  const { app, file } = start()
  app.keep(mule('pass_by'))
  app.keep(mule('stay'))
  await until('a few lives', () => notes(file).length >= 4)
  expect(
    lines.some((line) => /mule ended \(exit code 0\); the next one starts in \d+ ms/.test(line)),
  ).toBe(true)
  const [waiting] = app.facts.roles ?? []
  await app.stop(2_000)
  expect(isAlive(waiting?.pid ?? 0)).toBe(false)
})

test('where there is no such thing, the reason is told', async () => {
  const { app } = start({}, { ...python, roles: false })
  expect(() => app.keep(call('wait'))).toThrow(/run nothing beside their workers/)
  await expect(app.once(call('wait'), 0)).rejects.toThrow(/application app cannot have a process/)
  const inServer = new AppInServer('api', logger)
  expect(() => inServer.keep(call('wait'))).toThrow(/the server's own applications/)
  expect(psgi.roles).toBe(undefined)
})
