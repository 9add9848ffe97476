/** Names and passwords: hashes as Debian's htpasswd writes them, what is asked, and what is remembered. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseCredentials } from '../../src/filters/auth/credentials.ts'
import { hashTrouble, parseHtpasswd } from '../../src/filters/auth/htpasswd.ts'
import { verify } from '../../src/filters/auth/verify.ts'
import { auth } from '../../src/filters/auth.ts'
import type { Exchange } from '../../src/request/exchange.ts'
import type { AuthPlan } from '../../src/site/filters-plan.ts'
import { fieldVariables } from '../../src/transports/variables.ts'
import { fieldValue } from '../../src/wire/fields.ts'
import { Visitor } from '../flows/support/visitor.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type Answer, ask } from '../handlers/ask.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { until } from '../supervisor/site.ts'
import { filterHost } from './filter-host.ts'

describe('hashes of htpasswd', () => {
  const made = (flags: string, password: string): string =>
    execFileSync('htpasswd', ['-nb', ...flags.split(' '), 'name', password], { encoding: 'utf8' })
  test.each(['-B -C 5', '-m', '-s'])('%s', (flags) => {
    for (const password of ['a', 'geheim', 'pässwörd', 'x'.repeat(40), 'with space', '']) {
      const hash = parseHtpasswd(Buffer.from(made(flags, password)).toString('latin1')).get('name')!
      expect(hashTrouble(hash)).toBe('')
      expect(verify(password, hash)).toBe(true)
      expect(verify(`${password}x`, hash)).toBe(false)
    }
  })

  test('salted SHA-1', () => {
    // OpenLDAP's form: the digest of password and salt, then the salt.
    expect(verify('secret', '{SSHA}kWhfRtn/SE6dhdaQ3/yHw9KLaxJzYWx0')).toBe(false)
  })

  test.each([
    ['a:$2y$05$short', /line 1: not a hash/],
    ['\n#c\na:{PLAIN}word', /line 3: a password in plain text/],
    ['a:word', /line 1: not a hash/],
    ['a', /line 1: not name:hash/],
    [':x', /line 1: not name:hash/],
    [`a:$2y$31$${'a'.repeat(53)}`, /cost of 31/],
  ])('%j is refused', (text, why) => {
    expect(() => parseHtpasswd(text)).toThrow(why)
  })

  test('the first of a name counts; comments and empty lines are none', () => {
    const one = '{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA='
    const other = '{SHA}BBBBBBBBBBBBBBBBBBBBBBBBBBA='
    const users = parseHtpasswd(`# all\r\n\r\na:${one}\r\na:${other}\r\nb:${other}:comment\r\n`)
    expect([...users]).toEqual([
      ['a', one],
      ['b', other],
    ])
  })
})

describe('credentials', () => {
  const of = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

  test('are what was sent', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^\x00-\x1f\x7f:]{1,20}$/), fc.string(), (name, password) => {
        if (/[\x00-\x1f\x7f]/.test(password)) return
        const found = parseCredentials(of(`${name}:${password}`))
        expect(found).toEqual({ name: Buffer.from(name).toString('latin1'), password })
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => void parseCredentials(text)))
  })

  test.each([
    undefined,
    '',
    'Basic',
    'Basic ',
    'Basic =',
    'Bearer YTpi',
    'Basic YTpi, Basic YTpi',
    'Basic YTpi\u00e9',
    of(':no name'),
    of('no colon'),
    of('a:b\0c'),
    of('a\n:b'),
    of(`a:${'b'.repeat(2000)}`),
  ])('%j are none', (value) => {
    expect(parseCredentials(value)).toBeNull()
  })
})

describe('the filter', () => {
  let folder: string
  let served: Served | null = null
  let seen: {
    user: string | undefined
    fields: readonly string[]
    raw: string
    authorization: boolean
  }[]
  let log: string[]
  const slow = hashSync('right', 8)

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'auth-'))
    seen = []
    log = []
  })
  afterEach(() => {
    served?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(more: Partial<AuthPlan> = {}): Promise<void> {
    const inner = handler((exchange: Exchange) => {
      const { fields } = exchange
      seen.push({
        user: fields.user,
        fields: fieldVariables(fields),
        raw: fields.raw,
        authorization: fieldValue(fields, 'authorization') !== undefined,
      })
      const parts: Uint8Array[] = []
      exchange.receive({
        data: (chunk) => parts.push(Buffer.from(chunk)) > 0,
        end: () => exchange.respond(OK, Buffer.concat([Buffer.from('in '), ...parts])),
        abort: () => {},
      })
    })
    const plan: AuthPlan = {
      file: '',
      users: { ann: slow, zoë: '{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=' },
      realm: 'a "b" \\ c',
      pass: false,
      satisfy: 'all',
      ...more,
    }
    const host = filterHost({ complain: (message) => void log.push(message) })
    served = await serve(auth(plan, inner, host))
  }

  const as = (credentials: string, more: Record<string, string> = {}): Promise<Answer> =>
    ask(served!.port, '/', { ...more, Authorization: of(credentials) })
  const of = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

  test('asks, refuses and lets in', async () => {
    await start()
    const asked = await ask(served!.port, '/')
    expect(asked.status).toBe(401)
    expect(asked.headers['www-authenticate']).toBe(
      'Basic realm="a \\"b\\" \\\\ c", charset="UTF-8"',
    )
    expect((await as('ann:wrong')).status).toBe(401)
    expect((await as('bob:right')).status).toBe(401)
    expect((await as('ann:right')).status).toBe(200)
    // UTF-8, as RFC 7617 §2.1 has it.
    expect((await as('zoë:abc')).status).toBe(200)
    expect(seen.map(({ user }) => user)).toEqual(['ann', Buffer.from('zoë').toString('latin1')])
  })

  test('who is behind is told the name, and no password; nobody can claim to be somebody', async () => {
    await start()
    const claims = { 'Remote-User': 'root', 'X-Remote-User': 'root', 'Auth-Type': 'x' }
    await as('ann:right', { ...claims, Remote_User: 'root', X_REMOTE_USER: 'root', auth_type: 'x' })
    expect(seen[0]!.fields.join(' ')).not.toMatch(/root|AUTHORIZATION|HTTP_AUTH_TYPE/)
    // Servers that are asked over HTTP may take `_` for `-`.
    expect(seen[0]!.raw).not.toMatch(/root|auth.type/i)
    expect(seen[0]!.fields.slice(-4)).toEqual(['REMOTE_USER', 'ann', 'AUTH_TYPE', 'Basic'])
    served!.close()
    await start({ pass: true })
    await as('ann:right')
    expect(seen[1]!.authorization).toBe(true)
  })

  test('a body waits for the verdict, and a second request for none', async () => {
    await start()
    using visitor = await Visitor.to(served!.port)
    const fields = { Authorization: of('ann:right') }
    expect((await visitor.ask('/', { fields, body: 'x'.repeat(50_000) })).text).toHaveLength(50_003)
    const began = performance.now()
    for (let i = 0; i < 50; i++) expect((await visitor.ask('/', { fields })).text).toBe('in ')
    // 50 verdicts would take half a second and more.
    expect(performance.now() - began).toBeLessThan(400)
    expect((await visitor.ask('/')).status).toBe(401)
  })

  test('a crowd with one password waits for one verdict; guesses do not pile up', async () => {
    await start()
    const crowd = await Promise.all(Array.from({ length: 100 }, () => as('ann:right')))
    expect(new Set(crowd.map(({ status }) => status))).toEqual(new Set([200]))
    const guesses = await Promise.all(Array.from({ length: 90 }, (_, i) => as(`ann:guess ${i}`)))
    const statuses = new Set(guesses.map(({ status }) => status))
    expect(statuses).toEqual(new Set([401, 503]))
    // Whoever is known does not wait behind them.
    expect((await as('ann:right')).status).toBe(200)
  })

  test('who leaves before the verdict is forgotten', async () => {
    await start()
    const visitor = await Visitor.to(served!.port)
    visitor.send(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ${of('ann:right')}\r\n\r\n`)
    await new Promise((resolve) => setTimeout(resolve, 3))
    visitor.socket.resetAndDestroy()
    expect((await as('ann:right')).status).toBe(200)
    expect(seen.length).toBeLessThanOrEqual(2)
  })

  test('a changed file holds within seconds, a broken one changes nothing', async () => {
    const file = join(folder, 'htpasswd')
    writeFileSync(file, `ann:${slow}\n`)
    await start({ file })
    expect((await as('ann:right')).status).toBe(200)
    writeFileSync(file, `ann:${hashSync('other', 4)}\nbob:${hashSync('bob', 4)}\n`)
    await until('the new file', async () => (await as('bob:bob')).status === 200)
    expect([(await as('ann:right')).status, (await as('ann:other')).status]).toEqual([401, 200])
    writeFileSync(file, 'ann:plain\n')
    await until('a complaint', async () => (await as('bob:bob')).status === 200 && log.length > 0)
    expect(log[0]).toMatch(/line 1: not a hash .*what it held before is still in use/)
    expect(() =>
      auth(
        { file: `${file}.none`, users: {}, realm: '', pass: false, satisfy: 'all' },
        handler(() => {}),
        filterHost(),
      ),
    ).toThrow(/cannot be used/)
  })
})
