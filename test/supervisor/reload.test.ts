import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isAlive } from '../../src/system/alive.ts'
import { appPlan, get, httpAnswer, sitePlan, TestSite, until } from './site.ts'

/** Keeps `count` visitors asking over fresh connections until told to stop; returns what failed. */
function load(
  url: string,
  count: number,
): { stop(): Promise<{ answers: number; failed: string[] }> } {
  let running = true
  let answers = 0
  const failed: string[] = []
  const visitors = Array.from({ length: count }, async () => {
    while (running) {
      try {
        await get(url)
        answers += 1
      } catch (error) {
        failed.push(String(error))
      }
    }
  })
  return {
    async stop() {
      running = false
      await Promise.all(visitors)
      return { answers, failed }
    },
  }
}

test('five reloads under load, with threads and listeners changing, lose no connection', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  const url = await site.ready()
  const visitors = load(url, 8)
  const base = sitePlan(site.folder, { apps: { app: appPlan() } })
  const extra = {
    ...base.listeners[0]!,
    name: 'unix',
    address: { kind: 'unix' as const, path: join(site.folder, 'site.sock') },
  }
  const plans = [
    base,
    { ...base, threads: 4 },
    { ...base, threads: 1 },
    { ...base, listeners: [...base.listeners, extra] },
    base,
  ]
  for (const [index, plan] of plans.entries()) {
    site.write(plan)
    const answer = await site.admin('POST', '/reload')
    expect(JSON.parse(answer.body)).toEqual({ ok: true, message: '', generation: index + 2 })
    if (index === 3) {
      const unix = await httpAnswer({ socketPath: extra.address.path, path: '/' })
      expect(unix.body).toMatch(/^5 /)
    }
  }
  const { answers, failed } = await visitors.stop()
  expect(failed).toEqual([])
  expect(answers).toBeGreaterThan(100)
  expect(await get(url)).toMatch(/^6 /)
  const status = await until('the old generations to end', async () => {
    const now = await site.status()
    return now.draining.length === 0 && now
  })
  expect(status.reloads).toEqual({ succeeded: 5, failed: 0 })
  // Counters go on across generations.
  expect(status.totals.requests.total).toBeGreaterThan(answers / 2)
}, 30_000)

test('a request in hand is finished by the old generation', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  const url = await site.ready()
  const slow = get(url, '/slow')
  await until('the request to arrive', async () => (await site.status()).totals.requests.active > 0)
  site.child.kill('SIGHUP')
  await site.logged(/^serving.*/, site.log.length)
  expect(await get(url)).toMatch(/^2 /)
  expect(await slow).toMatch(/^1 /)
})

test('no count falls while one generation takes over from another', async () => {
  await using site = new TestSite(
    (folder) => {
      const plan = sitePlan(folder)
      return { ...plan, timeouts: { ...plan.timeouts, stopMs: 200 } }
    },
    { FAKE_SERVER: 'deaf' },
  )
  const url = await site.ready()
  for (let i = 0; i < 3; i++) await get(url)
  expect((await site.status()).totals.requests.total).toBe(3)
  const reloaded = site.admin('POST', '/reload')
  const between = await until('the next generation to serve', async () => {
    const now = await site.status()
    return now.generation === 2 && now
  })
  expect(between).toMatchObject({ phase: 'reloading', draining: [1] })
  expect(between.totals.requests.total).toBe(3)
  await reloaded
})

test('a bad site file leaves everything as it was and says why', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  const url = await site.ready()
  const before = await until('every worker', async () => {
    const status = await site.status()
    return status.apps.app?.workers.length === 2 && status
  })
  site.write({ error: 'site.yaml:3:5: unknown key `prot`, did you mean `port`?' })
  const answer = await site.admin('POST', '/reload')
  expect(answer.status).toBe(409)
  expect(JSON.parse(answer.body).message).toMatch(/^site.yaml:3:5/)
  await site.logged(/^not reloaded, the site keeps serving as before: site.yaml:3:5/)
  const after = await site.status()
  expect(after).toMatchObject({
    phase: 'ready',
    generation: 1,
    server: before.server,
    lastReload: { ok: false },
  })
  expect(after.apps.app?.workers.map(({ pid }) => pid)).toEqual(
    before.apps.app?.workers.map(({ pid }) => pid),
  )
  expect(await get(url)).toMatch(/^1 /)
})

test.for([
  ['fail', /application app did not load: Traceback: no module named shop/],
  ['hang', /did not load: the import took longer than 0.5 s/],
  ['crash', /did not load: its process keeps dying \(exit code 9\)/],
  ['young', /its workers keep dying right after their start/],
] as const)(
  'an application whose new version is bad (%s) keeps its old one',
  async ([mode, why]) => {
    await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
    const url = await site.ready()
    await site.logged(/worker is up/)
    site.write(
      sitePlan(site.folder, {
        apps: {
          app: appPlan({ env: { FAKE_APP: mode }, startTimeoutMs: mode === 'hang' ? 500 : 5_000 }),
        },
      }),
    )
    const answer = await site.admin('POST', '/reload')
    expect(JSON.parse(answer.body)).toMatchObject({
      ok: false,
      message: expect.stringMatching(why),
    })
    expect(site.log.filter(({ message }) => /Traceback:/.test(message)).length).toBeLessThan(2)
    expect(await get(url)).toMatch(/^1 /)
    const { apps } = await site.status()
    expect(apps.app).toMatchObject({ state: 'running', connected: 2 })
  },
)

test('a server that cannot start, a listener in use: the old generation stays', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  const url = await site.ready()
  const plan = sitePlan(site.folder)
  const held = createConnection(Number(new URL(url).port), '127.0.0.1')
  const occupied = { kind: 'unix' as const, path: join(site.folder, 'plan.json') }
  site.write({
    ...plan,
    listeners: [...plan.listeners, { ...plan.listeners[0]!, address: occupied }],
  })
  const answer = await site.admin('POST', '/reload')
  expect(JSON.parse(answer.body).message).toMatch(/exists and is not a socket/)
  expect(await get(url)).toMatch(/^1 /)
  held.destroy()
})

test('an application that was broken may stay so; another that worked may not break', async () => {
  await using site = new TestSite((folder) =>
    sitePlan(folder, {
      apps: {
        app: appPlan({ env: { FAKE_APP: 'file', FAKE_FILE: join(folder, 'broken') } }),
        bad: appPlan({ name: 'bad', env: { FAKE_APP: 'fail' } }),
      },
    }),
  )
  await site.ready()
  await site.logged(/application bad did not load: Traceback/)
  await site.logged(/worker is up/)
  expect((await site.admin('POST', '/reload')).status).toBe(200)
  writeFileSync(join(site.folder, 'broken'), '')
  expect((await site.admin('POST', '/reload')).status).toBe(409)
  expect(await site.status()).toMatchObject({
    generation: 2,
    apps: { app: { state: 'running' }, bad: { state: 'broken' } },
  })
})

test('what must wait for a restart is said', async () => {
  await using site = new TestSite((folder) => sitePlan(folder))
  await site.ready()
  site.write(sitePlan(site.folder, { pidFile: join(site.folder, 'new.pid') }))
  expect((await site.admin('POST', '/reload')).status).toBe(200)
  await site.logged(/^pidFile: takes effect after a restart/)
})

test('watch: a changed file of the application reloads, and only code does', async () => {
  await using site = new TestSite((folder) =>
    sitePlan(folder, { watch: true, apps: { app: appPlan({ dir: folder }) } }),
  )
  await site.ready()
  writeFileSync(join(site.folder, 'data.sqlite'), 'x')
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect(site.log.some((line) => line.message.startsWith('reloading'))).toBe(false)
  for (let i = 0; i < 5; i += 1) writeFileSync(join(site.folder, 'app.py'), `x = ${i}`)
  await site.logged(/^reloading: .*app.py changed/)
  const status = await until('the reload', async () => {
    const now = await site.status()
    return now.generation === 2 && now.phase === 'ready' && now
  })
  expect(status.reloads.succeeded).toBe(1)
})

test('a stop during a reload wins', async () => {
  await using site = new TestSite((folder) => sitePlan(folder, { apps: { app: appPlan() } }))
  await site.ready()
  site.write(sitePlan(site.folder, { apps: { app: appPlan({ env: { FAKE_APP: 'hang' } }) } }))
  const reload = site.admin('POST', '/reload').catch(() => null)
  await site.logged(/^reloading/)
  const { server } = await site.status()
  const startedAt = performance.now()
  site.child.kill('SIGTERM')
  expect(await site.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedAt).toBeLessThan(2_500)
  expect(isAlive(server.pid)).toBe(false)
  await reload
})
