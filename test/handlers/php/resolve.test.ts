/** What a path means in a PHP site, on a disk that is a table. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Disk,
  frontScript,
  isSource,
  type PhpSite,
  resolve,
} from '../../../src/handlers/php/resolve.ts'

const ROOT = '/srv/www'

/** Files by path; a value is what the path links to. */
const FILES: Readonly<Record<string, string>> = {
  '/srv/www/index.php': '',
  '/srv/www/info.php': '',
  '/srv/www/style.css': '',
  '/srv/www/photo.jpg': '',
  '/srv/www/config.inc': '',
  '/srv/www/wp-config.php.bak': '',
  '/srv/www/X.PHP': '',
  '/srv/www/.env': '',
  '/srv/www/.well-known/acme': '',
  '/srv/www/admin/index.php': '',
  '/srv/www/docs/index.html': '',
  '/srv/www/plain/a.txt': '',
  '/srv/www/lib.php/real.php': '',
  '/srv/www/lib.php/a.txt': '',
  '/srv/www/uploads/evil.php': '',
  '/srv/www/uploads/index.php': '',
  '/srv/www/uploads/index.html': '',
  '/srv/www/leak.php': '/srv/secret.php',
  '/srv/www/leak.txt': '/srv/www/info.php',
  '/srv/www/picture.php': '/srv/www/photo.jpg',
  '/srv/www/nice.php': '/srv/www/uploads/evil.php',
  '/srv/secret.php': '',
}

const folders = new Set<string>()
for (const path of Object.keys(FILES)) {
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    folders.add(path.slice(0, at))
  }
}

const disk: Disk = {
  kind: (path) => (path in FILES ? 'file' : folders.has(path) ? 'folder' : ''),
  real: (path) => (path in FILES ? FILES[path] || path : folders.has(path) ? path : ''),
}

const SITE: PhpSite = {
  root: ROOT,
  index: ['index.php', 'index.html'],
  front: 'index.php',
  noScripts: ['/srv/www/uploads/'],
}

const script = (file: string, name: string, info = '') => ({
  kind: 'script',
  file: ROOT + file,
  root: ROOT,
  name,
  info,
})

describe('resolve', () => {
  test.each([
    ['/', script('/index.php', '/index.php')],
    ['/info.php', script('/info.php', '/info.php')],
    ['//info.php', script('/info.php', '/info.php')],
    ['/info.php/', script('/info.php', '/info.php', '/')],
    ['/info.php/a//b.php/.c', script('/info.php', '/info.php', '/a//b.php/.c')],
    ['/lib.php/real.php/x', script('/lib.php/real.php', '/lib.php/real.php', '/x')],
    ['/lib.php/a.txt', { kind: 'file' }],
    ['/admin/', script('/admin/index.php', '/admin/index.php')],
    ['/admin', { kind: 'slash' }],
    ['/docs/', { kind: 'file' }],
    ['/docs', { kind: 'slash' }],
    ['/uploads/', { kind: 'file' }],
    ['/plain/', { kind: 'front' }],
    ['/plain', { kind: 'front' }],
    ['/style.css', { kind: 'file' }],
    ['/style.css/', { kind: 'front' }],
    ['/style.css/x.php', { kind: 'front' }],
    ['/photo.jpg/x.php', { kind: 'front' }],
    ['/photo.jpg/x.php/y', { kind: 'front' }],
    ['/none', { kind: 'front' }],
    ['/none.php', { kind: 'front' }],
    ['/none.php/info.php', { kind: 'front' }],
    ['/info.php.', { kind: 'front' }],
    ['/info.php ', { kind: 'front' }],
    ['/config.inc', { kind: 'forbidden' }],
    ['/wp-config.php.bak', { kind: 'forbidden' }],
    ['/X.PHP', { kind: 'forbidden' }],
    ['/leak.txt', { kind: 'forbidden' }],
    ['/picture.php', { kind: 'forbidden' }],
    ['/uploads/evil.php', { kind: 'forbidden' }],
    ['/uploads/evil.php/a.jpg', { kind: 'forbidden' }],
    ['/nice.php', { kind: 'forbidden' }],
    ['/leak.php', { kind: 'missing' }],
    ['/.env', { kind: 'missing' }],
    ['/plain/.git/x', { kind: 'missing' }],
    ['/.well-known/acme', { kind: 'file' }],
    ['/info.php\0.jpg', { kind: 'missing' }],
    ['*', { kind: 'missing' }],
  ])('%j', (path, found) => {
    expect(resolve(SITE, disk, path, '/')).toEqual(found)
  })

  test.each([
    ['/blog/info.php/x', '/blog/', script('/info.php', '/blog/info.php', '/x')],
    ['/blog/', '/blog/', script('/index.php', '/blog/index.php')],
    ['/info.php', '/info.php', script('/info.php', '/info.php')],
    ['/old/info.php', '/old/info.php', script('/info.php', '/old/info.php')],
    ['/info.php', '', script('/info.php', '/info.php')],
    ['/blogs/info.php', '/blog/', { kind: 'missing' }],
  ])('%s below %s', (path, prefix, found) => {
    expect(resolve(SITE, disk, path, prefix)).toEqual(found)
  })

  test('the front controller stands for any path, also below a prefix', () => {
    expect(frontScript(SITE, disk, '/2026/hello/', '/')).toEqual(script('/index.php', '/index.php'))
    expect(frontScript(SITE, disk, '/blog/2026', '/blog/')).toEqual(
      script('/index.php', '/blog/index.php'),
    )
    expect(frontScript({ ...SITE, front: '' }, disk, '/x', '/')).toEqual({ kind: 'missing' })
  })

  test('a deep path costs no more looks than it has segments that exist', () => {
    let looks = 0
    const counting: Disk = {
      kind: (path) => {
        looks++
        return disk.kind(path)
      },
      real: disk.real,
    }
    resolve(SITE, counting, '/a.php'.repeat(2000), '/')
    expect(looks).toBeLessThan(3)
  })

  test('whatever is asked for, only scripts run and no source is sent', () => {
    const segments = [...new Set(Object.keys(FILES).flatMap((path) => path.split('/').slice(3)))]
    const segment = fc.constantFrom(...segments, '', 'none', '.php', 'INFO.PHP', 'info.php ')
    const paths = fc.array(segment, { maxLength: 5 }).map((all) => `/${all.join('/')}`)
    fc.assert(
      fc.property(paths, (path) => {
        const found = resolve(SITE, disk, path, '/')
        if (found.kind === 'script') {
          expect(found.file.endsWith('.php')).toBe(true)
          expect(found.file.startsWith(`${ROOT}/`)).toBe(true)
          expect(found.file.startsWith(`${ROOT}/uploads/`)).toBe(false)
          expect(disk.kind(found.file)).toBe('file')
          const asked = path.replace(/\/+/g, '/')
          const told = (found.name + found.info).replace(/\/+/g, '/')
          expect([asked, `${asked}index.php`]).toContain(told)
        } else if (found.kind === 'file') {
          const target = ROOT + path.replace(/\/+/g, '/')
          const real = disk.real(target.endsWith('/') ? `${target}index.html` : target)
          expect(real).toMatch(/\.(?:css|jpg|txt|html)$|acme$/)
        }
      }),
    )
  })
})

test.each([
  'a.php',
  'a.PHP',
  'a.php5',
  'a.phtml',
  'a.phar',
  'a.pht',
  'a.phps',
  'a.inc',
  'a.php~',
  'a.php#',
  'a.php.bak',
  'a.php.swp',
  'a.php.orig',
  'a.php_old',
  'a.php-2',
  'a.php.',
  'a.php ',
  'a.php.gz',
  'a.inc.bak',
  'a.php.txt',
])('%j holds source', (name) => {
  expect(isSource(`/srv/${name}`)).toBe(true)
})

test.each([
  'a.txt',
  'php',
  'a.phpx',
  'a.php.html',
  'a.incl',
  'php.css',
  'a.include.js',
  'a.js.gz',
  'graph.png',
])('%j holds none', (name) => {
  expect(isSource(`/srv/${name}`)).toBe(false)
})
