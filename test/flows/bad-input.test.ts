/** What cannot be served: one clear message, exit code not 0, nothing left behind. */
import { chmodSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Portico, PYTHON } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const APP = `
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"served"]
`
const site = (more = ''): string => `
listen: "127.0.0.1:0"
routes: { "/": { app: shop } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 1 } }
${more}`

interface Case {
  readonly files?: Readonly<Record<string, string>>
  readonly target?: string
  readonly args?: readonly string[]
  readonly code?: number
  readonly says: RegExp
}

const cases: Readonly<Record<string, Case>> = {
  'a wrong key': {
    files: { 'site.yaml': site('limts: { body: 1MB }') },
    says: /site\.yaml:5:1: .*limts.*; did you mean "limits"\?$/,
  },
  'a wrong value': {
    files: { 'site.yaml': site('limits: { body: plenty }') },
    says: /site\.yaml:5:17: limits\.body: wrong value; expected a size/,
  },
  'no YAML': { files: { 'site.yaml': 'listen: [' }, says: /site\.yaml:1:\d+: / },
  'an application nobody declared': {
    files: { 'site.yaml': site().replace('app: shop', 'app: shoe') },
    says: /shoe.*did you mean "shop"\?/,
  },
  'no such file': { target: 'sites.yaml', says: /sites\.yaml.*no such file/ },
  'no such module': {
    target: 'shoo:application',
    says: /no module "shoo" here.*did you mean "shop"/,
  },
  'a bad flag': {
    args: ['--wrokers', '2'],
    code: 2,
    says: /unknown option '--wrokers'[\s\S]*--workers/,
  },
  'a bad value of a flag': {
    args: ['-w', 'none'],
    says: /command line: .*workers: wrong value; expected auto, or/,
  },
  'a host that is not ours': {
    args: ['-b', '192.0.2.1:80'],
    says: /cannot listen on 192\.0\.2\.1:80: /,
  },
  'no such user': {
    args: ['--user', 'nobody-like-this'],
    says: /user: no such user.*nobody-like-this/,
  },
}

test.each(Object.entries(cases))(
  '%s',
  async (_name, { files = {}, target, args = [], code, says }) => {
    const all = { 'site.yaml': site(), 'shop.py': APP, ...files }
    await using portico = new Portico(all, { args, ...(target === undefined ? {} : { target }) })
    expect(await portico.exited).toEqual({ code: code ?? 1, signal: null })
    const errors = portico.log.filter(({ level }) => level === 'error' || level === 'raw')
    expect(errors.map(({ message }) => message).join('\n')).toMatch(says)
    if (code === undefined) expect(errors).toHaveLength(1)
    // No stack of our own program.
    expect(portico.messages).not.toMatch(/\bat .*\.ts:\d+/)
    expect(portico.processes()).toEqual([])
  },
)

test('a port in use: who holds it', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => holder.once('listening', resolve))
  const address = holder.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const taken = site().replace('127.0.0.1:0', `127.0.0.1:${port}`)
  await using portico = new Portico({ 'site.yaml': taken, 'shop.py': APP })
  expect(await portico.exited).toEqual({ code: 1, signal: null })
  expect(portico.messages).toMatch(
    new RegExp(`127\\.0\\.0\\.1:${port}: .*in use by .*${process.pid}`),
  )
  expect(portico.processes()).toEqual([])
  holder.close()
})

test('a site file that may not be read', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site(), 'shop.py': APP })
  // Root may read everything; a folder in its place is unreadable for root as well.
  mkdirSync(join(portico.folder, 'folder.yaml'))
  portico.write('locked.yaml', site())
  chmodSync(join(portico.folder, 'locked.yaml'), 0)
  const names = process.getuid?.() === 0 ? ['folder.yaml'] : ['folder.yaml', 'locked.yaml']
  for (const name of names) {
    portico.write('site.yaml', site(`include: ${name}`))
    const reload = await portico.run('reload')
    expect(reload.code).toBe(1)
    expect(reload.err).toMatch(new RegExp(`${name}`))
    expect(reload.err).not.toMatch(/\bat .*\.ts:\d+/)
    expect((await ask(portico.port, '/')).text).toBe('served')
  }
})

test('no Python on the machine: the site answers, says what to install, and is mended by a reload', async () => {
  const nothing = { PATH: '/nonexistent' }
  const plain = site().replace(`interpreter: ${PYTHON}, `, '')
  await using portico = await Portico.serve(
    { 'site.yaml': plain, 'shop.py': APP },
    { env: nothing },
  )
  const failure = await portico.logged(/application shop/)
  expect(failure).toMatchObject({ level: 'error' })
  expect(failure.message).toMatch(
    /no Python on this machine; install Python 3\.9 or newer .*apt install/,
  )
  expect((await ask(portico.port, '/')).status).toBe(500)
  portico.write('site.yaml', site())
  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  expect((await ask(portico.port, '/')).text).toBe('served')
})

test('an interpreter that is none', async () => {
  const files = {
    'site.yaml': site().replace(PYTHON, './python'),
    'shop.py': APP,
    python: 'no program',
  }
  await using portico = new Portico(files)
  chmodSync(join(portico.folder, 'python'), 0o755)
  await portico.ready()
  // Whatever it printed is there too.
  await portico.logged(/python: .*not found/)
  await portico.logged(/the warm parent of shop died \(exit code 127\)/)
  expect((await ask(portico.port, '/')).status).toBe(500)
})
