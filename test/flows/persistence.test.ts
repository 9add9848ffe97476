/** Visitors who stay with their server, through the whole of Portico with two threads and real servers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Authority, nginxTls } from '../transports/certificates.ts'
import { freePort, Nginx } from './support/peers.ts'
import { Portico } from './support/portico.ts'
import { ask, type Reply } from './support/visitor.ts'

const servers: Nginx[] = []
const NAMES = ['a', 'b', 'c']

beforeAll(async () => {
  for (const name of NAMES) {
    servers.push(
      await Nginx.serve(
        (port) => `server {
          listen 127.0.0.1:${port};
          location /login { add_header Set-Cookie "sid=${name}-$request_id; Path=/"; return 200 ${name}; }
          location / { return 200 ${name}; }
        }`,
      ),
    )
  }
})

afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
})

function site(persistence: string, state = ''): string {
  const addresses = servers.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
  return `
listen: "127.0.0.1:0"
threads: 2
${state}
routes: { /: { proxy: backend } }
pools:
  backend:
    servers: [${addresses}]
    persistence: ${persistence}
`
}

const cookieOf = ({ fields }: Reply): string => (fields['set-cookie'] ?? '').split(';')[0] ?? ''

/** Each on a connection of its own, so that both threads are asked. */
async function visits(port: number, cookie: string, count = 12): Promise<string[]> {
  const answers = Array.from({ length: count }, () =>
    ask(port, '/', cookie === '' ? {} : { fields: { Cookie: cookie } }),
  )
  return (await Promise.all(answers)).map(({ text }) => text)
}

describe('visitors stay with their server', () => {
  it('by a cookie, whatever thread they come to, and after a restart', async () => {
    const text = site('cookie', 'state: ./state')
    await using portico = await Portico.serve({ 'site.yaml': text })
    const first = await ask(portico.port, '/')
    const cookie = cookieOf(first)
    expect(cookie).toMatch(/^PORTICO=[\w-]{20}$/)
    expect(new Set(await visits(portico.port, cookie))).toEqual(new Set([first.text]))
    const secret = readFileSync(join(portico.folder, 'state/persistence.secret'), 'latin1')
    expect(secret).toMatch(/^[0-9a-f]{64}\n$/)
    // No visitor, and no log, sees it.
    expect(portico.messages + portico.out).not.toContain(secret.trim())
    await portico.run('reload')
    expect(new Set(await visits(portico.port, cookie))).toEqual(new Set([first.text]))
    await using again = await Portico.serve({
      'site.yaml': text,
      'state/persistence.secret': secret,
    })
    expect(new Set(await visits(again.port, cookie))).toEqual(new Set([first.text]))
    // Another site has another secret.
    await using other = await Portico.serve({ 'site.yaml': site('cookie', 'state: ./state') })
    expect(cookieOf(await ask(other.port, '/', { fields: { Cookie: cookie } }))).toMatch(
      /^PORTICO=/,
    )
  })

  it('by their address: all threads know the same', async () => {
    await using portico = await Portico.serve({ 'site.yaml': site('source') })
    const [first] = await visits(portico.port, '', 1)
    expect(new Set(await visits(portico.port, '', 40))).toEqual(new Set([first]))
    // A reload moves nobody, also where servers change places.
    for (let i = 0; i < 3; i++) {
      servers.push(servers.shift()!)
      portico.write('site.yaml', site('source'))
      expect((await portico.run('reload')).code).toBe(0)
      expect(new Set(await visits(portico.port, '', 12))).toEqual(new Set([first]))
    }
  })

  it('by their address, over plain connections', async () => {
    const addresses = servers.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
    const text = (persistence: string): string => `
listen: { on: "tcp://127.0.0.1:0", pool: backend }
threads: 2
routes: { /: { respond: x } }
pools: { backend: { servers: [${addresses}], persistence: ${persistence} } }
`
    await using portico = await Portico.serve({ 'site.yaml': text('source') })
    const [first] = await visits(portico.port, '', 1)
    expect(new Set(await visits(portico.port, '', 30))).toEqual(new Set([first]))
    portico.write('site.yaml', text('cookie'))
    const { code, err } = await portico.run('check')
    expect([code, err]).toEqual([1, expect.stringMatching(/only requests over HTTP have/)])
  })

  it('by the session that the application has named, until their server is killed', async () => {
    await using portico = await Portico.serve({
      'site.yaml': site('{ by: learned, cookie: sid }'),
    })
    const victim = await Nginx.serve(
      (port) => `server {
        listen 127.0.0.1:${port};
        location / { add_header Set-Cookie "sid=victim-$request_id; Path=/"; return 200 victim; }
      }`,
    )
    portico.write(
      'site.yaml',
      site('{ by: learned, cookie: sid }').replace(
        'servers: [',
        `servers: ["127.0.0.1:${victim.port}", `,
      ),
    )
    await portico.run('reload')
    const sessions = new Map<string, string>()
    for (let i = 0; i < 12; i++) {
      const answer = await ask(portico.port, '/login')
      sessions.set(cookieOf(answer), answer.text)
    }
    expect(new Set(sessions.values())).toEqual(new Set([...NAMES, 'victim']))
    for (const [cookie, name] of sessions) {
      expect(new Set(await visits(portico.port, cookie, 4))).toEqual(new Set([name]))
    }
    await victim[Symbol.asyncDispose]()
    for (const [cookie, name] of sessions) {
      const after = new Set(await visits(portico.port, cookie, 6))
      expect(after.size).toBe(1)
      if (name !== 'victim') expect(after).toEqual(new Set([name]))
      else expect(after).not.toContain('victim')
    }
  })
})

describe('a site whose servers are asked over TLS', () => {
  it('reads its files as who it is started as, and says what is wrong', async () => {
    using ca = new Authority()
    const client = ca.issue(['DNS:portico'])
    const port = await freePort()
    await using _nginx = await Nginx.serve(
      (plain) => `
        server { listen 127.0.0.1:${plain}; }
        server {
          listen 127.0.0.1:${port} ssl;
          ${nginxTls(ca.issue(['DNS:localhost']))}
          ssl_verify_client on; ssl_client_certificate ${ca.file};
          location / { return 200 "$ssl_client_s_dn for $host"; }
        }`,
    )
    await using portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
routes: { /: { proxy: good }, /bad: { proxy: bad }, /any: { proxy: any } }
pools:
  good:
    servers: ["https://localhost:${port}"]
    tls: { ca: "${ca.file}", certificate: "${client.certificate}", key: "${client.key}" }
  bad:
    servers: ["https://localhost:${port}"]
  any:
    servers: ["https://localhost:${port}"]
    tls: { verify: false }
`,
    })
    await portico.logged(/certificates of servers are not verified/)
    expect((await ask(portico.port, '/')).text).toBe('CN=portico for localhost')
    expect(await ask(portico.port, '/bad')).toMatchObject({ status: 502 })
    await portico.logged(
      /https:\/\/localhost:\d+: its certificate is signed by Test CA, who is not trusted/,
    )
    // It believes nginx, which does not believe it.
    expect(await ask(portico.port, '/any')).toMatchObject({ status: 400 })
    const { code, out } = await portico.run('check', '--plan')
    expect(code).toBe(0)
    expect(out).not.toContain('PRIVATE KEY')
  })
})
