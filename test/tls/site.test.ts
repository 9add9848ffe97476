/** What site files say of TLS, and what is wrong with it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadSite } from '../../src/site/load.ts'
import type { SitePlan } from '../../src/site/plan.ts'
import { authority, expired, pair } from './support/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-tls-site-'))
afterAll(() => rmSync(folder, { recursive: true }))

const www = pair({ names: ['www.example.com', '*.shop.example'] })
const other = pair({ names: ['other.example'] })
const old = await expired('old.example')

mkdirSync(join(folder, 'certs'))
for (const [name, text] of Object.entries({
  'certs/www.pem': www.cert + www.key,
  'other.pem': other.cert,
  'other.key': other.key,
  'wrong.pem': www.cert + other.key,
  'old.pem': old.cert + old.key,
  'staff.pem': authority().cert,
  'tickets.key': 'x'.repeat(80),
  'short.key': 'x',
  'text.txt': 'hello',
})) {
  writeFileSync(join(folder, name), text)
}

interface Outcome {
  readonly plan: SitePlan
  readonly warnings: readonly string[]
}

let count = 0

async function load(text: string): Promise<Outcome> {
  const file = join(folder, `site-${++count}.yaml`)
  writeFileSync(file, text)
  const { plan, warnings } = await loadSite(file)
  return { plan, warnings: warnings.map(({ message }) => message) }
}

/** What is said of a site that cannot be, without the name of its file. */
async function problems(text: string): Promise<string> {
  const error = await load(text).catch((reason: Error) => reason)
  if (!(error instanceof Error)) throw new Error('there is nothing wrong with it')
  return error.message.replaceAll(folder, '').replaceAll(/\S*site-\d+\.yaml/g, 'site.yaml')
}

const ROUTES = 'routes: { /: { respond: hello } }\n'

describe('a site with TLS', () => {
  it('has safe defaults', async () => {
    const { plan } = await load(
      `listen: https://:443\ntls: { certificates: certs/www.pem }\n${ROUTES}`,
    )
    const [listener] = plan.listeners
    expect(listener).toMatchObject({ scheme: 'https', address: { port: 443 } })
    expect(listener?.tls).toMatchObject({
      set: '',
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      groups: 'X25519MLKEM768:X25519:prime256v1:secp384r1',
      strictNames: false,
      sessionSeconds: 86_400,
      handshakeMs: 15_000,
      clients: null,
    })
    expect(listener?.tls?.ciphers).not.toMatch(/CBC|SHA:|RC4|^AES/)
    expect(plan.tls).toEqual({
      sets: { '': [{ cert: join(folder, 'certs/www.pem'), key: '', ocsp: '' }] },
      ticketFiles: [],
      ticketRotateMs: 43_200_000,
      redirectPort: 0,
      hsts: null,
    })
    expect((await load(ROUTES)).plan.tls).toBeUndefined()
  })

  it('takes every setting, of which listeners may have others', async () => {
    const { plan } = await load(`
listen:
  - https://:443
  - { on: "https://:8443", tls: { min-version: TLSv1.3, strict-names: true } }
  - { on: ":9443", certificate: other.pem, key: other.key }
  - { on: "https://:7443", tls: { certificates: [other.pem], session-timeout: 0, client-certificates: { ca: staff.pem, mode: optional, depth: 1 } } }
  - ":80"
tls:
  certificates: [certs/*, { cert: other.pem, key: other.key, ocsp: text.txt }]
  min-version: 1.2
  max-version: 1.3
  ciphers: ECDHE-RSA-AES128-GCM-SHA256
  groups: X25519
  signatures: ECDSA+SHA256
  prefer-server-ciphers: true
  handshake-timeout: 5s
  handshakes: 10
  tickets: { keys: tickets.key, rotate: 1h }
  redirect: true
  hsts: { max-age: 1h, include-subdomains: true }
${ROUTES}`)
    const [site, strict, own, asking, plain] = plan.listeners
    expect(site?.tls).toMatchObject({
      ciphers: expect.stringMatching(/^TLS_AES_128_GCM_SHA256:.*:ECDHE-RSA-AES128-GCM-SHA256$/),
      groups: 'X25519',
      signatures: 'ECDSA+SHA256',
      preferServerCiphers: true,
      handshakeMs: 5_000,
      handshakes: 10,
    })
    expect(strict?.tls).toEqual({ ...site?.tls, minVersion: 'TLSv1.3', strictNames: true })
    expect(own).toMatchObject({ scheme: 'https', tls: { ...site?.tls, set: 'listen[2]' } })
    expect(asking?.tls).toEqual({
      ...site?.tls,
      set: 'listen[3]',
      sessionSeconds: 0,
      clients: { mode: 'optional', ca: join(folder, 'staff.pem'), crl: '', depth: 1 },
    })
    expect(plain?.tls).toBeUndefined()
    expect(plan.tls).toMatchObject({
      ticketFiles: [join(folder, 'tickets.key')],
      ticketRotateMs: 3_600_000,
      redirectPort: 443,
      hsts: { maxAgeSeconds: 3_600, includeSubdomains: true, preload: false },
    })
    expect(Object.keys(plan.tls?.sets ?? {})).toEqual(['', 'listen[2]', 'listen[3]'])
    expect(JSON.stringify(plan)).not.toContain('PRIVATE')
  })

  it('is warned about hosts without a certificate, and others’ that are none to be proud of', async () => {
    const { warnings } = await load(`
listen: https://:443
tls:
  certificates: [certs/www.pem, old.pem]
  min-version: 1.1
  hsts: { preload: true }
hosts:
  www.example.com: { /: { respond: a } }
  a.shop.example: { /: { respond: a } }
  "*.shop.example": { /: { respond: a } }
  a.b.shop.example: { /: { respond: a } }
  "*": { /: { respond: a } }
`)
    expect(warnings).toEqual([
      expect.stringContaining('old.pem: it expired on Feb  1'),
      expect.stringContaining('TLS before 1.2 is broken'),
      expect.stringContaining('only who has include-subdomains'),
      expect.stringContaining('no certificate is made out for "a.b.shop.example"'),
    ])
  })

  it('is warned where no listener speaks TLS', async () => {
    const tls = 'tls: { certificates: certs/www.pem }\nroutes: { /: { respond: a } }'
    expect((await load(`listen: ":443"\n${tls}`)).warnings).toEqual(['no listener speaks TLS'])
    expect((await load(`listen: https://:443\n${tls}`)).warnings).toEqual([])
  })
})

describe('a configuration of uWSGI', () => {
  it('has certificates', async () => {
    writeFileSync(join(folder, 'app.py'), 'def application(environ, start_response): pass\n')
    const file = join(folder, 'app.ini')
    const socket = 'https = 127.0.0.1:8443,other.pem,other.key,HIGH,!staff.pem'
    writeFileSync(file, `[uwsgi]\n${socket}\nwsgi-file = app.py\n`)
    const { plan } = await loadSite(file, {}, { cwd: folder })
    expect(plan.listeners[0]).toMatchObject({
      scheme: 'https',
      address: { host: '127.0.0.1', port: 8443 },
      tls: {
        set: 'listen[0]',
        ciphers: expect.stringMatching(/:HIGH$/),
        clients: { mode: 'require', ca: join(folder, 'staff.pem') },
      },
    })
    expect(plan.tls?.sets['listen[0]']).toEqual([
      { cert: join(folder, 'other.pem'), key: join(folder, 'other.key'), ocsp: '' },
    ])
  })
})

describe('a site is refused', () => {
  it.each([
    [
      'with the key of another certificate',
      `listen: https://:443\ntls: { certificates: wrong.pem }\n${ROUTES}`,
      'site.yaml:2:22: tls.certificates: /wrong.pem: the key belongs to another certificate',
    ],
    [
      'with a certificate that is not there',
      `listen: https://:443\ntls: { certificates: [certs/www.pem, none.pem] }\n${ROUTES}`,
      'site.yaml:2:38: tls.certificates[1]: /none.pem: no such file',
    ],
    [
      'with what is no certificate',
      `listen: { on: "https://:443", certificate: text.txt }\n${ROUTES}`,
      'site.yaml:1:44: listen.certificate: /text.txt: no private key in it or beside it; name it with `key`',
    ],
    [
      'with a key alone',
      `listen: { on: "https://:443", key: other.key }\ntls: { certificates: certs/www.pem }\n${ROUTES}`,
      'site.yaml:1:31: listen.key: a key without a certificate',
    ],
    [
      'with versions in the wrong order',
      `listen: https://:443\ntls: { certificates: certs/www.pem, min-version: 1.3, max-version: 1.2 }\n${ROUTES}`,
      'site.yaml:2:68: tls.max-version: older than min-version',
    ],
    [
      'with a version that there is not',
      `listen: https://:443\ntls: { certificates: certs/www.pem, min-version: 1.4 }\n${ROUTES}`,
      'tls.min-version: wrong value; expected one of 1.0, 1.1, 1.2, 1.3',
    ],
    [
      'without authorities for certificates of visitors',
      `listen: https://:443\ntls: { certificates: certs/www.pem, client-certificates: { ca: text.txt } }\n${ROUTES}`,
      'tls.client-certificates: /text.txt: no certificate in it: expected PEM',
    ],
    [
      'with a secret that is none',
      `listen: https://:443\ntls: { certificates: certs/www.pem, tickets: { keys: short.key } }\n${ROUTES}`,
      'tls.tickets.keys: /short.key: 32 bytes or more: openssl rand -out FILE 80',
    ],
    [
      'with nowhere to redirect to',
      `listen: { on: "uwsgi://:3031", tls: {} }\ntls: { certificates: certs/www.pem, redirect: true }\n${ROUTES}`,
      'there is no https:// listener to send visitors to',
    ],
    [
      'with ciphers that nobody knows',
      `listen: https://:443\ntls: { certificates: certs/www.pem, ciphers: "NONSENSE" }\n${ROUTES}`,
      'tls.ciphers: OpenSSL knows none of these',
    ],
    [
      'with groups that nobody knows',
      `listen: https://:443\ntls: { certificates: certs/www.pem, groups: "X25519:NONSENSE" }\n${ROUTES}`,
      'tls.groups: OpenSSL does not know all of these',
    ],
    [
      'with a route for certificates that nobody is asked for',
      `listen: https://:443\ntls: { certificates: certs/www.pem }\nroutes: { /: { respond: a, client-certificate: true } }`,
      'client-certificate, and no listener asks for one; expected tls: { client-certificates',
    ],
  ])('%s', async (_, text, message) => {
    expect(await problems(text)).toContain(message)
  })
})
