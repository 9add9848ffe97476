/** Processes beside the workers, over the real warm parents of every language that has them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { node } from '../../src/runtimes/node/runtime.ts'
import { psgi } from '../../src/runtimes/perl/runtime.ts'
import { python } from '../../src/runtimes/python/runtime.ts'
import type { Runtime } from '../../src/runtimes/runtime.ts'
import type { AppPlan } from '../../src/site/plan.ts'
import { AppInServer } from '../../src/supervisor/app-in-server.ts'
import { AppProcess } from '../../src/supervisor/app-process.ts'
import { createLogger } from '../../src/supervisor/logger.ts'
import { isAlive } from '../../src/system/alive.ts'
import { quartersIn } from '../isolation/quarters.ts'
import { appsFolder, debianPython } from '../runtimes/python/supervisor.ts'
import { appPlan, until } from './site.ts'

const lines: string[] = []
const logger = createLogger(
  { write: (line) => lines.push(line) },
  { format: 'json', colours: false, level: 'debug' },
)

interface Language {
  readonly name: string
  readonly runtime: Runtime
  /** `env`: variables of the application. */
  readonly plan: (env: Record<string, string>) => AppPlan
  /** One that cannot be loaded. */
  readonly broken: () => AppPlan
  /** The module with what is called, as targets name it. */
  readonly module: string
}

const common = { dir: appsFolder, workers: 2, queue: 100, startTimeoutMs: 5_000 }
const deadlines = { deadlineMs: 0, softDeadlineMs: 0, queueDeadlineMs: 0 }

const languages: readonly Language[] = [
  {
    name: 'Python',
    runtime: python,
    plan: (env) => appPlan({ module: 'roles', dir: appsFolder, python: debianPython, env }),
    broken: () => appPlan({ module: 'no_such_module', dir: appsFolder, python: debianPython }),
    module: 'roles',
  },
  {
    name: 'Node',
    runtime: node,
    plan: (env) => nodePlan('roles.ts', env),
    broken: () => nodePlan('no-such-module.ts', {}),
    module: './roles.ts',
  },
]

function nodePlan(file: string, env: Record<string, string>): AppPlan {
  return {
    ...{ ...common, ...deadlines, kind: 'node', name: 'app', file: join(appsFolder, file), env },
    ...{ mode: 'auto', run: 'processes', interpreter: '', concurrency: 100 },
  }
}

function start(runtime: Runtime, planned: (notes: string) => AppPlan) {
  const folder = mkdtempSync(join(tmpdir(), 'portico-roles-'))
  const file = join(folder, 'notes')
  const plan = planned(file)
  const app = new AppProcess({
    app: plan,
    runtime,
    quarters: quartersIn(folder, plan, logger, [join(folder, 'link-0.sock')]),
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

function notes(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

describe.each(languages)('$name', ({ runtime, plan, broken, module }) => {
  const call = (target: string, ...args: unknown[]) => ({
    kind: 'call',
    target: `${module}:${target}`,
    arguments: args,
  })
  const mule = (target: string) => ({ kind: 'mule', target: `${module}:${target}`, number: 1 })

  test('once: its end is told, its process is none of the workers', async () => {
    const { app, file } = start(runtime, (NOTES) => plan({ NOTES }))
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
    await until('the traceback', () =>
      lines.some((line) => line.includes('LookupError: on purpose')),
    )
  })

  test('once: killed when its time is over', async () => {
    const { app, file } = start(runtime, (NOTES) => plan({ NOTES }))
    const end = await app.once(call('wait', file), 300)
    expect(end).toEqual({ code: null, signal: 9, timedOut: true })
  })

  test('once: rejects when the application does not load, or stops before', async () => {
    const { app } = start(runtime, broken)
    await expect(app.once(call('note', '/'), 0)).rejects.toThrow(
      'call did not run: it did not load',
    )
    await expect(app.once(call('note', '/'), 0)).rejects.toThrow('it did not load')
  })

  test('kept: started again when it dies, with its parent too; gone when it is told to stop', async () => {
    const { app, file } = start(runtime, (NOTES) => plan({ NOTES }))
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
    const { app, file } = start(runtime, (NOTES) => plan({ NOTES }))
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
})

describe('Node', () => {
  const call = (target: string) => ({ kind: 'call', target: `./roles.ts:${target}` })
  const begin = () => start(node, (NOTES) => nodePlan('roles.ts', { NOTES }))

  test('a call that nothing will ever end is told as such; a method is one of its object', async () => {
    const { app, file } = begin()
    expect(await app.once(call('hang'), 5_000)).toMatchObject({ code: 1, timedOut: false })
    await until('the reason', () => lines.some((line) => line.includes('it has not ended, but')))
    expect(await app.once(call('inner.note'), 5_000)).toMatchObject({ code: 0 })
    expect(notes(file)).toHaveLength(1)
    expect(await app.once(call('inner.nothing'), 5_000)).toMatchObject({ code: 1 })
    await until('what is there', () =>
      lines.some((line) =>
        /exports no function inner.nothing; what it exports: .*pass_by/.test(line),
      ),
    )
  })

  test('a mule that listens for SIGTERM ends in its own way', async () => {
    const { app, file } = begin()
    const kept = app.keep({ kind: 'mule', target: './roles.ts:careful', number: 1 })
    await until('it', () => notes(file).length === 1)
    await kept.stop()
    expect(notes(file)[1]).toMatch(/^orderly/)
  })
})

test('where there is no such thing, the reason is told', async () => {
  const role = { kind: 'call', target: 'roles:wait', arguments: [] }
  const runtime = { ...python, roles: false }
  const { app } = start(runtime, () => appPlan({ module: 'roles', dir: appsFolder }))
  expect(() => app.keep(role)).toThrow(/run nothing beside their workers/)
  await expect(app.once(role, 0)).rejects.toThrow(/application app cannot have a process/)
  const inServer = new AppInServer('api', logger)
  expect(() => inServer.keep(role)).toThrow(/the server's own applications/)
  expect(psgi.roles).toBe(undefined)
})
