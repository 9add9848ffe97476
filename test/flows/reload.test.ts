/** Reloads: nothing is lost under load, new code is live, and what is broken does not take over. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, Visitor } from './support/visitor.ts'

const site = (more = ''): string => `
listen: "127.0.0.1:0"
threads: 2
routes:
  /: { app: shop }
  /static/: { files: . }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 2${more} }
`

const app = (body: string): string => `
def application(environ, start_response):
    body = ${JSON.stringify(body)}.encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

test('20 reloads under load: every request is answered, by the old code or the new', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site(), 'shop.py': app('version 0') })
  const { port } = portico
  await portico.settled()
  const seen = new Set<string>()
  await using load = new Load(port, {
    kept: 12,
    fresh: 4,
    request: (n) => (n % 10 === 0 ? post(n) : GET),
    answered: (_n, status, body) => seen.add(`${status} ${body}`),
  })
  await using idlers = new Load(port, { kept: 6, fresh: 0, pauseMs: 37 })
  for (let version = 1; version <= 20; version++) {
    portico.write('shop.py', app(`version ${version}`))
    expect(await portico.run('reload')).toEqual({
      code: 0,
      err: '',
      out: `reloaded: generation ${version + 1} serves\n`,
    })
    // A connection that is made now is the new generation's.
    expect((await ask(port, '/')).text).toBe(`version ${version}`)
    await until(`version ${version} to be live`, () => seen.has(`200 version ${version}`))
  }
  for (const result of [await load.stop(), await idlers.stop()]) {
    expect(result.lost).toEqual([])
    expect(result.answered).toBe(result.sent)
    expect(Object.keys(result.statuses)).toEqual(['200'])
  }
  expect([...seen].sort()).toEqual([...Array(21).keys()].map((n) => `200 version ${n}`).sort())
  await until('old generations to end', async () => (await portico.status()).draining.length === 0)
  expect(portico.processes().length).toBe(5)
}, 90_000)

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
const post = (n: number): string =>
  `POST /?${n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello`

test('what is broken does not take over: a clear message, exit code 1, the old code serves', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site(), 'shop.py': app('old') })
  const { port } = portico
  const serves = async (): Promise<string> => (await ask(port, '/')).text

  portico.write('site.yaml', site().replace('threads', 'treads'))
  const misspelt = await portico.run('reload', '--admin', await adminOf(portico))
  expect(misspelt.code).toBe(1)
  expect(misspelt.err).toMatch(
    /^not reloaded, the site serves as before: .*site\.yaml:3:1: .*treads.*did you mean "threads"\?/,
  )
  expect(await serves()).toBe('old')

  portico.write('site.yaml', site())
  portico.write('shop.py', 'import a_module_that_is_not_there\n')
  const missing = await portico.run('reload')
  expect(missing.code).toBe(1)
  expect(missing.err).toMatch(
    /^not reloaded.*application shop did not load:[\s\S]*shop\.py", line 1[\s\S]*ModuleNotFoundError: No module named 'a_module_that_is_not_there'/,
  )
  expect(await serves()).toBe('old')

  portico.write('shop.py', app('mended'))
  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  expect(await serves()).toBe('mended')
  const { reloads, generation } = await portico.status()
  expect(reloads).toEqual({ succeeded: 1, failed: 2 })
  expect(generation).toBeGreaterThan(1)
})

async function adminOf(portico: Portico): Promise<string> {
  return (await portico.logged(/^serving/)).admin ?? ''
}

test('signal HUP reloads; a kept-alive visitor is told to come again', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site(), 'shop.py': app('one') })
  using visitor = await Visitor.to(portico.port)
  expect((await visitor.ask('/')).fields.connection).toBeUndefined()
  portico.write('shop.py', app('two'))
  const from = portico.log.length
  portico.signal('SIGHUP')
  await portico.logged(/^serving/, from)
  const last = await visitor.ask('/')
  expect(last).toMatchObject({ status: 200, text: 'one', fields: { connection: 'close' } })
  expect(await visitor.end()).toHaveLength(0)
  expect((await ask(portico.port, '/')).text).toBe('two')
})

test('--reload: a changed file is live without being asked for', async () => {
  await using portico = await Portico.serve(
    { 'site.yaml': site(), 'shop.py': app('one') },
    { args: ['--reload'] },
  )
  const serves = async (): Promise<string> => (await ask(portico.port, '/')).text
  expect(await serves()).toBe('one')
  portico.write('shop.py', app('two'))
  await until('the changed application', async () => (await serves()) === 'two')
  // However changes fall into reloads that are under way, the last one counts.
  for (let version = 3; version < 30; version++) {
    portico.write('shop.py', app(`version ${version}`))
    await sleep(70 + 5 * version)
  }
  await until('the last change', async () => (await serves()) === 'version 29')
  portico.write('site.yaml', site(', env: { LEVEL: "3" }').replace('shop }', 'shop, body: 1KB }'))
  await portico.logged(/reloading: .*site\.yaml changed/)
  await until('the changed site', async () => {
    return (await ask(portico.port, '/', { body: 'x'.repeat(2_000) })).status === 413
  })
}, 30_000)

test('a unix socket, which all server threads share, loses nothing either', async () => {
  await using portico = await Portico.serve({
    'site.yaml': site().replace('"127.0.0.1:0"', '"unix:./site.sock"'),
    'shop.py': app('version 0'),
  })
  await portico.settled()
  const path = `${portico.folder}/site.sock`
  await using load = new Load(path, { kept: 8, fresh: 8 })
  for (let version = 1; version <= 5; version++) {
    portico.write('shop.py', app(`version ${version}`))
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    expect((await ask(path, '/')).text).toBe(`version ${version}`)
  }
  const { lost, sent, answered, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(answered).toBe(sent)
  expect(Object.keys(statuses)).toEqual(['200'])
}, 30_000)

test('a reload that moves to another port: the old one answers no more, what it had is finished', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site(), 'shop.py': app('here') })
  const { port } = portico
  using visitor = await Visitor.to(port)
  expect((await visitor.ask('/')).text).toBe('here')
  portico.write('site.yaml', site().replace('"127.0.0.1:0"', '["127.0.0.1:0", "unix:./site.sock"]'))
  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  expect((await ask(`${portico.folder}/site.sock`, '/')).text).toBe('here')
  portico.write('site.yaml', site().replace('"127.0.0.1:0"', '"unix:./site.sock"'))
  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  expect((await visitor.ask('/')).text).toBe('here')
  await until('the port to be closed', () =>
    Visitor.to(port).then(
      (late) => late.leave(),
      () => true,
    ),
  )
  expect((await ask(`${portico.folder}/site.sock`, '/')).text).toBe('here')
}, 30_000)
