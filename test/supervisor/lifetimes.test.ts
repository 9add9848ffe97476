import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlive } from '../../src/system/alive.ts'
import { appPlan, get, httpAnswer, sitePlan, TestSite, until } from './site.ts'

/** Every process below `root`, from /proc. */
function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // Gone meanwhile.
    }
  }
  const below = (pid: number): number[] =>
    [...parents]
      .filter(([, parent]) => parent === pid)
      .flatMap(([child]) => [child, ...below(child)])
  return below(root)
}

async function withWorkers(site: TestSite): Promise<string> {
  const url = await site.ready()
  await until('both workers', async () => (await site.status()).apps.app?.connected === 2)
  return url
}

test('a server that dies is started again on the same sockets; its workers come back', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  const url = await withWorkers(site)
  const { server, apps } = await site.status()
  await expect(get(url, '/crash')).rejects.toThrow()
  // Asked at once: the connection waits in the accept queue.
  expect(await get(url)).toMatch(/^1 /)
  const after = await until('the workers to connect again', async () => {
    const now = await site.status()
    return now.apps.app?.connected === 2 && now
  })
  expect(after.server.pid).not.toBe(server.pid)
  expect(after.server.restarts).toBe(1)
  expect(after.apps.app?.workers.map(({ pid }) => pid)).toEqual(
    apps.app?.workers.map(({ pid }) => pid),
  )
  expect(JSON.parse(await get(url, '/apps'))).toEqual({ app: { state: 'running' } })
  await site.logged(/^the server process died \(3\); starting it again at once/)
})

test('a server that keeps dying is started ever more slowly', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  const url = await site.ready()
  for (let i = 0; i < 4; i += 1) await get(url, '/crash').catch(() => {})
  await site.logged(/starting it again at once/)
  await site.logged(/starting it again in 100 ms/)
  await site.logged(/starting it again in 200 ms/)
  expect(await get(url)).toMatch(/^1 /)
})

test('a worker that is killed is replaced at once', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  await withWorkers(site)
  const [victim] = (await site.status()).apps.app?.workers ?? []
  await new Promise((resolve) => setTimeout(resolve, 200))
  process.kill(victim?.pid ?? 0, 'SIGKILL')
  await site.logged(/^worker died \(SIGKILL\); replaced at once/)
  const status = await until('the successor', async () => {
    const now = await site.status()
    return now.apps.app?.connected === 2 && now.apps.app.workers.length === 2 && now
  })
  expect(status.apps.app?.workers[0]).toMatchObject({ slot: 0, restarts: 1 })
  expect(status.apps.app?.workers[0]?.pid).not.toBe(victim?.pid)
})

test('workers that die young are started ever more slowly, and the log says so', async () => {
  await using site = new TestSite((folder) =>
    sitePlan(folder, { apps: { app: appPlan({ workers: 1, env: { FAKE_APP: 'young' } }) } }),
  )
  const url = await site.ready()
  await site.logged(/^workers of app keep dying right after their start/)
  const waits = site.log.flatMap(({ message }) => /starts in (\d+) ms/.exec(message)?.[1] ?? [])
  expect(waits.slice(0, 4)).toEqual(['100', '200', '400', '800'])
  expect(await get(url)).toMatch(/^1 /)
})

test('a warm parent that is killed takes its workers along and is started again', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  await withWorkers(site)
  const before = (await site.status()).apps.app
  process.kill(before?.parent ?? 0, 'SIGKILL')
  await site.logged(/^the warm parent of app died \(SIGKILL\); starting it again at once/)
  const after = await until('new workers', async () => {
    const { app } = (await site.status()).apps
    return app?.connected === 2 && app.parent !== before?.parent && app
  })
  for (const { pid } of before?.workers ?? []) expect(isAlive(pid)).toBe(false)
  expect(after.workers).toHaveLength(2)
})

test('a warm parent that lies is killed, and an application like that becomes broken', async () => {
  await using site = new TestSite((folder) =>
    sitePlan(folder, { apps: { app: appPlan({ env: { FAKE_APP: 'lie' } }) } }),
  )
  const url = await site.ready()
  await site.logged(
    /^the warm parent of app cannot be trusted: it sent what is no message: \{"type": "spawned", "slot": "first"\}/,
  )
  await until('the circuit', async () => (await site.status()).apps.app?.state === 'broken')
  expect(JSON.parse(await get(url, '/apps')).app.detail).toMatch(/keeps dying/)
})

test('a broken application does not keep the others from starting', async () => {
  await using site = new TestSite((folder) =>
    sitePlan(folder, {
      apps: {
        app: appPlan(),
        bad: appPlan({ name: 'bad', env: { FAKE_APP: 'fail' } }),
        none: appPlan({ name: 'none', python: '/no/such/python' }),
      },
    }),
  )
  const url = await withWorkers(site)
  await site.logged(/application none did not load: .*\/no\/such\/python/)
  await site.logged(/application bad did not load/)
  expect(JSON.parse(await get(url, '/apps'))).toMatchObject({
    app: { state: 'running' },
    bad: { state: 'broken', detail: 'Traceback: no module named shop' },
    none: { state: 'broken' },
  })
})

test('a stuck worker shows its traceback, is killed and replaced', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  const url = await withWorkers(site)
  await get(url, '/stuck')
  const { pid } = await site.logged(
    /^worker exceeded its deadline: GET \/stuck has run for 30000 ms/,
  )
  expect(await site.logged(/^Traceback of a stuck worker/)).toMatchObject({ app: 'app', pid })
  await site.logged(/^worker died \(SIGKILL\)/)
  await until('the successor', async () => (await site.status()).apps.app?.connected === 2)
})

test('a warm parent that will not kill its stuck worker is killed itself', async () => {
  await using site = new TestSite((folder) =>
    sitePlan(folder, { apps: { app: appPlan({ env: { FAKE_APP: 'stubborn' } }) } }),
  )
  const url = await withWorkers(site)
  await get(url, '/stuck')
  await site.logged(/cannot be trusted: it did not kill worker/)
  await until('all anew', async () => (await site.status()).apps.app?.connected === 2)
}, 15_000)

test('what workers print becomes log lines with their name and pid', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  await withWorkers(site)
  const { pid, app } = await site.logged(/^worker is up/)
  expect(app).toBe('app')
  expect((await site.status()).apps.app?.workers.map((worker) => worker.pid)).toContain(pid)
})

test('killed (-9), the supervisor leaves no process behind, and its successor cleans up', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  await withWorkers(site)
  const all = descendants(site.pid)
  expect(all.length).toBeGreaterThanOrEqual(4)
  site.child.kill('SIGKILL')
  await until('all to end', () => all.every((pid) => !isAlive(pid)))
})

test('stop: what is in hand is finished, nothing is left', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  const url = await withWorkers(site)
  const all = descendants(site.pid)
  const slow = get(url, '/slow')
  await until('the request to arrive', async () => (await site.status()).totals.requests.active > 0)
  expect((await site.admin('POST', '/stop')).status).toBe(202)
  expect(await slow).toMatch(/^1 /)
  expect(await site.exited).toEqual({ code: 0, signal: null })
  expect(all.filter(isAlive)).toEqual([])
  expect(readdirSync(site.folder)).toEqual(['plan.json'])
  await expect(get(url)).rejects.toThrow(/ECONNREFUSED/)
})

test('workers that end because the server says so have not died', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  await withWorkers(site)
  expect((await site.admin('POST', '/reload')).status).toBe(200)
  await site.logged(/^generation 1 has finished/)
  site.child.kill('SIGTERM')
  await site.exited
  expect(site.log.filter(({ message }) => /worker died|cannot be trusted/.test(message))).toEqual(
    [],
  )
})

test('stop has a bound, even with a server that does not listen', async () => {
  await using site = new TestSite(
    (folder) =>
      sitePlan(folder, {
        timeouts: {
          headMs: 1,
          bodyMs: 1,
          idleMs: 1,
          sendMs: 1,
          abandonMs: 1_000,
          leaveMs: 0,
          stopMs: 500,
        },
      }),
    { FAKE_SERVER: 'deaf' },
  )
  await site.ready()
  const startedAt = performance.now()
  site.child.kill('SIGTERM')
  expect(await site.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedAt).toBeGreaterThan(1_000)
  expect(performance.now() - startedAt).toBeLessThan(3_500)
  await site.logged(/^the server process did not end in time; killed/)
})

test('a second INT stops at once', async () => {
  await using site = new TestSite(
    (folder) =>
      sitePlan(folder, {
        timeouts: {
          headMs: 1,
          bodyMs: 1,
          idleMs: 1,
          sendMs: 1,
          abandonMs: 1_000,
          leaveMs: 0,
          stopMs: 20_000,
        },
      }),
    { FAKE_SERVER: 'deaf' },
  )
  await site.ready()
  const all = descendants(site.pid)
  site.child.kill('SIGINT')
  await site.logged(/^stopping: signal INT/)
  const startedAt = performance.now()
  site.child.kill('SIGINT')
  expect(await site.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(all.filter(isAlive)).toEqual([])
})

test.for([
  ['fail', /^the fake server was told to fail/],
  ['die', /^the server process died \(7\)/],
] as const)('a server that cannot start (%s): its reason, exit code 1', async ([mode, why]) => {
  await using site = new TestSite((folder) => sitePlan(folder), { FAKE_SERVER: mode })
  expect(await site.exited).toEqual({ code: 1, signal: null })
  await site.logged(why)
  expect(readdirSync(site.folder)).toEqual(['plan.json'])
})

test('USR1 reaches the server', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  await site.ready()
  site.child.kill('SIGUSR1')
  await site.logged(/^the server opened its logs anew/)
})

test.runIf(process.getuid?.() === 0)(
  'with `user:`, server and workers are that user with its groups',
  async () => {
    await using site = new TestSite((folder) =>
      sitePlan(folder, { user: 'nobody', apps: { app: appPlan() } }),
    )
    await site.ready().catch(() => {})
    await site.logged(/^worker is up as 65534 \[/)
    const { server } = await site.status()
    expect(readFileSync(`/proc/${server.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534/m)
    const metrics = await httpAnswer({ socketPath: `${site.folder}/admin.sock`, path: '/metrics' })
    expect(metrics.status).toBe(200)
  },
)
