/** Visitors who show certificates, and what applications and servers behind are told of them. */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authority, type Pair, pair } from '../tls/support/certificates.ts'
import { Portico, PYTHON, run } from './support/portico.ts'
import { type Reply, Visitor } from './support/visitor.ts'

const ca = authority('Server authority')
const server = pair({ names: ['localhost', 'intern.example'], by: ca })
const staff = authority('Staff authority')
const anna = pair({ names: ['anna'], by: staff, subject: '/O=Example, Inc./CN=anna' })
/** As services often have them: all that it says is in its alternative names. */
const nameless = pair({ names: ['service'], by: staff, subject: '/' })
const revoked = pair({ names: ['bert'], by: staff })
const stranger = pair({ names: ['stranger'] })
const middle = authority('Department', staff)
const deep = pair({ names: ['deep'], by: middle })

const folder = mkdtempSync(join(tmpdir(), 'portico-clients-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What the authority has revoked, by openssl's own little authority. */
function crl(by: Pair, gone: Pair): string {
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('ca.pem'), by.cert)
  writeFileSync(at('ca.key'), by.key)
  writeFileSync(at('gone.pem'), gone.cert)
  writeFileSync(at('index.txt'), '')
  writeFileSync(at('number'), '01\n')
  writeFileSync(
    at('ca.conf'),
    `[ca]\ndefault_ca = me\n[me]\ndatabase = ${at('index.txt')}\ncrlnumber = ${at('number')}\ndefault_md = sha256\ndefault_crl_days = 30\ncertificate = ${at('ca.pem')}\nprivate_key = ${at('ca.key')}\n`,
  )
  const openssl = (...args: string[]): string =>
    execFileSync('openssl', ['ca', '-config', at('ca.conf'), ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  openssl('-revoke', at('gone.pem'))
  return openssl('-gencrl')
}

const APP = `
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    names = sorted(n for n in environ if n.startswith('SSL_') or n in ('wsgi.url_scheme', 'HTTPS'))
    return ['\\n'.join(f'{n}={environ[n]}' for n in names if n != 'SSL_CLIENT_CERT').encode()]
`

let behind: Server
let seen: IncomingHttpHeaders = {}
let site: Portico
let required: number
let optional: number
let shallow: number

beforeAll(async () => {
  behind = createServer((request, response) => {
    seen = request.headers
    response.end('behind')
  }).listen(0, '127.0.0.1')
  await once(behind, 'listening')
  const { port } = behind.address() as { port: number }
  site = await Portico.serve({
    'server.pem': server.cert + server.key,
    'staff.pem': staff.cert,
    'staff.crl': crl(staff, revoked),
    'app.py': APP,
    'site.yaml': `
listen:
  - { on: "https://127.0.0.1:0", tls: { client-certificates: { ca: staff.pem, crl: staff.crl } } }
  - { on: "https://127.0.0.1:0", tls: { client-certificates: { ca: staff.pem, mode: optional, depth: 1 } } }
  - { on: "https://127.0.0.1:0", tls: { client-certificates: { ca: staff.pem, depth: 0 } } }
tls: { certificates: server.pem }
threads: 1
routes:
  /: { app: shop }
  /behind/: { proxy: "127.0.0.1:${port}" }
  /staff/: { respond: "for staff", client-certificate: true }
  /named/: { respond: "named", headers: { set: { X-Who: "$ssl_client_s_dn $ssl_client_verify" } } }
apps: { shop: { python: "app:application", interpreter: ${PYTHON}, workers: 1 } }
log: { access: stdout, format: json }
`,
  })
  const ports = site.urls.map((url) => Number(new URL(url).port))
  required = ports[0]!
  optional = ports[1]!
  shallow = ports[2]!
  await site.settled()
})
afterAll(async () => {
  behind?.close()
  await site?.[Symbol.asyncDispose]()
})

async function ask(port: number, path: string, who?: Pair, more: object = {}): Promise<Reply> {
  using visitor = await Visitor.secure(port, { ...who, ...more })
  return await visitor.ask(path)
}

describe('a listener that requires certificates', () => {
  it('answers who has a good one', async () => {
    expect((await ask(required, '/staff/', anna)).text).toBe('for staff')
  })

  it.each([
    ['none', undefined, 'a client certificate is needed here, and none was sent'],
    ['one of a stranger', stranger, 'none to rely on'],
    ['one that was revoked', revoked, 'cert revoked'],
  ])('answers 400 to who has %s', async (_, who, why) => {
    const reply = await ask(required, '/', who)
    expect(reply.status).toBe(400)
    expect(reply.text).toContain(why)
  })

  it('takes no longer chain than it is told to', async () => {
    const who = { cert: deep.cert + middle.cert, key: deep.key }
    expect((await ask(shallow, '/', who)).text).toContain('chain too long')
    expect((await ask(shallow, '/staff/', anna)).text).toBe('for staff')
  })

  it('answers 421 where TLS was asked for another host', async () => {
    const reply = await ask(required, '/', anna, { servername: 'intern.example' })
    expect(reply.status).toBe(421)
  })

  it('resumes no session of a listener that does not', async () => {
    const file = join(folder, 'session')
    const client = (port: number) =>
      run(
        'openssl',
        [
          's_client',
          '-connect',
          `127.0.0.1:${port}`,
          '-servername',
          'localhost',
          '-ign_eof',
          '-sess_out',
          file,
          ...(port === required ? ['-sess_in', file] : []),
        ],
        {
          input: 'GET /staff/ HTTP/1.0\r\nHost: localhost\r\n\r\n',
        },
      )
    await client(optional)
    const { out } = await client(required)
    expect(out).toMatch(/^New, /m)
    expect(out).toContain('400 Bad Request')
  })
})

describe('a listener that asks for certificates', () => {
  it('lets everybody in but where one is needed', async () => {
    expect((await ask(optional, '/staff/')).status).toBe(403)
    expect((await ask(optional, '/staff/', anna)).text).toBe('for staff')
    expect((await ask(optional, '/')).text).toContain('SSL_CLIENT_VERIFY=NONE')
    expect((await ask(optional, '/', stranger)).status).toBe(400)
  })

  it('tells applications who came', async () => {
    const { text } = await ask(optional, '/', anna)
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'wsgi.url_scheme=https',
        'SSL_CIPHER=TLS_AES_256_GCM_SHA384',
        'SSL_PROTOCOL=TLSv1.3',
        'SSL_CLIENT_VERIFY=SUCCESS',
        'SSL_CLIENT_S_DN=CN=anna,O=Example\\, Inc.',
        'SSL_CLIENT_S_DN_CN=anna',
        'SSL_CLIENT_I_DN=CN=Staff authority',
        `SSL_CLIENT_M_SERIAL=${new X509Certificate(anna.cert).serialNumber}`,
        'SSL_TLS_SNI=localhost',
      ]),
    )
    const who = { cert: deep.cert + middle.cert, key: deep.key }
    expect((await ask(optional, '/', who)).text).toContain('SSL_CLIENT_S_DN_CN=deep')
  })

  it('knows who has a certificate without a subject', async () => {
    const { text } = await ask(optional, '/', nameless)
    expect(text.split('\n')).toEqual(
      expect.arrayContaining(['SSL_CLIENT_VERIFY=SUCCESS', 'SSL_CLIENT_S_DN=']),
    )
    expect((await ask(optional, '/staff/', nameless)).text).toBe('for staff')
    expect((await ask(optional, '/named/', nameless)).fields['x-who']).toBe('SUCCESS')
  })

  it('tells servers behind, and nobody else can', async () => {
    await ask(optional, '/behind/', anna)
    expect(seen['x-forwarded-proto']).toBe('https')
    const der = new X509Certificate(anna.cert).raw.toString('base64')
    expect(seen['client-cert']).toBe(`:${der}:`)
    using visitor = await Visitor.secure(optional)
    await visitor.ask('/behind/', { fields: { 'Client-Cert': `:${der}:`, client_cert: 'forged' } })
    expect(seen['client-cert']).toBeUndefined()
    expect(seen.client_cert).toBeUndefined()
  })

  it('has its facts under nginx’s names in the site file', async () => {
    const reply = await ask(optional, '/named/', anna)
    expect(reply.fields['x-who']).toBe('CN=anna,O=Example\\, Inc. SUCCESS')
  })
})
