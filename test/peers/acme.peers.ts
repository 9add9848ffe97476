/** Automatic certificates from the newest pebble, which knows RFC 9773; built by Go from its module proxy. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Machine } from '../acme/household.ts'
import { Pebble, type PebbleOptions } from '../acme/pebble.ts'
import { until } from '../supervisor/site.ts'

const VERSION = 'v2.10.1'
const BUILD_MS = 600_000

const folder = mkdtempSync(join(tmpdir(), 'portico-go-'))
const programs = { pebble: join(folder, 'pebble'), dns: join(folder, 'pebble-challtestsrv') }
beforeAll(() => {
  const module = 'github.com/letsencrypt/pebble/v2/cmd'
  const packages = ['pebble', 'pebble-challtestsrv'].map((name) => `${module}/${name}@${VERSION}`)
  execFileSync('go', ['install', ...packages], { env: { ...process.env, GOBIN: folder } })
}, BUILD_MS)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function start(options: PebbleOptions = {}): Promise<Pebble> {
  return Pebble.start({ ...programs, ...options })
}

test.each(['http-01', 'tls-alpn-01'] as const)('by %s', async (challenge) => {
  await using pebble = await start({ badNonces: 25 })
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  await machine.tls(pebble.tlsPort)
  await machine.use(machine.plan(pebble, { challenges: [challenge] }))
  await machine.obtained()
})

test('what the CA suggests about renewal is heard, and the order says what it replaces', async () => {
  await using pebble = await start()
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  const plan = machine.plan(pebble, { store: `file:${machine.folder}/shared`, shared: true })
  await machine.use(plan)
  const before = await machine.obtained()
  expect(machine.status('www.example.com').renewal).toBeGreaterThan(Date.now() + 86_400_000)
  const window = { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' }
  await pebble.suggest(before.cert, JSON.stringify({ suggestedWindow: window }))
  // One that starts now asks now.
  await using next = new Machine()
  await next.use(plan)
  await until('the renewal', () => next.served[0]!.cert !== before.cert, 20_000)
  await until('the news', () => machine.served[0]!.cert === next.served[0]!.cert)
  expect(pebble.log).not.toMatch(/malformed|alreadyReplaced/)
}, 60_000)

test('what the CA suggests may be garbage', async () => {
  await using pebble = await start()
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  const plan = machine.plan(pebble, { store: `file:${machine.folder}/shared`, shared: true })
  await machine.use(plan)
  const { cert } = await machine.obtained()
  for (const garbage of ['{', '[]', '{"suggestedWindow":{"start":"x","end":5}}']) {
    await pebble.suggest(cert, garbage)
    await using next = new Machine()
    await next.use(plan)
    expect(next.status('www.example.com').renewal).toBeGreaterThan(Date.now() + 86_400_000)
  }
}, 60_000)

test('a name that the CA will not have is told as such, and the others are obtained', async () => {
  const blocked = 'blocked.example.net'
  await using pebble = await start({ config: { domainBlocklist: [blocked] } })
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  await machine.use(machine.plan(pebble, { names: [blocked, 'www.example.com'] }))
  expect(await machine.logged(/none for/)).toContain(`gives no certificates for ${blocked}`)
  await machine.obtained()
})
