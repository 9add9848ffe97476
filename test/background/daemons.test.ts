import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Daemons } from '../../src/background/daemons.ts'
import type { DaemonPlan } from '../../src/site/background-plan.ts'
import { isAlive } from '../../src/system/alive.ts'
import { until } from '../supervisor/site.ts'
import { Log } from './support/fake-clock.ts'

class Site {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'portico-daemons-'))
  readonly log: Log = new Log()
  readonly daemons: Daemons = new Daemons(this.log.logger)

  constructor() {
    onTestFinished(async () => {
      await this.daemons.stop(AbortSignal.abort())
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  plan(run: string, change: Partial<DaemonPlan> = {}): DaemonPlan {
    return {
      name: 'it',
      command: {
        argv: ['/bin/sh', '-c', run],
        dir: this.folder,
        env: { PLACE: this.folder },
        user: '',
        group: '',
      },
      restart: 'always',
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 2_000,
      ready: { kind: 'started' },
      startTimeoutMs: 2_000,
      ...change,
    }
  }

  async serve(...plans: DaemonPlan[]): Promise<void> {
    const named = Object.fromEntries(plans.map((plan) => [plan.name, plan]))
    await this.daemons.prepare(named, null)
    await this.daemons.commit(named)
  }

  pid(name = 'it'): number {
    return this.daemons.facts.find((one) => one.name === name)?.pid ?? 0
  }

  read(name: string): string {
    const path = join(this.folder, name)
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }

  get messages(): string {
    return this.log.lines.map((line) => line.message).join('\n')
  }
}

it('a real redis-server is ready when it answers, and comes back when it is killed', async () => {
  const site = new Site()
  const path = join(site.folder, 'redis.sock')
  const run = `exec redis-server --port 0 --unixsocket ${path} --save ''`
  await site.serve(site.plan(run, { name: 'redis', ready: { kind: 'unix', path } }))
  expect(existsSync(path)).toBe(true)
  expect(site.messages).toContain('Ready to accept connections'.slice(1))
  const first = site.pid('redis')
  process.kill(first, 'SIGKILL')
  await until('another', () => site.pid('redis') > 0 && site.pid('redis') !== first)
  expect(site.messages).toContain('daemon redis ended (SIGKILL); started again at once')
})

it('what runs in a shell that ends at once has the time to end as well', async () => {
  const site = new Site()
  const worker = 'trap "sleep 0.3; echo saved > $PLACE/saved; exit" TERM; echo up; sleep 60 & wait'
  const run = `sh -c '${worker}'; true`
  await site.serve(site.plan(run, { ready: { kind: 'log', pattern: '^up' } }))
  const beganAt = performance.now()
  await site.daemons.stop(new AbortController().signal)
  expect(site.read('saved')).toBe('saved\n')
  // Nobody waits for those that have ended and are not buried.
  expect(performance.now() - beganAt).toBeLessThan(1_500)
})

it('a line of its output says that it is ready', async () => {
  const site = new Site()
  const run = 'echo waking; sleep 0.2; echo now listening; sleep 60'
  const beganAt = performance.now()
  await site.serve(site.plan(run, { ready: { kind: 'log', pattern: '^now l' } }))
  expect(performance.now() - beganAt).toBeGreaterThan(190)
  expect(site.log.lines).toContainEqual(
    expect.objectContaining({ message: 'waking', daemon: 'it', level: 'info' }),
  )
})

it('one that is not ready in time is told with its last words, and kept alive', async () => {
  const site = new Site()
  const plan = site.plan('echo no database; sleep 60', {
    ready: { kind: 'log', pattern: 'never' },
    startTimeoutMs: 200,
  })
  await expect(site.serve(plan)).rejects.toThrow(/not ready within 0.2 s\nno database/)
})

it('one that cannot be started says why', async () => {
  const site = new Site()
  const plan = site.plan('', { startTimeoutMs: 100 })
  const command = { ...plan.command, argv: ['/nowhere/at-all'] }
  await expect(site.serve({ ...plan, command })).rejects.toThrow(/ENOENT/)
})

it('one that keeps ending is started ever more slowly, and told once', async () => {
  const site = new Site()
  await site.serve(site.plan('echo up >> starts'))
  await until('the complaint', () => site.log.of('error').length > 0)
  expect(site.messages).toContain('it has to stay in the foreground')
  const starts = site.read('starts').split('\n').length - 1
  expect(starts).toBe(5)
  expect(site.messages).toContain('started again in 800 ms')
})

it.each([
  ['on-failure', 'exit 1', true],
  ['on-failure', 'exit 0', false],
  ['never', 'exit 1', false],
  ['never', 'kill -9 $$', false],
] as const)('%s after `%s`: again %s', async (restart, run, again) => {
  const site = new Site()
  await site.serve(site.plan(`echo up >> starts; sleep 0.05; ${run}`, { restart }))
  await until('the end', () => /ended \(/.test(site.messages))
  if (again) await until('a second start', () => site.read('starts') === 'up\nup\n')
  else expect(site.daemons.facts[0]?.state).toBe('ended')
})

it('is told to end by its signal, with what it has started, and killed when it does not listen', async () => {
  const site = new Site()
  const trap = "trap 'echo bye >> bye; exit' INT; echo $$ > pids; while :; do sleep 0.02; done"
  const deaf = "trap '' TERM; echo $$ >> pids; sleep 60 & echo $! >> pids; wait"
  await site.serve(
    site.plan(trap, { name: 'polite', stopSignal: 'SIGINT' }),
    site.plan(deaf, { name: 'deaf', stopTimeoutMs: 200 }),
  )
  await until('both', () => site.read('pids').split('\n').length >= 3)
  const pids = [...site.read('pids').trim().split('\n').map(Number), site.pid('polite')]
  await site.daemons.stop(new AbortController().signal)
  expect(site.read('bye')).toBe('bye\n')
  expect(pids.filter(isAlive)).toEqual([])
})

it('reloads leave alone what has not changed', async () => {
  const site = new Site()
  const [same, changed, gone] = ['same', 'changed', 'gone'].map((name) =>
    site.plan('sleep 60', { name }),
  ) as [DaemonPlan, DaemonPlan, DaemonPlan]
  await site.serve(same, changed, gone)
  const before = { same: site.pid('same'), changed: site.pid('changed'), gone: site.pid('gone') }
  await site.serve(
    same,
    site.plan('sleep 61', { name: 'changed' }),
    site.plan('sleep 60', { name: 'new' }),
  )
  expect(site.pid('same')).toBe(before.same)
  expect(site.pid('changed')).not.toBe(before.changed)
  expect(site.pid('new')).toBeGreaterThan(0)
  expect([before.changed, before.gone].filter(isAlive)).toEqual([])
})

it('a reload that fails ends those that it added, and no others', async () => {
  const site = new Site()
  const old = site.plan('sleep 60', { name: 'old' })
  await site.serve(old)
  const never = { ready: { kind: 'log', pattern: 'never' }, startTimeoutMs: 100 } as const
  const added = site.plan('echo $$ > added; sleep 60', { name: 'added', ...never })
  await expect(site.daemons.prepare({ old, added }, null)).rejects.toThrow('not ready')
  await site.daemons.abandon()
  expect(isAlive(Number(site.read('added')))).toBe(false)
  expect(isAlive(site.pid('old'))).toBe(true)
})

it('what it writes faster than anybody reads does not fill the memory', async () => {
  const site = new Site()
  const plan = site.plan('head -c 20000000 /dev/zero | tr "\\0" x; echo; sleep 60', {
    ready: { kind: 'log', pattern: '^x+$' },
  })
  await site.serve(plan)
  expect(site.log.lines.every(({ message }) => String(message).length <= 16_384)).toBe(true)
})
