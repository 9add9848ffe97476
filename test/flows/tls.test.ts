/** Visitors over TLS: curl, openssl and Node, and what is neither. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../supervisor/site.ts'
import { authority, pair } from '../tls/support/certificates.ts'
import { Portico, type Ran, run } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const ca = authority()
const www = pair({ names: ['www.example.com', 'example.com'], by: ca })
const wild = pair({ names: ['*.example.com'], by: ca, key: 'rsa' })
const both = pair({ names: ['www.example.com', 'example.com'], by: ca, key: 'rsa' })

const folder = mkdtempSync(join(tmpdir(), 'portico-flow-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const FILES = {
  'ca.pem': ca.cert,
  'certs/www.pem': www.cert + www.key,
  'certs/rsa.pem': both.cert + both.key,
  'certs/wild.crt': wild.cert,
  'certs/wild.key': wild.key,
}

const SITE = `
listen:
  - https://127.0.0.1:0
  - { on: "127.0.0.1:0", tls: { strict-names: true, max-version: 1.2, handshake-timeout: 1s } }
  - { on: "https://127.0.0.1:0", proxy-protocol: true }
  - 127.0.0.1:0
threads: 2
trusted: []
tls:
  certificates: [certs/www.pem, certs/*]
  redirect: true
  hsts: { max-age: 30d, include-subdomains: true }
hosts:
  "*":
    /: { respond: hello }
    /large/: { files: ./large }
    /up: { health: live }
`

let site: Portico
let ports: number[]

beforeAll(async () => {
  site = await Portico.serve({
    ...FILES,
    'site.yaml': SITE,
    'large/file': Buffer.alloc(3_000_000, 'x'),
  })
  ports = site.urls.map((url) => Number(new URL(url).port))
})
afterAll(() => site?.[Symbol.asyncDispose]())

/** curl, with our authority and `name` for this machine. */
function curl(port: number, path: string, name: string, ...more: string[]): Promise<Ran> {
  const at = `${name}:${port}:127.0.0.1`
  const ours = ['--cacert', join(site.folder, 'ca.pem'), '--resolve', at]
  return run('curl', ['-sS', '-m', '20', ...ours, ...more, `https://${name}:${port}${path}`])
}

/** openssl s_client, which asks for `/` and says what it sees. */
function client(port: number, ...more: string[]): Promise<Ran> {
  return run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...more], {
    input: 'GET / HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n',
  })
}

/** What a raw connection answers to `bytes`, until it closes. */
async function answer(port: number, ...parts: (string | Uint8Array)[]): Promise<Buffer> {
  using visitor = await Visitor.to(port)
  for (const part of parts) visitor.send(part)
  return await visitor.end()
}

describe('a visitor over TLS', () => {
  it.each(['--http1.1', '--http2', '--tls-max 1.2'])('is served: curl %s', async (how) => {
    const got = await curl(ports[0]!, '/', 'www.example.com', '-i', ...how.split(' '))
    expect(got.err).toBe('')
    expect(got.out).toMatch(/^HTTP\/[\d.]+ 200/)
    expect(got.out.toLowerCase()).toContain(
      'strict-transport-security: max-age=2592000; includesubdomains\r\n',
    )
    expect(got.out).toMatch(/hello$/)
  })

  it.each([
    ['www.example.com', 'www.example.com'],
    ['example.com', 'www.example.com'],
    ['shop.example.com', '*.example.com'],
    ['a.b.example.com', 'www.example.com'],
    ['nobody.example', 'www.example.com'],
  ])('that wants %s gets the certificate of %s', async (name, subject) => {
    const { out } = await client(ports[0]!, '-servername', name)
    expect(out).toContain(`subject=CN = ${subject}`)
    expect(out).toContain('HTTP/1.1 200 OK')
  })

  it('gets a key that it understands', async () => {
    const rsa = ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']
    const { out } = await client(ports[0]!, '-servername', 'www.example.com', ...rsa)
    expect(out).toContain('Cipher is ECDHE-RSA-AES128-GCM-SHA256')
    const { out: modern } = await client(ports[0]!, '-servername', 'www.example.com')
    expect(modern).toContain('Peer signature type: ECDSA')
  })

  it('gets large files whole, over both versions of HTTP', async () => {
    for (const how of ['--http1.1', '--http2']) {
      const { out } = await curl(ports[0]!, '/large/file', 'example.com', how)
      expect(out.length).toBe(3_000_000)
    }
  })

  it('sends large bodies, and many requests on one connection', async () => {
    using visitor = await Visitor.secure(ports[0]!)
    for (let i = 0; i < 20; i++) expect((await visitor.ask('/')).text).toBe('hello')
    const body = Buffer.alloc(200_000, 'y')
    expect((await visitor.ask('/', { body })).status).toBe(200)
    expect((await visitor.ask('/')).text).toBe('hello')
  })

  it('speaks no TLS that is too old, or too new for the listener', async () => {
    const { err } = await client(ports[0]!, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')
    expect(err).toContain('alert protocol version')
    const { out } = await client(ports[1]!, '-servername', 'www.example.com')
    expect(out).toContain('New, TLSv1.2')
  })

  it('is refused with its reason where names are strict', async () => {
    for (const name of ['-servername nobody.example', '-noservername']) {
      const { err } = await client(ports[1]!, ...name.split(' '))
      expect(err).toContain('unrecognized name')
    }
  })

  it('may not renegotiate', async () => {
    const { err, out } = await run(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${ports[0]}`, '-tls1_2', '-quiet', '-no_ign_eof'],
      { input: 'R\n' },
    )
    expect(out + err).not.toContain('200 OK')
    expect((await client(ports[0]!, '-tls1_2')).out).toContain('200 OK')
  })
})

describe('a certificate with an OCSP response', () => {
  it('is given with it to who asks, until there is a newer one', async () => {
    const at = (name: string): string => join(folder, name)
    writeFileSync(at('ca.pem'), ca.cert)
    writeFileSync(at('ca.key'), ca.key)
    writeFileSync(at('leaf.pem'), www.cert)
    writeFileSync(at('index.txt'), '')
    const respond = async (days: number): Promise<Buffer> => {
      const issuer = ['-issuer', at('ca.pem')]
      await run('openssl', ['ocsp', ...issuer, '-cert', at('leaf.pem'), '-reqout', at('request')])
      const signer = ['-rsigner', at('ca.pem'), '-rkey', at('ca.key'), '-CA', at('ca.pem')]
      const more = ['-index', at('index.txt'), '-ndays', String(days)]
      const files = ['-reqin', at('request'), '-respout', at('response')]
      await run('openssl', ['ocsp', ...signer, ...more, ...files])
      return readFileSync(at('response'))
    }
    await using other = await Portico.serve({
      'www.pem': www.cert + www.key,
      'www.ocsp': await respond(3),
      'site.yaml': `
listen: https://127.0.0.1:0
threads: 1
tls: { certificates: { cert: www.pem, ocsp: www.ocsp } }
routes: { /: { respond: hello } }
`,
    })
    const seen = async (): Promise<string> => {
      const { out } = await client(other.port, '-status')
      expect(out).toContain('OCSP Response Status: successful')
      return /Next Update: (.*)/.exec(out)?.[1] ?? ''
    }
    const before = await seen()
    expect((await client(other.port)).out).toContain('200 OK')
    const lines = other.log.length
    other.write('www.ocsp', await respond(5))
    await other.logged(/certificate .*www\.pem .* is served/, lines)
    expect(Date.parse(await seen()) - Date.parse(before)).toBeGreaterThan(86_400_000)
  })
})

describe('a key that only root may read', () => {
  it.runIf(process.getuid?.() === 0)('is served by a server that may not', async () => {
    const key = join(folder, 'secret.key')
    writeFileSync(join(folder, 'secret.pem'), www.cert)
    writeFileSync(key, www.key, { mode: 0o600 })
    await using other = await Portico.serve({
      'site.yaml': `
listen: https://127.0.0.1:0
threads: 1
user: www-data
tls: { certificates: ${join(folder, 'secret.pem')} }
routes: { /: { respond: hello } }
`,
    })
    expect((await client(other.port)).out).toContain('200 OK')
    const { server } = await other.status()
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
    expect(status).not.toMatch(/^Uid:\s+0/m)
    const secret = www.key.split('\n')[1]!
    const { out } = await other.run('check', '--plan')
    for (const text of [out, other.out, other.messages]) expect(text).not.toContain(secret)
    for (const { pid } of other.processes()) {
      for (const name of ['cmdline', 'environ']) {
        expect(readFileSync(`/proc/${pid}/${name}`, 'latin1')).not.toContain(secret)
      }
    }
  })
})

describe('a visitor without TLS', () => {
  it('is told that this port is for HTTPS, in clear text', async () => {
    const text = String(await answer(ports[0]!, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(text).toContain('plain HTTP was sent to a port for HTTPS')
  })

  it('is sent to where there is TLS, but for health checks', async () => {
    using visitor = await Visitor.to(ports[3]!)
    expect(await visitor.ask('/a?b=c', { fields: { Host: 'example.com' } })).toMatchObject({
      status: 301,
      fields: { location: expect.stringMatching(/^https:\/\/example\.com(:\d+)?\/a\?b=c$/) },
    })
    const posted = await visitor.ask('/a', { body: 'x', fields: { Host: 'example.com' } })
    expect(posted.status).toBe(308)
    const well = await visitor.ask('/up')
    expect(well.status).toBe(200)
    expect(well.fields['strict-transport-security']).toBeUndefined()
  })
})

describe('what is no TLS', () => {
  it('is closed, and the site goes on', async () => {
    expect(await answer(ports[0]!, Buffer.from([0, 1, 2, 3]))).toEqual(Buffer.alloc(0))
    // SSL 2.0, which nobody should speak any more.
    expect(
      await answer(ports[0]!, Buffer.from('802e0100020015000000100100800200800300', 'hex')),
    ).toEqual(Buffer.alloc(0))
    const decodeError = Buffer.from('15030300020232', 'hex')
    expect(await answer(ports[0]!, Buffer.from('160301000501000001ff', 'hex'))).toEqual(decodeError)
    expect((await client(ports[0]!)).out).toContain('200 OK')
  })

  it('takes not for ever: a ClientHello that does not come is not waited for', async () => {
    using visitor = await Visitor.to(ports[1]!)
    const began = performance.now()
    for (const byte of [0x16, 3, 1, 2, 0]) visitor.send(Uint8Array.of(byte))
    expect(await visitor.end()).toEqual(Buffer.alloc(0))
    expect(performance.now() - began).toBeGreaterThan(700)
  })

  it('may come a byte at a time', async () => {
    const socket = connect(ports[0]!, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    const through = new (await import('node:stream')).Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        const each = async (): Promise<void> => {
          for (const byte of chunk) {
            socket.write(Uint8Array.of(byte))
            await new Promise((resolve) => setImmediate(resolve))
          }
        }
        each().then(() => done(), done)
      },
    })
    socket.on('data', (chunk: Buffer) => through.push(chunk))
    const secured = connectTls({
      socket: through,
      rejectUnauthorized: false,
      servername: 'localhost',
    })
    await once(secured, 'secureConnect')
    secured.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const [text] = await once(secured, 'data')
    expect(String(text)).toContain('200 OK')
    secured.destroy()
    socket.destroy()
  })
})

describe('a balancer before TLS', () => {
  it('names the visitor', async () => {
    const socket = connect(ports[2]!, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n')
    const secured = connectTls({ socket, rejectUnauthorized: false, servername: 'localhost' })
    await once(secured, 'secureConnect')
    secured.write('GET /proxied HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(String((await once(secured, 'data'))[0])).toContain('200 OK')
    await until('the log', () =>
      /"address":"192\.0\.2\.7".*"\/proxied".*"tls":"TLSv1\.3"/.test(site.out),
    )
    secured.destroy()
  })
})

describe('a session', () => {
  const resumes = async (port: number, version: string, file: string): Promise<number> => {
    let count = 0
    for (let i = 0; i < 6; i++) {
      const { out } = await client(port, version, '-sess_in', file, '-sess_out', file)
      if (/^Reused/m.test(out)) count++
    }
    return count
  }

  it.each(['-tls1_2', '-tls1_3'])('is resumed by every thread: %s', async (version) => {
    const file = join(folder, `session${version}`)
    await client(ports[0]!, version, '-sess_out', file)
    expect(await resumes(ports[0]!, version, file)).toBe(6)
    const { totals } = await site.status()
    expect(totals.tls?.resumed).toBeGreaterThan(5)
    expect(totals.tls?.handshakes).toBeGreaterThan(10)
    expect(totals.tls?.failed).toBeGreaterThan(0)
  })

  it('is resumed after a reload, whose certificates are those of the day', async () => {
    const file = join(folder, 'session')
    await client(ports[0]!, '-sess_out', file)
    const living = await Visitor.secure(ports[0]!, { servername: 'www.example.com' })
    expect((await living.ask('/')).status).toBe(200)
    const renewed = pair({ names: ['www.example.com', 'new.example'], by: ca })
    const before = site.log.length
    site.write('certs/www.pem', renewed.cert + renewed.key)
    await site.logged(
      /certificate .*www\.pem for www\.example\.com, new\.example is served/,
      before,
    )
    const { out } = await client(ports[0]!, '-servername', 'new.example')
    expect(out).toContain('subject=CN = www.example.com')
    expect((await living.ask('/')).status).toBe(200)
    expect((living.socket as TLSSocket).getPeerCertificate().subjectaltname).not.toContain('new')
    living.leave()
    expect((await site.run('reload')).code).toBe(0)
    expect(await resumes(ports[0]!, '-tls1_3', file)).toBe(6)
  })

  it('keeps what it has when the new certificate makes no sense', async () => {
    const before = site.log.length
    const text = readFileSync(join(site.folder, 'certs/www.pem'), 'utf8')
    site.write('certs/www.pem', text.replace(/-----BEGIN PRIVATE.*/s, www.key))
    await site.logged(
      /served as before: .*www\.pem: the key belongs to another certificate/,
      before,
    )
    expect((await client(ports[0]!, '-servername', 'www.example.com')).out).toContain('200 OK')
    const { code, err } = await site.run('reload')
    expect(code).not.toBe(0)
    expect(err).toContain('the key belongs to another certificate')
    site.write('certs/www.pem', text)
    expect((await client(ports[0]!, '-servername', 'www.example.com')).out).toContain('200 OK')
  })
})
