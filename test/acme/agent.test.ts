/** An agent and a real ACME server. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { writeKept } from '../../src/acme/kept.ts'
import { standIn } from '../../src/acme/stand-in.ts'
import { FileStore } from '../../src/acme/stores/file.ts'
import { KEY_TYPES } from '../../src/site/acme-plan.ts'
import { readCertificate } from '../../src/tls/read-certificate.ts'
import { RedisServer } from '../jobs/servers.ts'
import { until } from '../supervisor/site.ts'
import { EtcdServer } from './etcd-server.ts'
import { Machine } from './household.ts'
import { Pebble } from './pebble.ts'

let pebble: Pebble
beforeAll(async () => {
  // Every fourth nonce is refused.
  pebble = await Pebble.start({ badNonces: 25 })
}, 30_000)
afterAll(() => pebble?.[Symbol.asyncDispose]())

describe('a certificate is obtained', () => {
  test('by http-01; a stand-in serves until then', async () => {
    await using machine = new Machine()
    await machine.use(machine.plan(pebble))
    expect(readCertificate(machine.served[0]!)).toMatchObject({
      names: ['www.example.com'],
      issuer: 'waiting for a certificate',
    })
    await machine.http(pebble.httpPort)
    machine.agent.renew('www.example.com')
    const pem = await machine.obtained()
    const certificate = readCertificate(pem)
    expect(certificate).toMatchObject({ names: ['www.example.com'], keyType: 'ec', warnings: [] })
    expect(certificate.issuer).toMatch(/Pebble Intermediate/)
    expect(machine.served.length).toBe(1)
    const chain = pem.cert.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g)!
    const root = new X509Certificate(await pebble.root())
    expect(new X509Certificate(chain.at(-1)!).verify(root.publicKey)).toBe(true)
    const { renewal, from, expires, state, trouble } = machine.status('www.example.com')
    expect({ state, trouble }).toEqual({ state: 'kept', trouble: null })
    const share = (renewal - from) / (expires - from)
    expect(share).toBeGreaterThan(0.6)
    expect(share).toBeLessThan(0.67)
  })

  test('by tls-alpn-01', async () => {
    await using machine = new Machine()
    await machine.tls(pebble.tlsPort)
    await machine.use(machine.plan(pebble, { challenges: ['tls-alpn-01'] }))
    const certificate = readCertificate(await machine.obtained())
    expect(certificate.names).toEqual(['www.example.com'])
  })

  test('where the first way is closed, by the next', async () => {
    await using machine = new Machine()
    await machine.tls(pebble.tlsPort)
    await machine.use(machine.plan(pebble, { challenges: ['http-01', 'tls-alpn-01'] }))
    await machine.obtained()
  })

  test('for a wildcard by dns-01, through a program', async () => {
    await using machine = new Machine()
    const hook = join(machine.folder, 'hook.mjs')
    writeFileSync(
      hook,
      `#!${process.execPath}
const [what, name, record, value] = process.argv.slice(2)
const path = what === 'present' ? 'set-txt' : 'clear-txt'
await fetch('${pebble.dnsManagement}/' + path, { method: 'POST', body: JSON.stringify({ host: record + '.', value }) })
`,
    )
    chmodSync(hook, 0o755)
    const names = ['*.example.com']
    await machine.use(machine.plan(pebble, { names, challenges: ['dns-01'], dnsHook: [hook] }))
    const certificate = readCertificate(await machine.obtained('*.example.com'))
    expect(certificate.names).toEqual(names)
  })

  test.each(KEY_TYPES)(
    'with a key of the kind %s',
    async (keyType) => {
      await using machine = new Machine()
      await machine.http(pebble.httpPort)
      await machine.use(machine.plan(pebble, { keyType }))
      const { key } = await machine.obtained()
      const bits = { p256: 'prime256v1', p384: 'secp384r1', rsa2048: 2048, rsa4096: 4096 }[keyType]
      const { namedCurve, modulusLength } = createPrivateKey(key).asymmetricKeyDetails ?? {}
      expect(namedCurve ?? modulusLength).toBe(bits)
    },
    30_000,
  )
})

test('a restart asks no CA', async () => {
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  const plan = machine.plan(pebble)
  await machine.use(plan)
  const before = await machine.obtained()
  await machine.agent.close()
  const orders = pebble.orders
  await using next = new Machine()
  await next.use({ ...plan, servers: plan.servers })
  expect(next.served.map(({ cert }) => cert)).toEqual([before.cert])
  expect(pebble.orders).toBe(orders)
  expect(
    readFileSync(join(machine.folder, 'certificates/certificates/www.example.com'), 'latin1'),
  ).toContain(before.key)
})

describe('renewal', () => {
  test('comes before the end, and the account stays', async () => {
    await using brief = await Pebble.start({ validity: 6 })
    await using machine = new Machine()
    await machine.http(brief.httpPort)
    await machine.use(machine.plan(brief))
    const first = readCertificate(await machine.obtained())
    const second = await until(
      'the renewal',
      () => {
        const [pem] = machine.served
        const now = readCertificate(pem!)
        return now.id !== first.id && now
      },
      20_000,
    )
    expect(Date.now()).toBeLessThan(first.notAfter)
    expect(second.notAfter).toBeGreaterThan(first.notAfter)
    expect(brief.log.match(/There are now \d+ accounts in memory/g)?.length).toBe(1)
  }, 40_000)
})

describe('what a CA refuses is told with its remedy, and is tried again', () => {
  test('nobody answers on the port', async () => {
    await using machine = new Machine()
    await machine.use(machine.plan(pebble))
    const line = await machine.logged(/none for/)
    expect(line).toMatch(/www\.example\.com cannot be reached on port 80 .*firewall/)
    expect(machine.status('www.example.com').failures).toBeGreaterThan(0)
    // Then somebody does.
    await machine.http(pebble.httpPort)
    machine.agent.renew('www.example.com')
    await machine.obtained()
    expect(machine.status('www.example.com')).toMatchObject({ failures: 0, trouble: null })
  })

  test('somebody else answers', async () => {
    await using machine = new Machine()
    await using other = new Machine()
    await other.http(pebble.httpPort)
    await machine.use(machine.plan(pebble))
    expect(await machine.logged(/none for/)).toMatch(
      /somebody else answers for www\.example\.com .*point to this machine/,
    )
  })

  test('the CA is away: the next one is asked', async () => {
    await using machine = new Machine()
    await machine.http(pebble.httpPort)
    const away = { url: 'https://127.0.0.1:1/dir', external: null }
    const [own] = machine.plan(pebble).servers
    await machine.use(machine.plan(pebble, { servers: [away, own!] }))
    await machine.obtained()
    expect(machine.status('www.example.com').source).toBe(pebble.url)
  })

  test('the CA wants to know who we are', async () => {
    const secret = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W'
    await using strict = await Pebble.start({ external: { 'kid-1': secret } })
    await using machine = new Machine()
    await machine.http(strict.httpPort)
    await machine.use(machine.plan(strict))
    expect(await machine.logged(/none for/)).toMatch(/tls\.acme\.external-account/)
    const keyFile = join(machine.folder, 'eab.key')
    writeFileSync(keyFile, `${secret}\n`)
    const servers = [{ url: strict.url, external: { keyId: 'kid-1', keyFile } }]
    await machine.use(machine.plan(strict, { servers }))
    machine.agent.renew('www.example.com')
    await machine.obtained()
    expect(machine.log.join('\n')).not.toContain(secret)
  }, 30_000)

  test('the account was deactivated: another one is made', async () => {
    await using machine = new Machine()
    await machine.http(pebble.httpPort)
    await machine.use(machine.plan(pebble))
    await machine.obtained()
    await machine.deactivate(pebble)
    const [before] = machine.served
    machine.agent.renew('www.example.com')
    await until('another one', () => machine.served[0]?.cert !== before?.cert, 15_000)
  })
})

describe('several machines share a store: one orders, the others have it in seconds', () => {
  test('a folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-shared-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    await share(`file:${folder}`)
  })

  test('Redis', async () => {
    await using redis = await RedisServer.start()
    await share(redis.url)
  })

  test('etcd', async () => {
    await using etcd = await EtcdServer.start()
    await share(`etcd://${etcd.host}`)
  }, 30_000)
})

async function share(store: string): Promise<void> {
  await using one = new Machine()
  await using other = new Machine()
  // The CA comes to a machine that has ordered nothing.
  await using third = new Machine()
  const plan = one.plan(pebble, { store, shared: true })
  await third.http(pebble.httpPort)
  await third.tls(pebble.tlsPort)
  const orders = pebble.orders
  await Promise.all([one.use(plan), other.use(plan)])
  await third.use(plan)
  const certificates = await Promise.all([one, other, third].map((each) => each.obtained()))
  expect(new Set(certificates.map(({ cert }) => cert)).size).toBe(1)
  expect(pebble.orders).toBe(orders + 1)
  // Whichever renews, all have it.
  await one.use({ ...plan, challenges: ['tls-alpn-01'] })
  one.agent.renew('www.example.com')
  await until('the news', () => {
    const now = [one, other, third].map(({ served }) => served[0]!.cert)
    return new Set(now).size === 1 && now[0] !== certificates[0]!.cert
  })
}

test('names come and go; an order that is under way is not begun anew', async () => {
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  const orders = pebble.orders
  await machine.use(machine.plan(pebble))
  for (let i = 0; i < 5; i++)
    await machine.use(machine.plan(pebble, { email: `a${i}@example.com` }))
  await machine.obtained()
  expect(pebble.orders).toBe(orders + 1)
  const names = ['www.example.com', 'api.example.com']
  await machine.use(machine.plan(pebble, { names }))
  await machine.obtained('api.example.com')
  await machine.use(machine.plan(pebble, { names: ['api.example.com'] }))
  expect(machine.served.map((pem) => readCertificate(pem).names)).toEqual([['api.example.com']])
  await machine.use(machine.plan(pebble, { names }))
  expect(machine.served.length).toBe(2)
  expect(pebble.orders).toBe(orders + 2)
})

test('a store that takes nothing: no order is made whose certificate could not be kept', async () => {
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  const orders = pebble.orders
  const folder = join(machine.folder, 'certificates')
  mkdirSync(folder)
  writeFileSync(join(folder, 'trouble'), 'in the way of a folder')
  await machine.use(machine.plan(pebble))
  expect(await machine.logged(/none for/)).toContain(folder)
  expect(pebble.orders).toBe(orders)
  rmSync(join(folder, 'trouble'))
  await machine.obtained()
})

describe('the store is a Redis', () => {
  test('that is away: nobody waits for it, and it is found when it comes', async () => {
    const redis = await RedisServer.start()
    await redis.stop()
    await using machine = new Machine()
    await machine.http(pebble.httpPort)
    const begun = performance.now()
    await machine.use(machine.plan(pebble, { store: redis.url, shared: true }))
    expect(performance.now() - begun).toBeLessThan(8_000)
    expect(readCertificate(machine.served[0]!).issuer).toBe('waiting for a certificate')
    await redis.start()
    await machine.obtained()
    await redis[Symbol.asyncDispose]()
  }, 40_000)

  test('that another one follows: what is had is kept there as well', async () => {
    await using redis = await RedisServer.start()
    await using machine = new Machine()
    await machine.http(pebble.httpPort)
    await machine.use(machine.plan(pebble))
    const before = await machine.obtained()
    const orders = pebble.orders
    await machine.use(machine.plan(pebble, { store: redis.url, shared: true }))
    await until('the copy', async () =>
      (await redis.cli('GET', 'portico:certificates:certificates/www.example.com')).includes(
        'BEGIN',
      ),
    )
    expect(machine.served).toEqual([before])
    expect(pebble.orders).toBe(orders)
  }, 30_000)
})

test('a CA that hangs holds up neither the start nor the end of a site, and counts as no failure then', async () => {
  await using frozen = await Pebble.start()
  await using machine = new Machine()
  frozen.freeze()
  const begun = performance.now()
  await machine.use(machine.plan(frozen))
  await machine.logged(/obtaining one/)
  expect(machine.served.length).toBe(1)
  await machine.agent.close()
  expect(performance.now() - begun).toBeLessThan(5_000)
  const store = new FileStore(join(machine.folder, 'certificates'))
  expect(await store.read('trouble/www.example.com')).toBeNull()
  // And its lock is free.
  expect(await store.lock('order/www.example.com')).not.toBeNull()
})

test('names on demand: those that the owner’s program takes, as long as there is room', async () => {
  await using machine = new Machine()
  await machine.http(pebble.httpPort)
  const asked: string[] = []
  const program = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://x').searchParams.get('domain') ?? ''
    asked.push(name)
    response.statusCode = name.startsWith('good') ? 200 : 403
    response.end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => program.once('listening', resolve))
  const ask = `http://127.0.0.1:${(program.address() as AddressInfo).port}/may`
  const orders = pebble.orders
  const plan = machine.plan(pebble, { names: [], ask, mostAsked: 2 })
  await machine.use(plan)
  const { agent } = machine
  const names = (): string[] => machine.served.flatMap((pem) => readCertificate(pem).names)
  // Several visitors wait for the same one.
  await Promise.all([1, 2, 3].map(() => agent.demand('good1.example.com')))
  expect(names()).toEqual(['good1.example.com'])
  await agent.demand('bad.example.com')
  await agent.demand('bad.example.com')
  for (const none of ['localhost', '10.0.0.1', 'x', '*.example.com', '-a.example.com', 'a..b']) {
    await agent.demand(none)
  }
  expect(asked).toEqual(['good1.example.com', 'bad.example.com'])
  await machine.use({ ...plan, email: 'other@example.com' })
  await agent.demand('good2.example.com')
  await agent.demand('good3.example.com')
  expect(names()).toEqual(['good1.example.com', 'good2.example.com'])
  expect(pebble.orders).toBe(orders + 2)
  await machine.logged(/on-demand\.most/)
  program.close()
})

test('an authority that cannot be used: visitors are warned, and the owner is told', async () => {
  await using machine = new Machine()
  writeFileSync(join(machine.folder, 'authority'), 'in the way of a folder')
  await machine.use(machine.plan(pebble, { names: [], local: ['localhost', '127.0.0.1'] }))
  expect(await machine.logged(/our own authority/)).toContain(join(machine.folder, 'authority'))
  expect(readCertificate(machine.served[0]!).names).toEqual(['localhost', '127.0.0.1'])
  expect(machine.status('localhost')).toMatchObject({ state: 'missing', failures: 1 })
})

test('a site of hundreds of names begins to serve in a moment, and tells its certificates a few times', async () => {
  await using machine = new Machine()
  const names = Array.from({ length: 200 }, (_, i) => `n${i}.example.com`)
  const store = new FileStore(join(machine.folder, 'certificates'))
  const { url } = machine.plan(pebble).servers[0]!
  for (const name of names) {
    const { cert, key } = await standIn([name])
    await store.write(`certificates/${name}`, writeKept(url, cert, key))
  }
  const warnings: Error[] = []
  const warned = (warning: Error): number => warnings.push(warning)
  process.on('warning', warned)
  onTestFinished(() => void process.off('warning', warned))
  const begun = performance.now()
  await machine.use(machine.plan(pebble, { names }))
  expect(performance.now() - begun).toBeLessThan(5_000)
  await until('all of them', () => machine.served.length === 200)
  expect(machine.told).toBeLessThan(5)
  expect(warnings).toEqual([])
})
