/** What knows no network: certificates, requests, waits, sentences. */
import { execFileSync } from 'node:child_process'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { ask } from '../../src/acme/ask.ts'
import { Authority } from '../../src/acme/authority.ts'
import { AcmeClient, retryAfter } from '../../src/acme/client.ts'
import { integer, oid, sequence, values } from '../../src/acme/der.ts'
import { runDnsHook } from '../../src/acme/dns-hook.ts'
import { renewalTime, retryWait } from '../../src/acme/due.ts'
import { Issuing } from '../../src/acme/issuing.ts'
import { readKept, writeKept } from '../../src/acme/kept.ts'
import { explain, readProblem } from '../../src/acme/problem.ts'
import { standIn } from '../../src/acme/stand-in.ts'
import { FileStore } from '../../src/acme/stores/file.ts'
import { readTrouble } from '../../src/acme/trouble.ts'
import { addressBytes, issue, issuerKeyId, keyPem, newKey, request } from '../../src/acme/x509.ts'
import { certificatesText, isWell } from '../../src/cli/certificates-text.ts'
import { type AcmePlan, KEY_TYPES } from '../../src/site/acme-plan.ts'
import { readCertificate } from '../../src/tls/read-certificate.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-pure-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const DAY = 86_400_000

describe('DER', () => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (all) => {
        const [outer] = values(sequence(...all.map((bytes) => integer(bytes))))
        expect(values(outer!.body).length).toBe(all.length)
      }),
    )
  })

  test('garbage is refused, never read beyond its end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          const all = values(bytes)
          expect(all.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThanOrEqual(
            bytes.length,
          )
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })

  test('identifiers', () => {
    expect(oid('1.2.840.113549.1.9.14').toString('hex')).toBe('06092a864886f70d01090e')
    expect(oid('2.5.29.17').toString('hex')).toBe('0603551d11')
  })
})

describe('certificates', () => {
  test.each(KEY_TYPES)('OpenSSL takes a request with a key of the kind %s', async (type) => {
    const key = await newKey(type)
    const file = join(folder, `${type}.csr`)
    writeFileSync(file, request(['www.example.com', '*.example.com', '::1'], key))
    const args = ['req', '-inform', 'DER', '-in', file, '-noout', '-text', '-verify']
    const text = execFileSync('openssl', args, { stdio: 'pipe' }).toString()
    expect(text).toContain('DNS:www.example.com, DNS:*.example.com, IP Address:0:0:0:0:0:0:0:1')
  })

  test('OpenSSL takes our own authority and its leaf, for exactly their names', async () => {
    const own = join(folder, 'authority')
    const authority = await Authority.open(own)
    const names = ['localhost', 'shop.internal', '*.shop.internal', '127.0.0.1', 'fe80::1:2']
    const leaf = await authority.leaf(names)
    const file = join(folder, 'leaf.pem')
    writeFileSync(file, leaf.cert)
    const verify = (...more: string[]): string =>
      execFileSync(
        'openssl',
        [
          'verify',
          '-x509_strict',
          '-purpose',
          'sslserver',
          ...more,
          '-CAfile',
          Authority.rootFile(own),
          file,
        ],
        { stdio: 'pipe' },
      ).toString()
    for (const name of ['localhost', 'shop.internal', 'a.shop.internal']) {
      expect(verify('-verify_hostname', name)).toContain('OK')
    }
    for (const name of ['127.0.0.1', 'fe80::1:2'])
      expect(verify('-verify_ip', name)).toContain('OK')
    expect(() => verify('-verify_hostname', 'example.com')).toThrow()
    expect(readCertificate(leaf)).toMatchObject({ warnings: [] })
    // The next one has the same root, whose key nobody else reads.
    expect((await (await Authority.open(own)).leaf(names)).issuer).toBe(leaf.issuer)
    expect(statSync(join(own, 'root.key')).mode & 0o777).toBe(0o600)
    expect(statSync(join(own, 'root.pem')).mode & 0o777).toBe(0o644)
  })

  test('a root that is damaged is replaced, one without its key as well', async () => {
    const own = join(folder, 'damaged')
    const before = (await (await Authority.open(own)).leaf(['a'])).cert
    writeFileSync(join(own, 'root.key'), 'no key')
    const root = readFileSync(join(own, 'root.pem'), 'latin1')
    await Authority.open(own)
    expect(readFileSync(join(own, 'root.pem'), 'latin1')).not.toBe(root)
    expect(new X509Certificate(before).verify(new X509Certificate(root).publicKey)).toBe(true)
  })

  test('a stand-in for more names than fit', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `n${i}.example.com`)
    expect(readCertificate(await standIn(names)).names.length).toBe(100)
  })

  test('what is kept is read back, with its id', async () => {
    const { cert, key } = await standIn(['www.example.com'])
    const kept = readKept(writeKept('https://ca.example/dir', cert, key), 'www.example.com')
    expect(kept).toMatchObject({ server: 'https://ca.example/dir', chain: cert, key })
    expect(kept.id).toMatch(/^[\w-]{27}\.[\w-]{22}$/)
    expect(() => readKept(writeKept('x', cert, key), 'other.example.com')).toThrow(
      'www.example.com',
    )
    expect(() => readKept('nothing', 'www.example.com')).toThrow('no certificate')
    expect(() => readKept(writeKept('x', cert, ''), 'www.example.com')).toThrow('no certificate')
  })

  test('whatever a store holds is read or refused', () => {
    fc.assert(
      fc.property(fc.string(), fc.domain(), (text, name) => {
        const block = `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
        const key = `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`
        for (const value of [text, block, key + block]) {
          expect(() => readKept(value, name)).toThrow(Error)
        }
        expect(readTrouble(text)).toBeNull()
      }),
    )
  })

  // RFC 9773 §4.1 has this very certificate; its AKI and serial number are all that counts.
  test('the id of a certificate by a CA', async () => {
    const key = await newKey('p256')
    const cert = issue(
      {
        names: ['a.example'],
        subject: '',
        publicKey: createPublicKey(key),
        from: new Date(0),
        to: new Date(DAY),
        use: 'server',
      },
      { name: 'CA', key },
    )
    const text = execFileSync('openssl', ['x509', '-noout', '-ext', 'authorityKeyIdentifier'], {
      input: cert,
    }).toString()
    const [hex = ''] = /([0-9A-F]{2}:){19}[0-9A-F]{2}/.exec(text) ?? []
    expect(issuerKeyId(new X509Certificate(cert).raw)!.toString('hex')).toBe(
      hex.replaceAll(':', '').toLowerCase(),
    )
    expect(keyPem(key)).toContain('PRIVATE KEY')
  })

  test('addresses', () => {
    expect([...addressBytes('10.0.0.1')]).toEqual([10, 0, 0, 1])
    expect(addressBytes('::').toString('hex')).toBe('0'.repeat(32))
    expect(addressBytes('2001:db8::1').toString('hex')).toBe('20010db8000000000000000000000001')
    expect(addressBytes('::ffff:10.0.0.1').toString('hex')).toBe('00000000000000000000ffff0a000001')
    expect(addressBytes('1:2:3:4:5:6:7:8').toString('hex')).toBe('00010002000300040005000600070008')
  })
})

describe('when', () => {
  const life = { notBefore: 0, notAfter: 90 * DAY }

  test('at two thirds of a life, a little earlier by chance', () => {
    expect(renewalTime(life, null, 0)).toBe(60 * DAY)
    expect(renewalTime(life, null, 1)).toBe(57 * DAY)
  })

  test('in the window that the CA suggests, but never too late', () => {
    const window = { start: 10 * DAY, end: 20 * DAY }
    expect(renewalTime(life, window, 0.5)).toBe(15 * DAY)
    expect(renewalTime(life, { start: 89 * DAY, end: 95 * DAY }, 1)).toBe(82.5 * DAY)
  })

  test('failures are waited out ever longer, at most some hours', () => {
    const waits = Array.from({ length: 12 }, (_, i) => retryWait(i + 1, 0.5))
    expect(waits.slice(0, 3)).toEqual([60_000, 180_000, 600_000])
    expect(waits.at(-1)).toBe(6 * 3_600_000)
    expect([...waits].sort((a, b) => a - b)).toEqual(waits)
    // In the first hour fewer attempts fail than what Let's Encrypt allows.
    const sums = waits.map((_, i) => waits.slice(0, i + 1).reduce((sum, wait) => sum + wait))
    expect(sums.filter((sum) => sum <= 3_600_000).length).toBeLessThanOrEqual(5)
  })

  test('Retry-After', () => {
    expect(retryAfter('120')).toBe(120_000)
    expect(retryAfter(undefined)).toBe(0)
    expect(retryAfter('soon')).toBe(0)
    expect(retryAfter('99999999')).toBe(DAY)
    const now = Date.parse('2026-01-01T00:00:00Z')
    expect(retryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000)
    expect(retryAfter('Thu, 01 Jan 2020 00:01:00 GMT', now)).toBe(0)
  })

  test('what was noted by a clock that was wrong is not waited for', () => {
    const text = JSON.stringify({ message: 'x', at: 0, until: 9e15, failures: 1 })
    expect(readTrouble(text, 0)?.until).toBe(2 * DAY)
    for (const wrong of [null, '', '{}', 'null', '{"message":"x","at":"y"}']) {
      expect(readTrouble(wrong)).toBeNull()
    }
  })
})

describe('problems', () => {
  const attempt = { name: 'www.example.com', ca: 'ca.example', challenge: 'http-01' } as const
  test.each([
    ['connection', /port 80 \(said\); .*A and AAAA.*firewall/],
    ['dns', /cannot be resolved \(said\); give www\.example\.com an A or AAAA record/],
    ['unauthorized', /somebody else answers .*to no other/],
    ['caa', /CAA record .*forbids this CA \(said\); add it/],
    ['rateLimited', /too many requests \(said\); .*letsencrypt-staging/],
    ['externalAccountRequired', /external-account/],
    ['rejectedIdentifier', /no certificates for www\.example\.com .*automatic: local/],
    ['invalidContact', /tls\.acme\.email/],
    ['userActionRequired', /terms of service/],
    ['unheardOf', /refused \(said\); it is tried again/],
  ])('%s', (type, sentence) => {
    const problem = readProblem({ type: `urn:ietf:params:acme:error:${type}`, detail: 'said' })
    expect(explain(problem, attempt)).toMatch(sentence)
    expect(explain(problem, { ...attempt, challenge: 'dns-01' })).toMatch(/^ca\.example: /)
  })

  test('whatever a CA sends is one line', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (value, detail) => {
        expect(readProblem(value)).toBeDefined()
        const line = explain(readProblem({ type: 'x', detail: `${detail}\n\x1b[2J` }), attempt)
        expect(line).not.toMatch(/[\p{Cc}]/u)
      }),
    )
    expect(readProblem({ detail: 'x'.repeat(10_000) }).detail.length).toBeLessThan(500)
  })

  test('of several names, the one that is concerned', () => {
    const problem = readProblem({
      type: 'compound',
      detail: 'several',
      subproblems: [
        { type: 'urn:ietf:params:acme:error:dns', detail: 'other', identifier: { value: 'other' } },
        { type: 'caa', detail: 'own', identifier: { value: 'www.example.com' } },
      ],
    })
    expect(explain(problem, attempt)).toContain('(own)')
  })
})

test('a hook that fails says why, one that hangs is ended', async () => {
  const hook = join(folder, 'hook')
  const about = { name: 'example.com', record: '_acme-challenge.example.com', value: 'abc' }
  const write = (text: string): void => {
    writeFileSync(hook, `#!/bin/sh\n${text}\n`)
    chmodSync(hook, 0o755)
  }
  write(`echo "$@ $CERTBOT_DOMAIN $CERTBOT_VALIDATION" > ${folder}/told`)
  const signal = AbortSignal.timeout(5_000)
  await runDnsHook([hook, '--zone', 'z'], 'present', about, signal)
  expect(readFileSync(join(folder, 'told'), 'latin1')).toBe(
    '--zone z present example.com _acme-challenge.example.com abc example.com abc\n',
  )
  write('echo first; echo "no such zone" >&2; exit 3')
  await expect(runDnsHook([hook], 'present', about, signal)).rejects.toThrow(
    `${hook} present ended with 3: no such zone`,
  )
  write('exec sleep 60')
  await expect(runDnsHook([hook], 'remove', about, AbortSignal.timeout(100))).rejects.toThrow()
  await expect(runDnsHook([`${hook}-not`], 'present', about, signal)).rejects.toThrow('ENOENT')
})

test('the table for people', () => {
  const one = {
    names: ['www.example.com'],
    source: 'https://acme-v02.api.letsencrypt.org/directory',
    issuer: 'R13',
    from: 0,
    expires: 90 * DAY,
    renewal: 60 * DAY,
    store: '/var/lib',
    state: 'kept',
    trouble: null,
    failures: 0,
  } as const
  const trouble = { message: 'no way\x1b[2J', at: 58 * DAY }
  const text = certificatesText(
    [one, { ...one, names: ['b'], state: 'missing', expires: 0, trouble, failures: 2 }],
    59 * DAY,
  )
  expect(text).toContain(
    'www.example.com  kept                R13     31 d 0 h  1 d 0 h  acme-v02.api.letsencrypt.org',
  )
  expect(text).toContain('b, 1 d 0 h ago: no way\uFFFD[2J')
  expect(text).toContain('missing, failed 2×')
  expect([isWell(one, 59 * DAY), isWell(one, 91 * DAY)]).toEqual([true, false])
  expect(certificatesText([], 0)).toBe(
    'no automatic certificates; `portico status` shows those of files\n',
  )
})

describe('whoever is asked', () => {
  const listening = async (answer: RequestListener): Promise<{ url: string; server: Server }> => {
    const server = createServer(answer).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server }
  }

  test('hangs: it is given up in time', async () => {
    const { url, server } = await listening(() => {})
    const asked = ask(url, { method: 'GET', timeoutMs: 100 })
    await expect(asked).rejects.toThrow(/^127\.0\.0\.1:\d+: no answer within 0\.1 s$/)
    server.closeAllConnections()
    server.close()
  })

  test('does not stop talking: it is not listened to for ever', async () => {
    const { url, server } = await listening((_request, response) => {
      const talk = (): void => {
        if (response.destroyed) return
        if (response.write('x'.repeat(65_536))) setImmediate(talk)
        else response.once('drain', talk)
      }
      talk()
    })
    await expect(ask(url, { method: 'GET', timeoutMs: 5_000 })).rejects.toThrow('over 1 MB')
    server.close()
  })

  test('is no CA: that is said', async () => {
    const { url, server } = await listening((request, response) => {
      response.setHeader('Content-Type', 'application/json')
      response.end(request.url === '/' ? '{"newNonce": "/relative"}' : 'null')
    })
    const client = new AcmeClient(url, undefined, AbortSignal.timeout(5_000))
    await expect(client.directory()).rejects.toThrow(/no directory of a CA/)
    // It is asked anew the next time.
    await expect(client.directory()).rejects.toThrow(/no directory of a CA/)
    server.close()
  })
})

test('a CA that is in trouble is asked again when it says, the next one meanwhile', async () => {
  const asked = { limited: 0, other: 0 }
  const open = async (
    name: keyof typeof asked,
    retry: object,
  ): Promise<{ url: string; server: Server }> => {
    const server = createServer((request, response) => {
      const base = `http://${request.headers.host}`
      response.setHeader('Replay-Nonce', 'n')
      response.setHeader('Content-Type', 'application/json')
      if (request.url === '/dir') {
        const urls = ['newNonce', 'newAccount', 'newOrder'].map((key) => [key, `${base}/${key}`])
        return response.end(JSON.stringify(Object.fromEntries(urls)))
      }
      if (request.url === '/newAccount') {
        return response.writeHead(201, { Location: `${base}/account` }).end('{}')
      }
      if (request.url !== '/newOrder') return response.end('{}')
      asked[name] += 1
      response.writeHead(429, { ...retry })
      return response.end(
        JSON.stringify({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'many' }),
      )
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir`, server }
  }
  const limited = await open('limited', { 'Retry-After': '3600' })
  const other = await open('other', {})
  const { signal } = new AbortController()
  const issuing = new Issuing(signal)
  const plan = {
    servers: [limited, other].map(({ url }) => ({ url, external: null })),
    challenges: ['http-01'],
    keyType: 'p256',
    email: '',
  } as unknown as AcmePlan
  const attempt = (): Promise<unknown> =>
    issuing.attempt(
      {
        plan,
        name: 'www.example.com',
        store: new FileStore(join(folder, 'limited')),
        show: async () => async () => {},
        failures: 0,
        before: { server: '', id: '' },
        signal,
      },
      undefined,
    )
  await expect(attempt()).rejects.toMatchObject({ retryAfterMs: 0 })
  await expect(attempt()).rejects.toThrow(/does not want to be asked again so soon/)
  expect(asked).toEqual({ limited: 1, other: 2 })
  ;(plan.servers as unknown[]).splice(1)
  await expect(attempt()).rejects.toSatisfy(
    ({ retryAfterMs }) => retryAfterMs > 3_500_000 && retryAfterMs <= 3_600_000,
  )
  for (const { server } of [limited, other]) server.close()
})
