/** Tokens: which are good, which are refused, where keys come from, and what the request is told. */

import { execFileSync } from 'node:child_process'
import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { judgeToken } from '../../src/filters/auth/jwt/judge.ts'
import { parseKeys, secretKey } from '../../src/filters/auth/jwt/keys.ts'
import { parseToken } from '../../src/filters/auth/jwt/token.ts'
import { jwt } from '../../src/filters/auth/jwt.ts'
import type { JwtPlan } from '../../src/site/filters-plan.ts'
import { PYTHON } from '../flows/support/portico.ts'
import { type Reply, Visitor } from '../flows/support/visitor.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { until } from '../supervisor/site.ts'
import { filterHost } from './filter-host.ts'

const PLAN: JwtPlan = {
  file: '',
  url: '',
  secret: '',
  algorithms: [],
  issuer: [],
  audience: [],
  require: {},
  expires: true,
  leewaySeconds: 0,
  from: [{ of: 'bearer', name: 'authorization' }],
  claims: { email: 'X-Email', groups: 'X-Groups' },
  user: 'sub',
  pass: true,
  refreshMs: 600_000,
  realm: 'r',
  satisfy: 'all',
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ec384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const ed = generateKeyPairSync('ed25519')
const SECRET = Buffer.from('a secret that is long enough to be one')

function jwk(key: KeyObject, kid: string, more: object = {}): object {
  return { ...key.export({ format: 'jwk' }), kid, ...more }
}

const SET = JSON.stringify({
  keys: [
    jwk(rsa.publicKey, 'rsa', { use: 'sig', alg: 'RS256' }),
    jwk(rsa.publicKey, 'any'),
    jwk(ec.publicKey, 'ec'),
    jwk(ec384.publicKey, 'ec384'),
    jwk(ed.publicKey, 'ed'),
    jwk(rsa.publicKey, 'enc', { use: 'enc' }),
    { kty: 'oct', k: SECRET.toString('base64url'), kid: 'oct' },
    { kty: 'strange', kid: 'x' },
  ],
})

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = (): number => Math.floor(Date.now() / 1000)

/** A token as others make them: each algorithm by its own means. */
function token(
  claims: object,
  { alg, kid }: { alg: string; kid?: string },
  key?: KeyObject,
): string {
  const text = `${encode({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) })}.${encode(claims)}`
  const hash = `sha${alg.slice(2)}`
  let signature: Buffer
  if (alg.startsWith('HS')) signature = createHmac(hash, SECRET).update(text).digest()
  else if (alg === 'EdDSA') signature = sign(null, Buffer.from(text), key!)
  else if (alg.startsWith('ES')) {
    signature = createSign(hash).update(text).sign({ key: key!, dsaEncoding: 'ieee-p1363' })
  } else if (alg.startsWith('PS')) {
    signature = createSign(hash).update(text).sign({ key: key!, padding: 6, saltLength: -1 })
  } else if (alg === 'none') signature = Buffer.alloc(0)
  else signature = createSign(hash).update(text).sign(key!)
  return `${text}.${signature.toString('base64url')}`
}

const CLAIMS = { sub: 'ann', exp: now() + 3600, email: 'ann@example.com' }
const RS = { alg: 'RS256', kid: 'rsa' }

const UNKNOWN = 'it is signed with a key that is not known'

describe('judging', () => {
  const keys = parseKeys(SET)
  const verdict = (text: string, plan: Partial<JwtPlan> = {}): string => {
    const parsed = parseToken(text)
    if (parsed === null) return 'malformed'
    const judged = judgeToken(parsed, keys, { ...PLAN, ...plan }, now())
    return judged.good ? 'good' : judged.why
  }

  test.each([
    ['RS256', 'rsa', rsa.privateKey],
    ['RS512', 'any', rsa.privateKey],
    ['PS256', 'any', rsa.privateKey],
    ['PS384', 'any', rsa.privateKey],
    ['ES256', 'ec', ec.privateKey],
    ['ES384', 'ec384', ec384.privateKey],
    ['EdDSA', 'ed', ed.privateKey],
    ['RS256', undefined, rsa.privateKey],
  ])('%s by %j is good, and nothing that was changed', (alg, kid, key) => {
    const text = token(CLAIMS, { alg, ...(kid === undefined ? {} : { kid }) }, key)
    expect(verdict(text)).toBe('good')
    const [header, , signature] = text.split('.')
    expect(verdict(`${header}.${encode({ ...CLAIMS, sub: 'root' })}.${signature}`)).toBe(
      'its signature is wrong',
    )
  })

  test.each([
    ['RS256', 'any', rsa.privateKey],
    ['PS512', 'any', rsa.privateKey],
    ['ES256', 'ec', ec.privateKey],
    ['ES384', 'ec384', ec384.privateKey],
    ['EdDSA', 'ed', ed.privateKey],
  ])('%s as PyJWT signs it', (alg, kid, key) => {
    const program =
      'import jwt, sys, json; c, k, a, i = json.load(sys.stdin); print(jwt.encode(c, k, algorithm=a, headers={"kid": i}))'
    const pem = key.export({ type: 'pkcs8', format: 'pem' })
    const input = JSON.stringify([CLAIMS, pem, alg, kid])
    const text = execFileSync(PYTHON, ['-c', program], { input, encoding: 'utf8' }).trim()
    expect(verdict(text)).toBe('good')
  })

  test.each([
    ['no signature', token(CLAIMS, { alg: 'none' }), 'malformed'],
    ['none with one', `${token(CLAIMS, { alg: 'none' })}AAAA`, UNKNOWN],
    [
      'an algorithm that the key is not for',
      token(CLAIMS, { alg: 'RS512', kid: 'rsa' }, rsa.privateKey),
      UNKNOWN,
    ],
    [
      'a curve that is not the key’s',
      token(CLAIMS, { alg: 'ES256', kid: 'ec384' }, ec.privateKey),
      UNKNOWN,
    ],
    ['a secret among public keys', token(CLAIMS, { alg: 'HS256', kid: 'oct' }), UNKNOWN],
    ['a key for encryption', token(CLAIMS, { alg: 'RS256', kid: 'enc' }, rsa.privateKey), UNKNOWN],
    [
      'a key that is not there',
      token(CLAIMS, { alg: 'RS256', kid: 'new' }, rsa.privateKey),
      UNKNOWN,
    ],
    [
      'somebody else’s key',
      token(
        CLAIMS,
        { alg: 'ES256', kid: 'ec' },
        generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
      ),
      'its signature is wrong',
    ],
  ])('%s', (_, text, why) => {
    expect(verdict(text)).toBe(why)
  })

  test('the public key as the secret of an HMAC is refused', () => {
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    const text = `${encode({ alg: 'HS256', kid: 'rsa' })}.${encode(CLAIMS)}`
    const forged = createHmac('sha256', pem).update(text).digest('base64url')
    expect(verdict(`${text}.${forged}`)).toBe(UNKNOWN)
  })

  test.each<[string, object, Partial<JwtPlan>, string]>([
    ['expired', { exp: now() - 1 }, {}, 'it has expired'],
    ['within the leeway', { exp: now() - 5 }, { leewaySeconds: 30 }, 'good'],
    ['no exp', {}, {}, 'it does not say when it expires'],
    ['no exp, where none is wanted', {}, { expires: false }, 'good'],
    [
      'an exp that is none',
      { exp: 'never' },
      { expires: false },
      'it does not say when it expires',
    ],
    ['not yet', { exp: now() + 99, nbf: now() + 50 }, {}, 'it is not valid yet'],
    ['an nbf that is none', { exp: now() + 99, nbf: 'x' }, {}, 'it is not valid yet'],
    ['issuer', { exp: now() + 99, iss: 'a' }, { issuer: ['a', 'b'] }, 'good'],
    [
      'another issuer',
      { exp: now() + 99, iss: 'c' },
      { issuer: ['a'] },
      'its issuer is not one of those that count',
    ],
    [
      'no issuer',
      { exp: now() + 99 },
      { issuer: ['a'] },
      'its issuer is not one of those that count',
    ],
    ['audience', { exp: now() + 99, aud: ['x', 'me'] }, { audience: ['me'] }, 'good'],
    [
      'words are no audience',
      { exp: now() + 99, aud: 'x me' },
      { audience: ['me'] },
      'it is for somebody else',
    ],
    ['no audience', { exp: now() + 99 }, { audience: ['me'] }, 'it is for somebody else'],
    ['a scope', { exp: now() + 99, scope: 'read write' }, { require: { scope: 'write' } }, 'good'],
    ['a flag', { exp: now() + 99, ok: true }, { require: { ok: 'true' } }, 'good'],
    ['any', { exp: now() + 99, ok: 0 }, { require: { ok: '*' } }, 'good'],
    [
      'not that scope',
      { exp: now() + 99, scope: 'write:all' },
      { require: { scope: 'write' } },
      'it lacks the claim scope',
    ],
    [
      'inherited',
      { exp: now() + 99 },
      { require: { constructor: '*' } },
      'it lacks the claim constructor',
    ],
    [
      'another algorithm',
      { exp: now() + 99 },
      { algorithms: ['ES256'] },
      'its algorithm is not one of those that count',
    ],
  ])('%s', (_, claims, plan, why) => {
    expect(verdict(token(claims, RS, rsa.privateKey), plan)).toBe(why)
  })

  test.each([
    '',
    'a.b',
    'a.b.c.d',
    'a.b.c',
    `${encode({ alg: 'RS256', crit: ['x'] })}.${encode({})}.AAAA`,
    `${encode({ alg: 'RS256', b64: false })}.${encode({})}.AAAA`,
    `${encode({ alg: 5 })}.${encode({})}.AAAA`,
    `${encode({ alg: 'RS256' })}.${encode([])}.AAAA`,
    // Bits beyond the last byte: a second spelling of the same.
    `${encode({ alg: 'RS256' })}.${encode({})}.AB`,
    `${encode({ alg: 'RS256' })}.${encode({})}.AAAA=`,
    `${'a'.repeat(20_000)}.${encode({})}.AAAA`,
  ])('%j is none', (text) => {
    expect(parseToken(text)).toBeNull()
  })

  test('whatever is sent, nothing is thrown and nobody comes in', () => {
    const good = token(CLAIMS, RS, rsa.privateKey)
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.string(), (at, noise) => {
        expect(verdict(good.slice(0, at) + noise + good.slice(at + 1))).not.toBe(
          noise === good[at] ? '' : 'good',
        )
        verdict(noise)
      }),
    )
  })

  test('keys that are none', () => {
    expect(() => parseKeys('{}')).toThrow(/no list keys/)
    expect(() => parseKeys('{"keys":[]}')).toThrow(/no public key/)
    expect(() => parseKeys('-----BEGIN X-----')).toThrow(/no public key/)
    expect(() => secretKey(Buffer.from('short'))).toThrow(/can be guessed/)
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
    expect(() => parseKeys(small.export({ type: 'spki', format: 'pem' }) as string)).toThrow()
  })
})

describe('the filter', () => {
  let folder = ''
  let served: Served | null = null
  let log: string[] = []
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'jwt-'))
    writeFileSync(join(folder, 'set.json'), SET)
    writeFileSync(join(folder, 'secret'), `${SECRET}\n`)
    writeFileSync(join(folder, 'key.pem'), ec.publicKey.export({ type: 'spki', format: 'pem' }))
  })
  afterEach(() => served?.close())
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function open(plan: Partial<JwtPlan>): Promise<Visitor> {
    log = []
    const inner = handler((exchange) => {
      const { fields } = exchange
      const pairs = fields.names.map((name, i) => `${name}=${fields.values[i]}`)
      const who = `${fields.user} ${fields.authType}`
      exchange.respond(OK, Buffer.from(`${who} ${pairs.slice(1).join(' ')}`, 'latin1'))
    })
    const host = filterHost({ complain: (message) => void log.push(message) })
    served = await serve(jwt({ ...PLAN, ...plan }, inner, host))
    return Visitor.to(served.port)
  }

  const bearing = (text: string, more = {}) => ({
    fields: { Authorization: `Bearer ${text}`, ...more },
  })
  const good = token({ ...CLAIMS, groups: ['a', 'b'] }, RS, rsa.privateKey)
  const file = (): string => join(folder, 'set.json')

  test('says who it is, and nobody else can', async () => {
    using visitor = await open({ file: file(), pass: false })
    const claims = { 'X-Email': 'root@x', X_Email: 'root@x', 'Remote-User': 'root' }
    for (let i = 0; i < 3; i++) {
      expect((await visitor.ask('/', bearing(good, claims))).text).toBe(
        'ann Bearer x-email=ann@example.com x-groups=a,b',
      )
    }
    served!.close()
    using passing = await open({ file: file() })
    expect((await passing.ask('/', bearing(good))).text).toContain('authorization=Bearer ')
  })

  test('what a claim holds that is no text is none', async () => {
    using visitor = await open({ file: file(), pass: false, require: { roles: 'a' } })
    const odd = [{ toString: 1 }, null, ['a'], 7, 'à']
    const roles = [{ toString: 1 }, 'a']
    const text = token({ ...CLAIMS, email: 'à', groups: odd, roles }, RS, rsa.privateKey)
    const said = await visitor.ask('/', bearing(text))
    expect([said.status, said.text]).toEqual([200, 'ann Bearer x-email=à x-groups=7,à'])
    const none = token({ ...CLAIMS, roles: [{ toString: 1 }] }, RS, rsa.privateKey)
    expect((await visitor.ask('/', bearing(none))).status).toBe(403)
  })

  const challenge = ({ status, fields }: Reply): [number, string | undefined] => [
    status,
    fields['www-authenticate'],
  ]

  test('asks, refuses, forbids', async () => {
    using visitor = await open({ file: file(), require: { admin: 'true' } })
    expect(challenge(await visitor.ask('/'))).toEqual([401, 'Bearer realm="r"'])
    expect(challenge(await visitor.ask('/', bearing('x.y.z')))).toEqual([
      401,
      'Bearer realm="r", error="invalid_token", error_description="it is malformed"',
    ])
    expect(challenge(await visitor.ask('/', bearing(good)))).toEqual([
      403,
      'Bearer realm="r", error="insufficient_scope", error_description="it lacks the claim admin"',
    ])
  })

  test('takes it from where it is', async () => {
    using visitor = await open({
      file: file(),
      from: [
        { of: 'header', name: 'x-token' },
        { of: 'cookie', name: 'sid' },
        { of: 'query', name: 'jwt' },
      ],
    })
    expect((await visitor.ask('/', { fields: { 'X-Token': good } })).status).toBe(200)
    expect((await visitor.ask('/', { fields: { Cookie: `a=b; sid=${good}` } })).status).toBe(200)
    expect((await visitor.ask(`/?a=b&jwt=${good}`)).status).toBe(200)
    expect((await visitor.ask('/?a=b')).status).toBe(401)
    expect((await visitor.ask('/', bearing(good))).status).toBe(401)
  })

  test('a secret, and a PEM file', async () => {
    using visitor = await open({ secret: join(folder, 'secret') })
    expect((await visitor.ask('/', bearing(token(CLAIMS, { alg: 'HS256' })))).status).toBe(200)
    expect((await visitor.ask('/', bearing(token(CLAIMS, { alg: 'HS512' })))).status).toBe(200)
    expect((await visitor.ask('/', bearing(good))).status).toBe(401)
    served!.close()
    using other = await open({ file: join(folder, 'key.pem') })
    const text = token(CLAIMS, { alg: 'ES256', kid: 'whatever' }, ec.privateKey)
    expect((await other.ask('/', bearing(text))).status).toBe(200)
  })

  test('what was good is not good for ever', async () => {
    using visitor = await open({ file: file() })
    const brief = token({ sub: 'x', exp: now() + 2 }, RS, rsa.privateKey)
    expect((await visitor.ask('/', bearing(brief))).status).toBe(200)
    await until('its end', async () => (await visitor.ask('/', bearing(brief))).status === 401)
  })

  test('a changed file holds; a broken one changes nothing', async () => {
    const own = join(folder, 'own.json')
    writeFileSync(own, SET)
    using visitor = await open({ file: own })
    expect((await visitor.ask('/', bearing(good))).status).toBe(200)
    writeFileSync(own, '{"keys":')
    await until('a complaint', async () => {
      await visitor.ask('/', bearing(good))
      return log.length > 0
    })
    expect((await visitor.ask('/', bearing(good))).status).toBe(200)
    writeFileSync(own, JSON.stringify({ keys: [jwk(ec.publicKey, 'ec')] }))
    await until('the new keys', async () => (await visitor.ask('/', bearing(good))).status === 401)
    expect(() =>
      jwt(
        { ...PLAN, file: '/nowhere' },
        handler(() => {}),
        filterHost(),
      ),
    ).toThrow(/cannot be used/)
  })

  describe('keys from a URL', () => {
    let server: Server
    let asked = 0
    let answer: () => { status: number; body: string; delay?: number }
    beforeAll(async () => {
      server = createServer((_, response) => {
        asked++
        const { status, body, delay = 0 } = answer()
        setTimeout(() => response.writeHead(status).end(body), delay)
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
    })
    afterAll(() => void server.close())
    const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const only = (...keys: object[]): string => JSON.stringify({ keys })

    test('who comes before them waits; a new key is fetched once, whoever makes up names', async () => {
      asked = 0
      answer = () => ({ status: 200, body: only(jwk(rsa.publicKey, 'rsa')), delay: 50 })
      using visitor = await open({ url: url() })
      const crowd = await Promise.all(
        Array.from({ length: 5 }, async () => {
          using one = await Visitor.to(served!.port)
          return await one.ask('/', bearing(good))
        }),
      )
      expect([crowd.map(({ status }) => status), asked]).toEqual([[200, 200, 200, 200, 200], 1])
      const made = token(CLAIMS, { alg: 'ES256', kid: 'ec' }, ec.privateKey)
      for (let i = 0; i < 20; i++) {
        expect((await visitor.ask('/', bearing(made))).status).toBe(401)
      }
      // It has been asked a moment ago.
      expect(asked).toBe(1)
      expect((await visitor.ask('/', bearing(good))).status).toBe(200)
    })

    test('without any nobody comes in', async () => {
      answer = () => ({ status: 500, body: SET })
      using visitor = await open({ url: url() })
      expect((await visitor.ask('/', bearing(good))).status).toBe(503)
      expect(log[0]).toMatch(/status 500; nobody comes in without/)
      // Who brings nothing need not wait for keys, and is not let in either.
      expect((await visitor.ask('/')).status).toBe(503)
    })

    test('the last good ones hold', async () => {
      answer = () => ({ status: 200, body: SET })
      using visitor = await open({ url: url(), refreshMs: 1 })
      expect((await visitor.ask('/', bearing(good))).status).toBe(200)
      answer = () => ({ status: 200, body: 'nonsense' })
      expect((await visitor.ask('/', bearing(good))).status).toBe(200)
    })
  })
})
