/** Certificates: what is read of them, what is wrong with them, and which one a name gets. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Certificates } from '../../src/tls/certificates.ts'
import { expiring } from '../../src/tls/expiry.ts'
import { loadCertificates, loadTicketKeys } from '../../src/tls/load.ts'
import { type Certificate, readCertificate } from '../../src/tls/read-certificate.ts'
import { authority, expired, type Pair, pair } from './support/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const plain = pair({ names: ['www.example.com', 'example.com', '10.0.0.1'] })
const other = pair({ names: ['other.example'] })

function read(given: Pair): Certificate {
  return readCertificate({ from: 'test.pem', ...given })
}

function write(name: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  return path
}

const entry = (cert: string, key = '', ocsp = '') => ({ cert, key, ocsp })

describe('a certificate', () => {
  it('tells its names, its kind of key and its time', () => {
    const certificate = read(plain)
    expect(certificate.names).toEqual(['www.example.com', 'example.com', '10.0.0.1'])
    expect(certificate.keyType).toBe('ec')
    expect(certificate.warnings).toEqual([])
    expect(certificate.notAfter - Date.now()).toBeGreaterThan(29 * 86_400_000)
    expect(read(pair({ names: [], subject: '/CN=Old.example' })).names).toEqual(['old.example'])
  })

  it.each([
    ['the key of another', { cert: plain.cert, key: other.key }, /the key belongs to another/],
    ['no certificate', { cert: 'hello', key: plain.key }, /no certificate in it: expected PEM/],
    ['no key', { cert: plain.cert, key: '' }, /no private key with it/],
    [
      'a broken certificate',
      { cert: plain.cert.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA'), key: plain.key },
      /certificate 1 in it cannot be read/,
    ],
    [
      'a broken key',
      { cert: plain.cert, key: plain.key.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA') },
      /its key cannot be read/,
    ],
    [
      'a locked key',
      {
        cert: plain.cert,
        key: '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n',
      },
      /locked with a passphrase/,
    ],
  ])('cannot be served with %s', (_, given, message) => {
    expect(() => read(given)).toThrow(message)
    try {
      read(given)
    } catch (error) {
      // Nothing of a key may reach a log.
      expect(String(error)).not.toContain('PRIVATE')
      expect(String(error)).toContain('test.pem: ')
    }
  })

  it('cannot be served with a weak key, nor behind the one that it leads to', () => {
    expect(() => read(pair({ key: 'weak' }))).toThrow(/too weak: RSA needs 2048 bits/)
    const root = authority()
    const leaf = pair({ names: ['a.example'], by: root })
    expect(() => read({ cert: root.cert + leaf.cert, key: leaf.key })).toThrow(
      /the key belongs to certificate 2 in it: that one has to come first/,
    )
  })

  it('is served with a warning when it has expired, or its chain makes no sense', async () => {
    expect(read(await expired('old.example')).warnings[0]).toMatch(/^it expired on Feb {2}1/)
    const wrong = read({ cert: plain.cert + other.cert, key: plain.key }).warnings
    expect(wrong[0]).toMatch(/certificate 2 in it did not issue certificate 1/)
    const root = authority()
    const leaf = pair({ names: ['a.example'], by: root })
    expect(read({ cert: leaf.cert + root.cert, key: leaf.key }).warnings).toEqual([])
  })

  it('is told of while there is time to renew it', () => {
    const certificate = read(pair({ names: ['soon.example'] }))
    const at = (days: number) => expiring([certificate], certificate.notAfter - days * 86_400_000)
    expect(at(20)).toEqual([])
    expect(at(6.5)).toMatchObject([{ level: 'warn', message: /soon\.example expires in 6 days/ }])
    expect(at(-1)).toMatchObject([{ level: 'error', message: /has expired/ }])
  })
})

describe('a set of certificates', () => {
  const wild = read(pair({ names: ['*.example.com'] }))
  const exact = read(plain)
  const set = new Certificates([wild, exact])

  it.each([
    ['www.example.com', exact],
    ['example.com', exact],
    ['shop.example.com', wild],
    ['10.0.0.1', exact],
  ])('gives %s its own', (name, expected) => {
    expect(set.find(name)?.certificates).toEqual([expected])
  })

  it.each(['a.b.example.com', 'example.org', '.example.com', 'com', '', '*.example.org'])(
    'has none for %j',
    (name) => {
      expect(set.find(name)).toBeNull()
      expect(set.default?.certificates).toEqual([wild])
    },
  )

  it('gives one of each kind of key, the first that is valid', async () => {
    const rsa = read(pair({ names: ['a.example'], key: 'rsa' }))
    const old = read(await expired('a.example'))
    const first = read(pair({ names: ['a.example'] }))
    const second = read(pair({ names: ['a.example'] }))
    const some = new Certificates([old, first, second, rsa])
    expect(some.find('a.example')?.certificates).toEqual([first, rsa])
    expect(some.default?.certificates).toEqual([first, rsa])
    expect(new Certificates([old]).find('a.example')?.certificates).toEqual([old])
  })

  it('can be replaced', () => {
    const some = new Certificates([wild])
    some.replace([exact])
    expect(some.find('shop.example.com')).toBeNull()
    expect(some.default?.certificates).toEqual([exact])
    expect(some.serves(exact.id)).toBe(true)
    expect(some.serves(wild.id)).toBe(false)
    some.replace([])
    expect(some.default).toBeNull()
  })
})

describe('files of certificates', () => {
  const cert = write('a/site.pem', plain.cert)
  const key = write('a/site.key', plain.key)

  it.each([
    ['both named', entry(cert, key)],
    ['the key beside', entry(cert)],
    ['both in one', entry(write('b/both.pem', plain.key + plain.cert))],
    [
      'as mkcert writes them',
      (() => {
        write('c/example.com-key.pem', plain.key)
        return entry(write('c/example.com.pem', plain.cert))
      })(),
    ],
    [
      'as certbot does: a folder of links',
      (() => {
        const real = write('archive/fullchain1.pem', plain.cert)
        const realKey = write('archive/privkey1.pem', plain.key)
        mkdirSync(join(folder, 'live/site'), { recursive: true })
        write('live/README', 'This directory contains your keys and certificates.')
        symlinkSync(real, join(folder, 'live/site/fullchain.pem'))
        symlinkSync(realKey, join(folder, 'live/site/privkey.pem'))
        return entry(join(folder, 'live/site'))
      })(),
    ],
    ['a pattern', entry(join(folder, 'live/*'))],
    ['a pattern of files', entry(join(folder, 'a/*'))],
  ])('are found: %s', (_, given) => {
    const [found, ...more] = loadCertificates([given])
    expect(more).toEqual([])
    expect(readCertificate(found!).names).toContain('www.example.com')
    expect(found!.cert).not.toContain('PRIVATE')
  })

  it.each([
    ['a file that is not there', entry(join(folder, 'none.pem')), /none\.pem: no such file/],
    ['a key that is not there', entry(cert, join(folder, 'none.key')), /none\.key: no such file/],
    ['an empty folder', entry(join(folder, 'archive')), /no certificate in this folder: expected/],
    ['a pattern for nothing', entry(join(folder, 'none/*')), /matches no certificate/],
    ['no key anywhere', entry(write('d/only.pem', plain.cert)), /no private key in it or beside/],
    ['no response', entry(cert, key, join(folder, 'none.der')), /none\.der: no such file/],
  ])('are told clearly: %s', (_, given, message) => {
    expect(() => loadCertificates([given])).toThrow(message)
  })

  it('make keys of tickets, the same on every machine', () => {
    const secret = write('tickets', 'x'.repeat(80))
    const [one] = loadTicketKeys([secret])
    expect(Buffer.from(one!, 'base64')).toHaveLength(48)
    expect(loadTicketKeys([secret])).toEqual([one])
    expect(() => loadTicketKeys([write('short', 'x')])).toThrow(/32 bytes or more/)
  })
})
