import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { complaints, folderWith, load } from './here.ts'

const HELLO = 'routes: { /: { respond: hello } }\n'
const SHOP = 'routes: { /: { app: shop } }\napps: { shop: { python: shop } }\n'

describe('flags', () => {
  it('win over the site file', async () => {
    const folder = folderWith({
      'site.yaml': `listen: ":1"\nlog: { access: off }\n${SHOP}`,
      'shop.py': '',
    })
    const { plan } = await load(folder, '', {
      listen: ['127.0.0.1:0', 'unix:./x.sock'],
      workers: '3',
      threads: 4,
      serverThreads: 5,
      logFormat: 'json',
      access: 'stderr',
      admin: 'admin.sock',
      dev: true,
      watch: true,
    })
    expect(plan).toMatchObject({
      listeners: [{ name: '127.0.0.1:0' }, { address: { kind: 'unix', path: `${folder}/x.sock` } }],
      threads: 5,
      apps: { shop: { workers: 3, threads: 4 } },
      log: { access: 'stderr', format: 'json' },
      admin: `${folder}/admin.sock`,
      dev: true,
      watch: true,
    })
  })

  it('are judged by the same rules', async () => {
    const folder = folderWith({ 'site.yaml': SHOP, 'shop.py': '' })
    expect(
      await complaints(folder, '', { listen: 'ftp://:443', workers: 'many', logFormat: 'xml' }),
    ).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^command line: listen: this version does not speak ftp; expected http/,
        ),
        'command line: apps.shop.workers: wrong value; expected auto, or a whole number from 1 to 4096',
        'command line: log.format: wrong value; expected one of auto, combined, json',
      ]),
    )
  })

  it('about threads are for the applications that have them, where there are any', async () => {
    const mixed = `routes: { /: { app: shop } }
apps: { shop: { python: shop }, chat: { python: shop, mode: asgi }, blog: { php: ., workers: 2 } }
`
    const folder = folderWith({
      'site.yaml': mixed,
      'php.yaml': mixed.replaceAll('python: shop', 'php: .'),
      'shop.py': '',
    })
    const { plan } = await load(folder, '', { threads: 4, workers: 3 })
    expect(plan.apps).toMatchObject({
      shop: { threads: 4, workers: 3 },
      chat: { threads: 1, workers: 3 },
      blog: { workers: 3 },
    })
    expect(await complaints(folder, 'php.yaml', { threads: 4 })).toEqual(
      expect.arrayContaining([expect.stringContaining('"threads" goes with "python"')]),
    )
  })

  it('hold for a folder without a site file', async () => {
    const { plan } = await load(folderWith({ 'wsgi.py': 'app = 1' }), '.', {
      workers: 7,
      listen: '9',
    })
    expect(plan).toMatchObject({
      apps: { app: { workers: 7 } },
      listeners: [{ name: '9' }],
      file: '',
    })
  })
})

describe('the environment', () => {
  it('has the port and the workers where the site says nothing', async () => {
    const folder = folderWith({ 'site.yaml': SHOP, 'shop.py': '' })
    const plain = await load(folder)
    expect(plain.plan.listeners[0]?.name).toBe(':8080')
    expect(plain.plan.apps.shop?.workers).toBe(availableParallelism())
    expect(plain.plan.threads).toBe(availableParallelism())
    const platform = await load(folder, '', {}, { PORT: '5000', WEB_CONCURRENCY: '9' })
    expect(platform.plan.listeners[0]?.name).toBe(':5000')
    expect(platform.plan.apps.shop?.workers).toBe(9)
    const odd = await load(folder, '', {}, { PORT: 'tcp://1', WEB_CONCURRENCY: '-1' })
    expect(odd.plan.listeners[0]?.name).toBe(':8080')
    expect(odd.plan.apps.shop?.workers).toBe(availableParallelism())
    const flag = await load(folder, '', { listen: ':7' }, { PORT: '5000' })
    expect(flag.plan.listeners.map((each) => each.name)).toEqual([':7'])
  })
})

describe('the admin socket', () => {
  it('has one path a site, the same each time, that fits', async () => {
    const folder = folderWith({ 'a/site.yaml': HELLO, 'b/site.yaml': HELLO })
    const [a, again, b] = [
      await load(folder, 'a'),
      await load(`${folder}/a`, 'site.yaml'),
      await load(folder, 'b'),
    ]
    expect(a.plan.admin).toMatch(/^\/.*\/a-[0-9a-f]{8}\.sock$/)
    expect(again.plan.admin).toBe(a.plan.admin)
    expect(b.plan.admin).not.toBe(a.plan.admin)
    expect(Buffer.byteLength(a.plan.admin)).toBeLessThanOrEqual(107)
  })
})

describe('a program as the site file', () => {
  it('is read again when it has changed', () => {
    const program = (text: string): string =>
      `export default { routes: { '/': { respond: '${text}' } } }`
    const folder = folderWith({ 'site.ts': program('before') })
    const script = `
      import { utimesSync, writeFileSync } from 'node:fs'
      import { loadSite } from ${JSON.stringify(join(import.meta.dirname, '../../src/site/load.ts'))}
      const body = async () => (await loadSite('site.ts')).plan.hosts[0].routes[0].handler.body
      const first = await body()
      writeFileSync('site.ts', ${JSON.stringify(program('after'))})
      utimesSync('site.ts', new Date(), new Date(Date.now() + 5000))
      console.log(first, await body())
    `
    const args = ['--input-type=module', '-e', script]
    expect(execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })).toBe(
      'before after\n',
    )
  })
})

describe('warnings', () => {
  it('say that auth asks nobody but who is denied', async () => {
    const site = `routes:
  /: { respond: a, auth: { basic: { users: { ann: "{SHA}qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" } }, satisfy: any }, deny: 192.0.2.1 }
`
    const { warnings } = await load(folderWith({ 'site.yaml': site }))
    expect(warnings.map(({ message }) => message)).toEqual([
      'without allow only who is denied is asked: everybody else is let in',
    ])
  })

  it('say that variables of headers need the longer form where the answer is fixed', async () => {
    const site = 'routes: { /: { respond: a, headers: { X-Host: $host, X-Price: $5 } } }\n'
    const { warnings } = await load(folderWith({ 'site.yaml': site }))
    expect(warnings).toMatchObject([
      { path: ['routes', '/', 'headers', 'X-Host'], expected: expect.stringContaining('{ set: ') },
    ])
  })

  it('say what no route leads to', async () => {
    const site = `${HELLO}apps: { shop: { python: shop } }\npools: { p: { servers: ["a:1"] } }\n`
    const { warnings } = await load(folderWith({ 'site.yaml': site, 'shop.py': '' }))
    expect(warnings.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([
      '2:9 no route leads to the application "shop"',
      '3:10 no route leads to the pool "p"',
    ])
  })
})

describe('hostile files', () => {
  it.each([
    ['brackets', '['.repeat(50_000)],
    ['a bomb of aliases', bomb()],
    ['an anchor in itself', 'routes: &a { /: *a }'],
    ['a key __proto__', '__proto__: { polluted: 1 }\nroutes: { __proto__: { respond: x } }'],
    ['no UTF-8', '\ud800'],
    ['a NUL', 'routes: { /: { files: "a\\0b" } }'],
    ['ten thousand unknown keys', Array.from({ length: 10_000 }, (_, i) => `k${i}: 1`).join('\n')],
  ])('%s', async (_, text) => {
    const folder = folderWith({ 'site.yaml': text })
    const lines = await complaints(folder)
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThanOrEqual(500)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('a folder where a site file should be readable', async () => {
    const folder = folderWith({
      'site.yaml': 'include: other.yaml\nroutes: { /: { respond: x } }',
      'other.yaml/x': '',
    })
    expect(await complaints(folder)).toEqual([
      '<here>/site.yaml:1:10: include: no such file: <here>/other.yaml',
    ])
  })
})

/** Nine levels of nine: a thousand million nodes if it were expanded. */
function bomb(): string {
  const levels = ['a0: &a0 [x,x,x,x,x,x,x,x,x]']
  for (let level = 1; level < 9; level++) {
    const alias = `*a${level - 1}`
    levels.push(`a${level}: &a${level} [${Array(9).fill(alias).join(',')}]`)
  }
  return levels.join('\n')
}

describe('an access log', () => {
  it('in a file named like an old flag is warned of', async () => {
    const said = async (access: string): Promise<readonly string[]> => {
      const folder = folderWith({ 'site.yaml': `log: { access: ${access} }\n${HELLO}` })
      return (await load(folder, 'site.yaml')).warnings.map(({ message }) => message)
    }
    expect(await said('on')).toEqual([
      expect.stringContaining('the access log goes to a file named on'),
    ])
    expect(await said('./on')).toEqual([])
    expect(await said('off')).toEqual([])
  })
})
