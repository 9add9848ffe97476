/** Which files are sites of a farm, under which names, and whose are refused. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { frontSite, shareHosts } from '../../src/farm/front.ts'
import { findSites } from '../../src/farm/sites.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-farm-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function put(path: string, text = ''): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

const PATTERNS = ['apps.d/*.yaml', 'srv/*/site.yaml']

function names(): string[] {
  return findSites(PATTERNS, folder).map(({ name }) => name)
}

test('names come from files, or from the folders of files that are called like all others', () => {
  for (const path of [
    'apps.d/shop.yaml',
    'srv/blog/site.yaml',
    'srv/shop/site.yaml',
    'srv/x/y.yaml',
  ]) {
    put(path)
  }
  put('apps.d/front.yaml')
  put('apps.d/with space & more.yaml')
  mkdirSync(join(folder, 'apps.d/folder.yaml'))
  expect(names()).toEqual(['front-2', 'shop', 'with-space-more', 'blog', 'shop-2'])
})

test('a file that is written anew has another stamp', () => {
  const file = put('apps.d/shop.yaml', 'one')
  const [before] = findSites(PATTERNS, folder)
  rmSync(file)
  put('apps.d/shop.yaml', 'other')
  expect(findSites(PATTERNS, folder)[0]?.stamp).not.toBe(before?.stamp)
})

test('what others could have put there is refused, with the reason', () => {
  chmodSync(put('apps.d/open.yaml'), 0o666)
  chownSync(put('apps.d/own.yaml'), 5, 5)
  chownSync(put('secret/site.yaml'), 9, 9)
  symlinkSync(join(folder, 'secret/site.yaml'), join(folder, 'apps.d/link.yaml'))
  put('srv/stranger/site.yaml')
  put('elsewhere/site.yaml')
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'srv/linked'))
  lchownSync(join(folder, 'srv/linked'), 5, 5)
  chownSync(join(folder, 'srv/stranger'), 5, 5)
  const refused = findSites(PATTERNS, folder).map((site) => [site.name, site.refused])
  expect(Object.fromEntries(refused)).toEqual({
    link: 'a link to a file of somebody else',
    open: 'everybody may write it; `chmod o-w` it',
    own: '',
    stranger: 'its folder is neither its owner’s nor root’s',
  })
  const [linked] = findSites(['srv/linked/site.yaml'], folder)
  expect(linked?.refused).toBe(`somebody else’s link leads to it: ${join(folder, 'srv/linked')}`)
})

test('a host stays with the site that has it, for as long as it names it', () => {
  const site = (name: string, ...hosts: string[]) => ({ name, socket: '', hosts, running: true })
  const first = shareHosts([site('b', 'x.test', 'y.test')], new Map())
  expect([...first.owners]).toEqual([
    ['x.test', 'b'],
    ['y.test', 'b'],
  ])
  const second = shareHosts([site('a', 'x.test', 'y.test'), site('b', 'x.test')], first.owners)
  expect(Object.fromEntries(second.owners)).toEqual({ 'x.test': 'b', 'y.test': 'a' })
  expect(second.refused).toEqual([['x.test', 'a', 'b']])
})

test('a site that is away for a moment does not lose its hosts to another that names them', () => {
  const away = { name: 'bank', socket: '/b', hosts: ['bank.test'], running: false }
  const other = { name: 'evil', socket: '/e', hosts: ['bank.test'], running: true }
  const { owners } = shareHosts([other, away], new Map([['bank.test', 'bank']]))
  expect([...owners]).toEqual([['bank.test', 'bank']])
  const front = JSON.parse(frontSite([':80'], '', [other, away], owners))
  expect(front.hosts['bank.test']['~.*'].status).toBe(503)
  expect(Object.keys(front.pools)).toEqual(['evil'])
})
