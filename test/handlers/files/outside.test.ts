/** Nothing outside the root is ever read: a canary lies there, and every way out is tried. */
import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { files } from '../../../src/handlers/files.ts'
import { ask } from '../ask.ts'
import { Folder, filesPlan } from '../folder.ts'
import { type Served, serve } from '../serve.ts'

const CANARY = 'canary-9f2c'
let folder: Folder
let served: Served

beforeAll(async () => {
  folder = new Folder()
  for (const name of ['secret', 'index.html', 'a.txt', 'sub/a.txt']) {
    mkdirSync(join(folder.outside, 'sub'), { recursive: true })
    writeFileSync(join(folder.outside, name), CANARY)
  }
  writeFileSync(`${folder.root}-twin`, CANARY)
  folder.write('a.txt', 'inside')
  folder.write('sub/index.html', 'inside')
  folder.write('sub/deep/a.txt', 'inside')
  folder.write('.hidden', CANARY)
  folder.write('.git/config', CANARY)
  folder.write('sub/.env', CANARY)
  folder.write('.well-known/security.txt', 'inside')
  symlinkSync('a.txt', join(folder.root, 'in'))
  symlinkSync('../a.txt', join(folder.root, 'sub/in'))
  symlinkSync('sub', join(folder.root, 'subin'))
  symlinkSync(join(folder.outside, 'secret'), join(folder.root, 'out'))
  symlinkSync('../private', join(folder.root, 'outdir'))
  symlinkSync('../../private/a.txt', join(folder.root, 'sub/out'))
  symlinkSync('out', join(folder.root, 'twice'))
  symlinkSync(`../public-twin`, join(folder.root, 'twin'))
  symlinkSync('/', join(folder.root, 'slash'))
  symlinkSync('..', join(folder.root, 'up'))
  served = await serve(files(filesPlan(folder.root, { list: true })))
})
afterAll(() => {
  served.close()
  rmSync(`${folder.root}-twin`)
  folder.remove()
})

test.each(['/a.txt', '/sub/', '/in', '/sub/in', '/subin/deep/a.txt', '/.well-known/security.txt'])(
  '%s is inside',
  async (path) => {
    const answer = await ask(served.port, path)
    expect([answer.status, answer.body.toString()]).toEqual([200, 'inside'])
  },
)

test.each([
  '/out',
  '/outdir',
  '/outdir/',
  '/outdir/secret',
  '/outdir/nothing',
  '/outdir/sub/a.txt',
  '/sub/out',
  '/twice',
  '/twin',
  '/slash/etc/passwd',
  '/up/private/secret',
  '/up/public/a.txt',
  '/.hidden',
  '/.git/config',
  '/.git/',
  '/sub/.env',
  '/%2ehidden',
  '/sub/%2Eenv',
  '/.well-known/../.hidden',
  '/...',
])('%s looks as if it were not there', async (path) => {
  const missing = await ask(served.port, '/not-there')
  for (const method of ['GET', 'HEAD']) {
    const answer = await ask(served.port, path, {}, method)
    // The twin of the root, reached inside through a link, is the one thing that is there.
    if (path === '/up/public/a.txt') expect([200, 404]).toContain(answer.status)
    else expect(answer.status).toBe(404)
    if (method === 'GET' && answer.status === 404) expect(answer.body).toEqual(missing.body)
  }
})

test('paths above the root are refused', async () => {
  for (const path of [
    '/..',
    '/../private/secret',
    '/%2e%2e/private/secret',
    '/sub/../../private/secret',
    '/..%2fprivate%2fsecret',
    '/a%00.txt',
  ]) {
    expect((await ask(served.port, path)).status).toBe(400)
  }
})

test('any path: no canary, and no answer but these', async () => {
  const segment = fc.constantFrom(
    'sub',
    'deep',
    'a.txt',
    'in',
    'subin',
    'out',
    'outdir',
    'twice',
    'slash',
    'up',
    'secret',
    'private',
    'public',
    'index.html',
    '.hidden',
    '.git',
    'config',
    '.env',
    '.well-known',
    '..',
    '.',
    '...',
    '%2e',
    '%2e%2e',
    '.%2e',
    '..%2f',
    '%2f',
    '%5c',
    '..%5c',
    '%00',
    '%252e%252e',
    '%c0%ae%c0%ae',
    '%ff',
    '',
    'etc',
    'passwd',
    'public-twin',
    '~',
    'a.txt%20',
    'a.txt.',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 8 }), async (segments) => {
      const answer = await ask(served.port, `/${segments.join('/')}`)
      const text = answer.body.toString()
      expect(text).not.toContain(CANARY)
      expect(text).not.toContain('root:')
      expect([200, 301, 400, 404]).toContain(answer.status)
      if (answer.status === 200) expect(text).toMatch(/^inside$|<h1>/)
      if (text.includes('<h1>') && answer.status === 200) {
        expect(text).not.toMatch(/secret|hidden|\.git|\.env|outdir|twice|slash|twin/)
      }
    }),
    { numRuns: 1500 },
  )
})

test('a folder swapped for a link leads nowhere, though its files are remembered', async () => {
  const inner = join(folder.root, 'swap')
  folder.write('swap/sub/a.txt', 'inside')
  folder.write('swap/a.txt', 'inside')
  await new Promise((resolve) => setTimeout(resolve, 2100))
  for (let round = 0; round < 50; round++) {
    for (const path of ['/swap/a.txt', '/swap/sub/a.txt']) {
      expect((await ask(served.port, path)).body.toString()).toBe('inside')
    }
    renameSync(inner, `${inner}-away`)
    symlinkSync('../private', inner)
    for (const path of ['/swap/a.txt', '/swap/sub/a.txt']) {
      expect((await ask(served.port, path)).status).toBe(404)
    }
    unlinkSync(inner)
    renameSync(`${inner}-away`, inner)
  }
})

test('a file that looks the same as the remembered one but lies outside is not the same', async () => {
  const inner = folder.write('same/f', 'inside-here!')
  const outer = join(folder.outside, 'f')
  writeFileSync(outer, `${CANARY}!`.padEnd(12))
  const time = Math.floor(Date.now() / 1000) - 3600
  utimesSync(inner, time, time)
  utimesSync(outer, time, time)
  await new Promise((resolve) => setTimeout(resolve, 2100))
  for (let i = 0; i < 3; i++) {
    expect((await ask(served.port, '/same/f')).body.toString()).toBe('inside-here!')
  }
  renameSync(join(folder.root, 'same'), join(folder.root, 'same-away'))
  symlinkSync('../private', join(folder.root, 'same'))
  expect((await ask(served.port, '/same/f')).status).toBe(404)
})

test('a folder moved out of the root, with a link left in its place, is outside within a second', async () => {
  folder.write('moving/f', 'inside')
  await new Promise((resolve) => setTimeout(resolve, 2100))
  expect((await ask(served.port, '/moving/f')).status).toBe(200)
  renameSync(join(folder.root, 'moving'), join(folder.outside, 'moved'))
  symlinkSync('../private/moved', join(folder.root, 'moving'))
  await new Promise((resolve) => setTimeout(resolve, 1050))
  expect((await ask(served.port, '/moving/f')).status).toBe(404)
})

test('swapped all the time: what is sent is from inside', async () => {
  const inner = join(folder.root, 'race')
  folder.write('race/a.txt', 'inside')
  symlinkSync('../private', join(folder.root, 'race-link'))
  let on = true
  const swapping = (async () => {
    while (on) {
      renameSync(inner, `${inner}-away`)
      renameSync(`${inner}-link`, inner)
      await new Promise((resolve) => setImmediate(resolve))
      renameSync(inner, `${inner}-link`)
      renameSync(`${inner}-away`, inner)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const seen = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const answer = await ask(served.port, '/race/a.txt')
    seen.add(`${answer.status}`)
    if (answer.status === 200) expect(answer.body.toString()).toBe('inside')
  }
  on = false
  await swapping
  expect([...seen].every((status) => status === '200' || status === '404')).toBe(true)
})

test('no descriptor is left open', async () => {
  if (process.platform !== 'linux') return
  const before = readdirSync('/proc/self/fd').length
  for (const path of ['/a.txt', '/out', '/sub/', '/', '/outdir/secret', '/nothing']) {
    for (let i = 0; i < 10; i++) await ask(served.port, path)
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 2)
})
