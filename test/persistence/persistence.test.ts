/** Pools whose visitors belong to a server, over real connections. */
import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { ADMIN, orders } from '../../src/balance/cells.ts'
import { PoolMemory } from '../../src/balance/pool-memory.ts'
import type { CookiePersistencePlan, PersistencePlan } from '../../src/site/persistence-plan.ts'
import type { PoolPlan, TargetPlan } from '../../src/site/plan.ts'
import { closedPort, type Got, get, httpBackend } from '../transports/backends.ts'
import { front, poolPlan, target } from '../transports/front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

const SECRET = 'sixteen bytes and more'

/** Says its name and the cookies that it sees; `/login` names a session as an application does. */
async function server(name: string): Promise<TargetPlan> {
  const { port } = keep(
    await httpBackend((req, res) => {
      const { pathname, searchParams } = new URL(`http://x${req.url}`)
      if (pathname === '/login')
        res.setHeader('Set-Cookie', [`sid=${name}${searchParams.get('n')}; Path=/`, 'x=1'])
      if (pathname === '/logout') res.setHeader('Set-Cookie', 'sid=gone; Max-Age=0')
      if (pathname === '/cached') res.setHeader('Cache-Control', 'private, max-age=1')
      res.end(`${name} ${req.headers.cookie ?? '-'}`)
    }),
  )
  return { ...target(port), name }
}

async function pool(
  persistence: PersistencePlan,
  servers?: TargetPlan[],
  changes: Partial<PoolPlan> = {},
): Promise<{ port: number; say(server: number, order: keyof typeof orders): void }> {
  const all = servers ?? [await server('a'), await server('b'), await server('c')]
  const plan = poolPlan(all, { persistence, ...changes })
  const memory = PoolMemory.allocate(plan)
  const { port } = keep(
    await front(plan, { memory, files: { ca: '', certificate: '', key: '', secret: SECRET } }),
  )
  return {
    port,
    say: (at, order) => {
      Atomics.store(new PoolMemory(plan, memory).target(at), ADMIN, orders[order])
    },
  }
}

const COOKIE: CookiePersistencePlan = {
  by: 'cookie',
  whenDown: 'another',
  mode: 'insert',
  name: 'PORTICO',
  domain: '',
  path: '/',
  secure: 'auto',
  httpOnly: true,
  sameSite: 'lax',
  maxAgeS: 0,
  idleS: 0,
  lifeS: 0,
  private: true,
  pass: false,
  secret: '',
}

const ask = (port: number, path: string, cookie = ''): Promise<Got> =>
  get(port, path, cookie === '' ? {} : { headers: { cookie } })

const who = ({ body }: Got): string => body.split(' ')[0] ?? ''
const given = ({ headers }: Got): string => (headers['set-cookie'] ?? [])[0]?.split(';')[0] ?? ''

describe('a cookie of ours', () => {
  it('is given once, and leads back to the same server', async () => {
    const { port } = await pool(COOKIE)
    const first = await ask(port, '/')
    expect(first.headers['set-cookie']?.[0]).toMatch(
      /^PORTICO=[\w-]{20}; Path=\/; HttpOnly; SameSite=Lax$/,
    )
    expect(first.headers['cache-control']).toBe('private')
    const cookie = given(first)
    for (let i = 0; i < 5; i++) {
      const again = await ask(port, '/', `a=b; ${cookie}; c=d`)
      expect(who(again)).toBe(who(first))
      expect(again.headers['set-cookie']).toBeUndefined()
      expect(again.headers['cache-control']).toBeUndefined()
      // Of no interest to the server.
      expect(again.body).toBe(`${who(first)} a=b; c=d`)
    }
    expect((await ask(port, '/', cookie)).body).toBe(`${who(first)} -`)
    // Who has none goes on in turn.
    const others = new Set<string>()
    for (let i = 0; i < 3; i++) others.add(who(await ask(port, '/')))
    expect(others.size).toBe(3)
  })

  it('that was forged, or is another pool’s, is ignored and replaced', async () => {
    const { port } = await pool(COOKIE)
    const cookie = given(await ask(port, '/'))
    for (const forged of [
      `${cookie}x`,
      cookie.slice(0, -1),
      'PORTICO=a',
      'PORTICO=',
      'PORTICO=0',
    ]) {
      expect(given(await ask(port, '/', forged))).toMatch(/^PORTICO=/)
    }
    const other = await pool(COOKIE, undefined, { name: 'other' })
    expect(given(await ask(other.port, '/', cookie))).toMatch(/^PORTICO=/)
  })

  it('has the attributes that the pool says', async () => {
    const { port } = await pool({
      ...COOKIE,
      name: 'srv',
      domain: 'example.com',
      path: '/app',
      secure: 'always',
      httpOnly: false,
      sameSite: 'none',
      maxAgeS: 60,
      private: false,
      pass: true,
      idleS: 10,
    })
    const first = await ask(port, '/')
    expect(first.headers['set-cookie']?.[0]).toMatch(
      /^srv=[\w-]{40}; Path=\/app; Domain=example\.com; Max-Age=60; Secure; SameSite=None$/,
    )
    expect(first.headers['cache-control']).toBeUndefined()
    const again = await ask(port, '/', given(first))
    expect(again.body).toBe(`${who(first)} ${given(first)}`)
    expect(again.headers['set-cookie']).toBeUndefined()
    const { port: bare } = await pool({ ...COOKIE, sameSite: '' })
    const cached = await ask(bare, '/cached')
    expect(cached.headers['cache-control']).toBe('private, max-age=1')
    expect(cached.headers['set-cookie']?.[0]).toMatch(/HttpOnly$/)
  })

  it('is written over the server’s own, or before it', async () => {
    const rewritten = await pool({ ...COOKIE, mode: 'rewrite', name: 'sid' })
    const login = await ask(rewritten.port, '/login?n=1')
    expect(login.headers['set-cookie']).toEqual([
      expect.stringMatching(/^sid=[\w-]{20}; Path=\/$/),
      'x=1',
    ])
    for (let i = 0; i < 4; i++) {
      const again = await ask(rewritten.port, '/', given(login))
      expect(again.body).toBe(`${who(login)} ${given(login)}`)
      expect(again.headers['set-cookie']).toBeUndefined()
    }
    const prefixed = await pool({ ...COOKIE, mode: 'prefix', name: 'sid' })
    const named = await ask(prefixed.port, '/login?n=7')
    expect(given(named)).toMatch(new RegExp(`^sid=[\\w-]{20}~${who(named)}7$`))
    for (let i = 0; i < 4; i++) {
      const again = await ask(prefixed.port, '/', `z=1; ${given(named)}`)
      expect(again.body).toBe(`${who(named)} z=1; sid=${who(named)}7`)
    }
    // One that nobody has prefixed passes as it is.
    expect((await ask(prefixed.port, '/', 'sid=plain')).body).toMatch(/ sid=plain$/)
  })

  it('is not given with an error page', async () => {
    const { port } = await pool(COOKIE, [target(await closedPort())])
    const failed = await ask(port, '/')
    expect(failed.status).toBe(502)
    expect(failed.headers['set-cookie']).toBeUndefined()
  })
})

describe('a server that cannot answer', () => {
  async function oneGone(whenDown: PersistencePlan['whenDown']) {
    const servers = [await server('a'), await server('b')]
    const dead = createServer((_req, res) => res.end('dead -'))
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve))
    const address = dead.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const made = await pool({ ...COOKIE, whenDown }, [
      ...servers,
      { ...target(port), name: 'dead' },
    ])
    let cookie = ''
    for (let i = 0; i < 3 && cookie === ''; i++) {
      const answer = await ask(made.port, '/')
      if (who(answer) === 'dead') cookie = given(answer)
    }
    dead.close()
    dead.closeAllConnections()
    return { ...made, cookie }
  }

  it('loses its visitors to another one', async () => {
    const { port, cookie } = await oneGone('another')
    const moved = await ask(port, '/', cookie)
    expect(moved.status).toBe(200)
    expect(given(moved)).not.toBe(cookie)
    for (let i = 0; i < 3; i++) expect(who(await ask(port, '/', given(moved)))).toBe(who(moved))
  })

  it('is asked all the same, where visitors stick', async () => {
    const { port, cookie } = await oneGone('stick')
    for (let i = 0; i < 3; i++) expect((await ask(port, '/', cookie)).status).toBe(502)
    expect((await ask(port, '/')).status).toBe(200)
  })

  it('has its visitors refused, where the pool says so', async () => {
    const { port, cookie } = await oneGone('refuse')
    // The first one finds out.
    expect((await ask(port, '/', cookie)).status).toBe(502)
    expect((await ask(port, '/')).status).toBe(200)
  })

  it('keeps its visitors while it is drained, and not in maintenance', async () => {
    for (const whenDown of ['another', 'stick', 'refuse'] as const) {
      const { port, say } = await pool({ ...COOKIE, whenDown })
      const first = await ask(port, '/')
      const names = ['a', 'b', 'c']
      const own = names.indexOf(who(first))
      say(own, 'drain')
      for (let i = 0; i < 3; i++) {
        expect(who(await ask(port, '/', given(first)))).toBe(who(first))
        expect(who(await ask(port, '/'))).not.toBe(who(first))
      }
      say(own, 'maint')
      const moved = await ask(port, '/', given(first))
      expect(moved.status).toBe(200)
      expect(who(moved)).not.toBe(who(first))
      expect(given(moved)).toMatch(/^PORTICO=/)
    }
  })
})

describe('visitors in a table', () => {
  it('are known by their address', async () => {
    const { port } = await pool({
      by: 'source',
      whenDown: 'another',
      timeoutS: 60,
      entries: 1000,
      mask: 32,
      maskIpv6: 64,
    })
    const first = who(await ask(port, '/'))
    for (let i = 0; i < 5; i++) expect(who(await ask(port, '/'))).toBe(first)
  })

  it('are known by a header', async () => {
    const { port } = await pool({
      by: 'header',
      header: 'x-user',
      whenDown: 'another',
      timeoutS: 60,
      entries: 1000,
    })
    const as = (user: string): Promise<string> =>
      get(port, '/', { headers: { 'X-User': user } }).then(who)
    const seen = [await as('ann'), await as('bob'), await as('cid')]
    expect(new Set(seen).size).toBe(3)
    for (let i = 0; i < 3; i++) {
      expect([await as('ann'), await as('bob'), await as('cid')]).toEqual(seen)
    }
    const nobody = new Set<string>()
    for (let i = 0; i < 3; i++) nobody.add(who(await ask(port, '/')))
    expect(nobody.size).toBe(3)
  })

  const LEARNED = {
    by: 'learned',
    whenDown: 'another',
    timeoutS: 60,
    entries: 1000,
    cookie: 'sid',
    query: 'session',
    fromRequests: true,
  } as const

  it('are known by the session that a server has named', async () => {
    const { port } = await pool(LEARNED)
    const login = await ask(port, '/login?n=1')
    const session = given(login)
    expect(session).toBe(`sid=${who(login)}1`)
    const value = session.slice(4)
    for (let i = 0; i < 4; i++) {
      expect(who(await ask(port, '/', session))).toBe(who(login))
      expect(who(await ask(port, `/?a=b&session=${value}`))).toBe(who(login))
      expect(who(await ask(port, `/shop;session=${value}/cart?x`))).toBe(who(login))
    }
    // The cookie is as the server has made it, and is taken back without being learned.
    expect((await ask(port, '/', session)).body).toBe(`${who(login)} ${session}`)
    await ask(port, '/logout')
  })

  it('are known by a session from before, where that is wanted', async () => {
    const { port } = await pool(LEARNED)
    const first = who(await ask(port, '/', 'sid=old'))
    for (let i = 0; i < 4; i++) expect(who(await ask(port, '/', 'sid=old'))).toBe(first)
    const strict = await pool({ ...LEARNED, fromRequests: false })
    const seen = new Set<string>()
    for (let i = 0; i < 3; i++) seen.add(who(await ask(strict.port, '/', 'sid=old')))
    expect(seen.size).toBe(3)
  })

  it('move when their server is gone, for good', async () => {
    const { port, say } = await pool(LEARNED)
    const login = await ask(port, '/login?n=1')
    const own = ['a', 'b', 'c'].indexOf(who(login))
    say(own, 'maint')
    const moved = who(await ask(port, '/', given(login)))
    expect(moved).not.toBe(who(login))
    say(own, 'ready')
    for (let i = 0; i < 4; i++) expect(who(await ask(port, '/', given(login)))).toBe(moved)
  })
})
