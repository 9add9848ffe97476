/** Automatic certificates of whole sites, from a real ACME server. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, type PeerCertificate } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CertificateStatus } from '../../src/acme/status.ts'
import { Pebble } from '../acme/pebble.ts'
import { RedisServer } from '../jobs/servers.ts'
import { until } from '../supervisor/site.ts'
import { portico as command, Portico, type Ran } from './support/portico.ts'
import { ask } from './support/visitor.ts'

let pebble: Pebble
let root: string
beforeAll(async () => {
  pebble = await Pebble.start()
  root = await pebble.root()
}, 30_000)
afterAll(() => pebble?.[Symbol.asyncDispose]())

interface Met {
  readonly certificate: PeerCertificate
  /** Why it is none to rely on; '' for a good one. */
  readonly error: string
}

/** Whom a visitor meets. */
function meet(port: number, name: string, ca: string = root): Promise<Met> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: name, ca, rejectUnauthorized: false }
    const socket = connect(options, () => {
      const error = socket.authorizationError
      resolve({
        certificate: socket.getPeerCertificate(),
        error: error === null || error === undefined ? '' : String(error),
      })
      socket.end()
    })
    socket.on('error', reject)
  })
}

/** A visitor who trusts the CA is content. */
async function served(portico: Portico, port: number, name: string): Promise<PeerCertificate> {
  const good = async (): Promise<PeerCertificate | false> => {
    const { certificate, error } = await meet(port, name)
    return error === '' && certificate
  }
  return until(`a good certificate for ${name}`, good, 30_000).catch((error: Error) => {
    throw new Error(`${error.message}; the log:\n${portico.messages}`)
  })
}

function site(
  hosts: readonly string[],
  listen: readonly string[],
  acme: Readonly<Record<string, unknown>> = {},
): Record<string, string> {
  const routes = { '/': { respond: 'hello' }, '/.well-known/': { respond: 'not from a CA' } }
  const whole = {
    listen,
    threads: 2,
    state: './state',
    hosts: Object.fromEntries(hosts.map((name) => [name, routes])),
    tls: { acme: { server: pebble.url, trust: pebble.trust, ...acme }, redirect: true },
  }
  return { 'site.yaml': JSON.stringify(whole) }
}

async function certificates(portico: Portico): Promise<CertificateStatus[]> {
  return JSON.parse((await portico.run('certificates', '--json')).out)
}

/** As the owner asks for it. */
function renew(portico: Portico, name: string): Promise<Ran> {
  return command(['certificates', 'renew', name, 'site.yaml'], { cwd: portico.folder })
}

describe('a site obtains its certificates', () => {
  test('while it serves: by http-01, again at no reload, for a new name as well', async () => {
    const listen = [`http://127.0.0.1:${pebble.httpPort}`, 'https://127.0.0.1:0']
    const names = ['www.example.com', 'api.example.com']
    const orders = pebble.orders
    await using portico = await Portico.serve(site(names, listen))
    const port = Number(new URL(portico.urls[1]!).port)
    // Nobody has waited for a CA: there is an answer at once, if need be with a stand-in.
    expect((await meet(port, 'www.example.com')).certificate.subject).toBeDefined()
    for (const name of names) {
      expect((await served(portico, port, name)).subjectaltname).toBe(`DNS:${name}`)
    }
    // What is nobody's proof is the site's own business.
    const fields = { Host: 'www.example.com' }
    const path = `/.well-known/acme-challenge/${'x'.repeat(43)}`
    const visit = await ask(pebble.httpPort, path, { fields })
    expect(visit.status).toBe(301)
    expect(visit.fields.location).toContain('https://www.example.com')

    portico.write('site.yaml', site([...names, 'new.example.com'], listen)['site.yaml']!)
    expect((await portico.run('reload')).code).toBe(0)
    await served(portico, port, 'new.example.com')
    expect(pebble.orders).toBe(orders + 3)
    const all = await certificates(portico)
    expect(all.map(({ names, state, trouble }) => ({ names, state, trouble }))).toEqual(
      [...names, 'new.example.com'].map((name) => ({
        names: [name],
        state: 'kept',
        trouble: null,
      })),
    )
    expect((await portico.run('certificates')).out).toMatch(/www\.example\.com +kept +Pebble Inter/)

    // One that is gone stays in the store; nobody is shown it.
    portico.write('site.yaml', site(names, listen)['site.yaml']!)
    await portico.run('reload')
    expect((await certificates(portico)).length).toBe(2)
    const kept = join(portico.folder, 'state/certificates/certificates/new.example.com')
    const text = readFileSync(kept, 'latin1')
    const secret = text.split('\n')[3]!
    expect(text).toContain('PRIVATE KEY')
    expect(portico.messages).not.toContain(secret)

    const before = await meet(port, 'www.example.com')
    expect((await renew(portico, 'nobody.example.com')).err).toContain('there are www.example')
    expect((await renew(portico, 'www.example.com')).code).toBe(0)
    await until('another one', async () => {
      const { certificate } = await meet(port, 'www.example.com')
      return certificate.fingerprint256 !== before.certificate.fingerprint256
    })
  }, 60_000)

  test('by tls-alpn-01 on its https listener alone', async () => {
    const names = ['alpn.example.com']
    await using portico = await Portico.serve(site(names, [`https://127.0.0.1:${pebble.tlsPort}`]))
    await served(portico, pebble.tlsPort, 'alpn.example.com')
    // Nobody else is shown what the CA came for.
    expect(portico.messages).toContain('alpn.example.com has one by Pebble Intermediate')
  }, 40_000)

  test('on demand: the first visitor waits for it', async () => {
    const program = createServer((request, response) => {
      response.statusCode = request.url?.includes('domain=customer') === true ? 200 : 404
      response.end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => program.once('listening', resolve))
    const ask = `http://127.0.0.1:${(program.address() as AddressInfo).port}/`
    const listen = [`http://127.0.0.1:${pebble.httpPort}`, 'https://127.0.0.1:0']
    const acme = { 'on-demand': { ask } }
    await using portico = await Portico.serve(site(['*'], listen, acme))
    const port = Number(new URL(portico.urls[1]!).port)
    expect((await meet(port, 'customer.example.com')).error).toBe('')
    expect((await meet(port, 'stranger.example.com')).error).not.toBe('')
    const all = await certificates(portico)
    expect(all.map(({ names }) => names[0])).toContain('customer.example.com')
    program.close()
  }, 40_000)

  test('a killed site asks no CA again, and does not give what it has to anybody', async () => {
    const listen = [`http://127.0.0.1:${pebble.httpPort}`, 'https://127.0.0.1:0']
    await using first = await Portico.serve(site(['kept.example.com'], listen))
    const port = Number(new URL(first.urls[1]!).port)
    const { fingerprint256 } = await served(first, port, 'kept.example.com')
    const orders = pebble.orders
    first.signal('SIGKILL')
    await first.exited
    const state = join(first.folder, 'state')
    const files = site(['kept.example.com'], listen)
    const text = JSON.stringify({ ...JSON.parse(files['site.yaml']!), state })
    await using second = await Portico.serve({ 'site.yaml': text })
    const again = await meet(Number(new URL(second.urls[1]!).port), 'kept.example.com')
    expect(again.certificate.fingerprint256).toBe(fingerprint256)
    expect(pebble.orders).toBe(orders)
  }, 60_000)
})

test('two machines with one store: the CA comes to one for what the other has ordered', async () => {
  await using redis = await RedisServer.start()
  const acme = { store: redis.url }
  const listen = [`http://127.0.0.1:${pebble.httpPort}`, 'https://127.0.0.1:0']
  await using one = await Portico.serve(site(['one.example.com'], listen, acme))
  const ports = { one: Number(new URL(one.urls[1]!).port), two: 0 }
  await served(one, ports.one, 'one.example.com')
  const orders = pebble.orders
  const away = ['http://127.0.0.1:0', 'https://127.0.0.1:0']
  await using two = await Portico.serve(site(['two.example.com'], away, acme))
  ports.two = Number(new URL(two.urls[1]!).port)
  const { fingerprint256 } = await served(two, ports.two, 'two.example.com')
  one.write('site.yaml', site(['one.example.com', 'two.example.com'], listen, acme)['site.yaml']!)
  await one.run('reload')
  expect((await served(one, ports.one, 'two.example.com')).fingerprint256).toBe(fingerprint256)
  expect(pebble.orders).toBe(orders + 1)
  // Whichever renews it, both serve it.
  await renew(one, 'two.example.com')
  await until(
    'the news',
    async () => {
      const both = await Promise.all(
        [ports.one, ports.two].map(async (port) => {
          const { certificate } = await meet(port, 'two.example.com')
          return certificate.fingerprint256
        }),
      )
      return both[0] === both[1] && both[0] !== fingerprint256
    },
    30_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; the logs:\n${one.messages}\n\n${two.messages}`)
  })
}, 90_000)

test('our own authority answers for local names, and `portico ca` shows its root', async () => {
  const whole = {
    listen: 'https://127.0.0.1:0',
    state: './state',
    routes: { '/': { respond: 'x' } },
  }
  await using portico = await Portico.serve({ 'site.yaml': JSON.stringify(whole) })
  const ca = (await portico.run('ca', '--pem')).out
  for (const name of ['localhost', '127.0.0.1']) {
    const servername = name === 'localhost' ? name : ''
    const { certificate, error } = await meet(portico.port, servername, ca)
    expect(certificate.subjectaltname).toContain('127.0.0.1')
    expect(error).toBe('')
  }
  const { out } = await portico.run('ca')
  expect(out).toContain(join(portico.folder, 'state/authority/root.pem'))
  expect(out).toContain('update-ca-certificates')
}, 40_000)
