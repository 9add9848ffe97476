/** Servers of a pool that are killed, frozen, cut off, slow or mad, behind the whole Portico. */
import { execFileSync, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createPlain } from 'node:net'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { ServerHealth } from '../../src/balance/health-report.ts'
import { askAdmin } from '../../src/supervisor/ask-admin.ts'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { until } from '../supervisor/site.ts'
import { NamedServer } from './support/named.ts'
import { freePort } from './support/peers.ts'
import { Portico, portico as runPortico } from './support/portico.ts'
import { kill, lookAt } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => {
  for (const pid of children) kill(pid)
})

/** A verdict is worth nothing if it comes late: from what is stated, and what a busy machine adds, ms. */
const SLACK_MS = 2_000
const TIMING = 'every: 400ms, fast: 100ms, timeout: 500ms, rise: 2, fall: 3'
/** every × 1.1, one answer that does not come, then two more. */
const STATED_MS = 440 + 3 * 500 + 20

const children = new Set<number>()

/** A server that is a process of its own, so that it can be frozen. */
async function separate(
  name: string,
  prefix: readonly string[] = [],
): Promise<{
  readonly port: number
  readonly pid: number
}> {
  const port = await freePort()
  const program = `require('node:http').createServer((q, r) => r.end(${JSON.stringify(name)}))
    .listen(${port}, '0.0.0.0', () => console.log('ready'))`
  const [file = '', ...args] = [...prefix, process.execPath, '-e', program]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = child.pid!
  children.add(pid)
  closing.push(() => kill(pid))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return { port, pid }
}

async function serve(check: string, servers: readonly string[], more = ''): Promise<Portico> {
  const site = await Portico.serve({ 'site.yaml': siteFile(check, servers, more) })
  closing.push(() => site[Symbol.asyncDispose]())
  return site
}

function siteFile(check: string, servers: readonly string[], more = ''): string {
  return `
listen: "127.0.0.1:0"
threads: 2
log: { access: "off" }
routes: { /: { proxy: web } }
pools:
  web:
    connect-timeout: 300ms
    response-timeout: 5s
    check: ${check}
    servers: [${servers.join(', ')}]
${more}`
}

/** Without the command, which takes a moment each time. */
async function statusOf(site: Portico): Promise<SiteStatus> {
  const admin = site.log.find((line) => line.admin !== undefined)!.admin!
  return JSON.parse((await askAdmin(admin, 'GET', '/status')).body)
}

async function serversOf(site: Portico): Promise<readonly ServerHealth[]> {
  return (await statusOf(site)).pools.web!.servers
}

/** All have been asked once. */
async function checked(site: Portico): Promise<void> {
  await until('the first checks', async () =>
    (await serversOf(site)).every(({ checks }) => checks > 0),
  )
}

async function names(site: Portico, count = 8): Promise<string> {
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) {
    const { status, body } = await ask(site.port, '/')
    seen.add(status === 200 ? body.toString() : `${status}`)
  }
  return [...seen].sort().join(' ')
}

test('killed and frozen servers are found out in time, and asked again when they are back', async () => {
  const servers = [await separate('a'), await separate('b'), await separate('c')]
  const site = await serve(
    `{ http: /, ${TIMING} }`,
    servers.map(({ port }) => `"127.0.0.1:${port}"`),
  )
  await checked(site)
  expect(await names(site)).toBe('a b c')
  const [a, b] = servers as [(typeof servers)[0], (typeof servers)[0]]
  let since = performance.now()
  let line = site.log.length
  kill(a.pid)
  await site.logged(new RegExp(`:${a.port} is down: connection refused`), line)
  expect(performance.now() - since).toBeLessThan(STATED_MS + SLACK_MS)
  since = performance.now()
  line = site.log.length
  kill(b.pid, 'SIGSTOP')
  await site.logged(new RegExp(`:${b.port} is down: no answer within 500 ms .*1 of 3 are up`), line)
  expect(performance.now() - since).toBeLessThan(STATED_MS + SLACK_MS)
  expect(await names(site)).toBe('c')
  line = site.log.length
  kill(b.pid, 'SIGCONT')
  await site.logged(new RegExp(`:${b.port} is up again after .*2 of 3 are up`), line)
  expect(await names(site)).toBe('b c')
})

test('a machine that is cut off is found out, and one that is slow or mad', async () => {
  const space = `portico-${process.pid}`
  const [near, far] = [`pa${process.pid}`.slice(0, 15), `pb${process.pid}`.slice(0, 15)]
  const ip = (...args: readonly string[]): unknown => execFileSync('ip', args)
  const subnet = `10.${100 + (process.pid % 100)}.${(process.pid >> 8) % 250}`
  ip('netns', 'add', space)
  closing.push(() => ip('netns', 'delete', space))
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', space)
  ip('addr', 'add', `${subnet}.1/30`, 'dev', near)
  ip('link', 'set', near, 'up')
  ip('-n', space, 'addr', 'add', `${subnet}.2/30`, 'dev', far)
  ip('-n', space, 'link', 'set', far, 'up')
  ip('-n', space, 'link', 'set', 'lo', 'up')
  const inside = ['ip', 'netns', 'exec', space]
  const nft = (rules: string): unknown => execFileSync('ip', ['netns', 'exec', space, 'nft', rules])
  const cut = await separate('cut', inside)

  let slowly = 0
  const slow: Server = createServer((_request, response) => {
    setTimeout(() => response.end('slow'), slowly)
  })
  const slowPort = await freePort()
  await new Promise<void>((resolve) => slow.listen(slowPort, '127.0.0.1', resolve))
  closing.push(() => slow.close())

  let mad = false
  const madPort = await freePort()
  const madman = createPlain((socket) => {
    socket.on('error', () => {})
    socket.once('data', () =>
      socket.end(mad ? '\x00\xff\x13\x37 what?' : 'HTTP/1.0 200 OK\r\n\r\nmad'),
    )
  })
  await new Promise<void>((resolve) => madman.listen(madPort, '127.0.0.1', resolve))
  closing.push(() => madman.close())

  const [well] = await NamedServer.start('well')
  closing.push(() => well!.stop())
  const site = await serve(`{ http: /, ${TIMING} }`, [
    `"${subnet}.2:${cut.port}"`,
    `"127.0.0.1:${slowPort}"`,
    `"127.0.0.1:${madPort}"`,
    `"${well!.address}"`,
  ])
  await checked(site)
  expect(await names(site)).toBe('cut mad slow well')
  const since = performance.now()
  const line = site.log.length
  nft('add table ip t; add chain ip t i { type filter hook input priority 0; policy drop; }')
  slowly = 1_000
  mad = true
  await Promise.all([
    site.logged(new RegExp(`${subnet}.2:.* is down: no answer within 500 ms`), line),
    site.logged(new RegExp(`:${slowPort} is down: no answer within 500 ms`), line),
    site.logged(new RegExp(`:${madPort} is down: does not speak HTTP`), line),
  ])
  expect(performance.now() - since).toBeLessThan(STATED_MS + SLACK_MS)
  expect(await names(site)).toBe('well')
  nft('delete table ip t')
  slowly = 0
  mad = false
  await until('all to be back', async () =>
    (await serversOf(site)).every(({ verdict }) => verdict === 'up'),
  )
  expect(await names(site)).toBe('cut mad slow well')
})

test('what is down, drained or in maintenance stays so over a reload and a crash', async () => {
  const servers = await NamedServer.start('a', 'b', 'c', 'd')
  for (const server of servers) closing.push(() => server.stop())
  const [a, b, c, d] = servers as [NamedServer, NamedServer, NamedServer, NamedServer]
  const addresses = servers.map(({ address }) => `"${address}"`)
  // It would have to be well for minutes to come up again.
  const slowly = '{ tcp: true, every: 300ms, rise: 1000, fall: 1, timeout: 250ms }'
  const site = await serve(slowly, addresses)
  await a.stop()
  await site.logged(/ is down: connection refused/)
  await a.start()
  const order = (
    ...args: readonly string[]
  ): Promise<{ code: number | null; out: string; err: string }> =>
    runPortico(['pool', '--site', 'site.yaml', ...args], { cwd: site.folder })
  const drained = await order('web', 'drain', b.address)
  expect(drained).toMatchObject({ code: 0 })
  expect(drained.out).toMatch(/is being drained.*2 of 4 take requests/)
  expect((await order('web', 'maint', `http://${c.address}`)).out).toMatch(/maintenance/)
  expect(await order('web', 'drain', '127.0.0.1:1')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/there is no server of web called 127.0.0.1:1/),
  })
  expect((await order('web', 'gone', b.address)).code).toBe(2)
  expect(await names(site)).toBe('d')

  const states = async (): Promise<unknown> =>
    (await serversOf(site)).map(({ verdict, order }) => `${verdict} ${order}`)
  const before = await states()
  expect(before).toEqual(['down ready', 'up drain', expect.stringMatching(/ maint$/), 'up ready'])
  site.write('site.yaml', siteFile(slowly, addresses, '# Anew.\n'))
  let reloading = true
  const meanwhile = (async () => {
    const seen = new Set<string>()
    while (reloading) seen.add(await names(site, 4))
    return [...seen]
  })()
  expect((await site.run('reload')).code).toBe(0)
  expect(await names(site, 16)).toBe('d')
  reloading = false
  expect(await meanwhile).toEqual(['d'])
  expect(await states()).toEqual(before)
  const { server } = await statusOf(site)
  kill(server.pid)
  await until('another server process', async () => (await statusOf(site)).server.restarts > 0)
  expect(await names(site, 16)).toBe('d')
  expect(await states()).toEqual([
    'down ready',
    expect.stringMatching(/drain$/),
    expect.stringMatching(/maint$/),
    expect.stringMatching(/ready$/),
  ])
  // Another check is asked at once, and believed.
  site.write('site.yaml', siteFile('{ tcp: true, send: x, every: 300ms }', addresses))
  expect((await site.run('reload')).code).toBe(0)
  await until('a', async () => (await names(site)) === 'a d')
  await order('web', 'ready', b.address)
  await order('web', 'ready', c.address)
  await until('all', async () => (await names(site)) === 'a b c d')
  const list = await order()
  expect(list.out).toMatch(/^pool +server +check +state/)
  expect(list.out.match(/ up /g)).toHaveLength(4)
  expect((await site.run('status')).out).toMatch(/pool +server +check/)
  expect(d.asked).toBeGreaterThan(0)
})

test('visitors that belong to a server that is drained still come, nobody else; in maintenance nobody', async () => {
  const servers = await NamedServer.start('a', 'b')
  for (const server of servers) closing.push(() => server.stop())
  const site = await serve(
    'tcp',
    servers.map(({ address }) => `"${address}"`),
    '    persistence: cookie\n',
  )
  const first = await ask(site.port, '/')
  const [cookie = ''] = (first.fields['set-cookie'] ?? '').split(';')
  const [own, other] = first.text === 'a' ? ['a', 'b'] : ['b', 'a']
  const address = servers.find(({ name }) => name === own)!.address
  const admin = site.log.find((line) => line.admin !== undefined)!.admin!
  const order = async (state: string): Promise<void> => {
    const query = new URLSearchParams({ pool: 'web', server: address, state })
    expect(await askAdmin(admin, 'POST', `/pool?${query}`)).toMatchObject({ status: 200 })
  }
  const visits = async (fields: Record<string, string>): Promise<string> => {
    const all = Array.from({ length: 6 }, () => ask(site.port, '/', { fields }))
    return [...new Set((await Promise.all(all)).map(({ text }) => text))].sort().join(' ')
  }
  await order('drain')
  expect([await visits({ Cookie: cookie }), await visits({})]).toEqual([own, other])
  await order('maint')
  expect([await visits({ Cookie: cookie }), await visits({})]).toEqual([other, other])
  await order('ready')
  await until('both', async () => (await visits({})) === 'a b')
  expect(await askAdmin(admin, 'POST', '/pool?state=up')).toMatchObject({ status: 400 })
  expect(await askAdmin(admin, 'GET', '/pool')).toMatchObject({ status: 405 })
})

test('hooks are run as an ordinary user, and get to know what has happened', async () => {
  const [a] = await NamedServer.start('a')
  closing.push(() => a!.stop())
  const told =
    'echo "$PORTICO_STATE $PORTICO_POOL $PORTICO_SERVER $PORTICO_UP/$PORTICO_SERVERS uid $(id -u)"'
  const site = await serve(
    `{ tcp: true, every: 100ms, fall: 1, rise: 1, on-down: ${JSON.stringify(told)}, on-up: ${JSON.stringify(`${told}; exit 3`)} }`,
    [`"${a!.address}"`],
  )
  await checked(site)
  await a!.stop()
  const down = await site.logged(/on-down of pool web for .*: down web 127.0.0.1:\d+ 0\/1 uid \d+/)
  expect(down.message).not.toMatch(/uid 0$/)
  await site.logged(/pool web: no server is left/)
  expect(await names(site, 2)).toBe('503')
  await a!.start()
  await site.logged(/on-up of pool web .*: up web .* 1\/1 uid/)
  await site.logged(/on-up of pool web .*: exit code 3/)
})

test('a program that checks for ever is killed with all it has started, also when the server is', async () => {
  const long = `1${process.pid}`
  const script = `{ script: "sleep ${long} & sleep ${long}", every: 300ms, timeout: 200ms, fall: 1 }`
  const site = await serve(script, ['"127.0.0.1:1"'])
  await site.logged(/ is down: no answer within 200 ms/)
  // Its environment is its own: no mark of ours is in it.
  const asleep = (): number =>
    readdirSync('/proc').filter((name) => lookAt(Number(name))?.command === `sleep ${long}`).length
  await until('one of them', () => asleep() > 0)
  expect(asleep()).toBeLessThanOrEqual(4)
  kill((await statusOf(site)).server.pid)
  await until('another', async () => (await statusOf(site)).server.restarts > 0)
  await site[Symbol.asyncDispose]()
  expect(asleep()).toBe(0)
})
