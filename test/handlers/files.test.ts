import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { files } from '../../src/handlers/files.ts'
import type { FilesPlan, RouteMatch } from '../../src/site/plan.ts'
import { type Answer, ask } from './ask.ts'
import { Folder, filesPlan } from './folder.ts'
import { type Served, serve } from './serve.ts'

let folder: Folder
let served: Served | null

beforeEach(() => {
  folder = new Folder()
  served = null
})
afterEach(() => {
  served?.close()
  folder.remove()
})

async function start(more: Partial<FilesPlan> = {}, match?: RouteMatch): Promise<void> {
  served = await serve(files(filesPlan(folder.root, more)), match)
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return ask(served!.port, path, headers, method)
}

/** The status and text of an answer. */
async function look(path: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await get(path, headers)
  return `${answer.status} ${answer.body}`
}

describe('a file', () => {
  test('has a type, validators and its bytes, from disk and from memory', async () => {
    folder.write('a.css', 'body{}')
    await start({ cacheSeconds: 3600 })
    for (let i = 0; i < 3; i++) {
      const answer = await get('/a.css')
      expect(answer.status).toBe(200)
      expect(answer.body.toString()).toBe('body{}')
      expect(answer.headers['content-type']).toBe('text/css; charset=utf-8')
      expect(answer.headers['content-length']).toBe('6')
      expect(answer.headers.etag).toMatch(/^"[0-9a-f]+-6"$/)
      expect(Date.parse(String(answer.headers['last-modified']))).toBeLessThan(Date.now())
      expect(answer.headers['cache-control']).toBe('max-age=3600')
      expect(answer.headers['accept-ranges']).toBe('bytes')
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
      expect(answer.headers.vary).toBeUndefined()
      const head = await get('/a.css', {}, 'HEAD')
      expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '6', 0])
    }
  })

  test.each([0, 1, 65_536, 65_537, 262_144, 262_145, 393_216, 1_000_000, 9_000_000])(
    'of %d bytes comes whole, and so do its ends',
    async (size) => {
      const content = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz0123456789/')
      folder.write('f.bin', content)
      await start()
      const whole = await get('/f.bin')
      expect(whole.headers['content-length']).toBe(String(size))
      expect(whole.body.equals(content)).toBe(true)
      const head = await get('/f.bin', {}, 'HEAD')
      expect([head.headers['content-length'], head.body.length]).toEqual([String(size), 0])
      if (size < 10) return
      const end = await get('/f.bin', { Range: 'bytes=-5' })
      expect(end.headers['content-range']).toBe(`bytes ${size - 5}-${size - 1}/${size}`)
      expect(end.body.equals(content.subarray(-5))).toBe(true)
      const rest = await get('/f.bin', { Range: 'bytes=3-' })
      expect(rest.body.equals(content.subarray(3))).toBe(true)
    },
  )

  test('is not sent again to who has it', async () => {
    for (const [name, size] of [
      ['small', 10],
      ['large', 300_000],
    ] as const) {
      folder.write(name, Buffer.alloc(size))
      await start({ cacheSeconds: 60 })
      const { headers } = await get(`/${name}`)
      for (const condition of [
        { 'If-None-Match': String(headers.etag) },
        { 'If-Modified-Since': String(headers['last-modified']) },
      ]) {
        for (const method of ['GET', 'HEAD']) {
          const answer = await get(`/${name}`, condition, method)
          expect([answer.status, answer.body.length]).toEqual([304, 0])
          expect(answer.headers.etag).toBe(headers.etag)
          expect(answer.headers['cache-control']).toBe('max-age=60')
          expect(answer.headers['content-type']).toBeUndefined()
        }
      }
      expect((await get(`/${name}`, { 'If-Match': '"other"' })).status).toBe(412)
      const stale = { Range: 'bytes=0-1', 'If-Range': '"other"' }
      expect((await get(`/${name}`, stale)).status).toBe(200)
      const current = { Range: 'bytes=0-1', 'If-Range': String(headers.etag) }
      expect((await get(`/${name}`, current)).status).toBe(206)
      served?.close()
    }
  })

  test('ranges outside of it are 416, and HEAD knows no ranges', async () => {
    folder.write('f', '0123456789')
    await start()
    const answer = await get('/f', { Range: 'bytes=10-' })
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */10'])
    expect((await get('/f', { Range: 'bytes=0-1' }, 'HEAD')).status).toBe(200)
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is not allowed', async (method) => {
    folder.write('f', 'x')
    await start()
    const answer = await get('/f', {}, method)
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  test('OPTIONS tells the methods', async () => {
    await start()
    const answer = await get('/f', {}, 'OPTIONS')
    expect([answer.status, answer.headers.allow]).toEqual([204, 'GET, HEAD, OPTIONS'])
  })

  test('may have any name that the file system takes', async () => {
    const names = [
      'a b',
      'ü',
      '日本',
      '%41',
      'a+b',
      'q?x=1',
      '#',
      '"<&>\'',
      'a\\b',
      '~',
      'x'.repeat(255),
    ]
    for (const name of names) folder.write(name, name)
    await start({ list: true })
    for (const name of names) {
      const answer = await get(`/${encodeURIComponent(name)}`)
      expect(answer.body.toString()).toBe(name)
    }
    // A name that is no UTF-8.
    writeFileSync(
      Buffer.concat([Buffer.from(`${folder.root}/`), Buffer.from([0xff, 0xfe])]),
      'bytes',
    )
    expect(await look('/%FF%FE')).toBe('200 bytes')
    expect(await look('/')).toContain('href="./%FF%FE"')
    expect(await look('/A')).toMatch(/^404/)
    expect(await look(`/${'x'.repeat(256)}`)).toMatch(/^404/)
    expect(await look(`/${'x/'.repeat(3000)}y`)).toMatch(/^404/)
  })
})

describe('what changes shows at once', () => {
  test('edited in place, replaced, gone, and back', async () => {
    const path = folder.write('f', 'one')
    await start()
    for (let i = 0; i < 3; i++) expect(await look('/f')).toBe('200 one')
    for (let i = 0; i < 50; i++) {
      writeFileSync(path, String(i).padStart(3, '0'))
      expect(await look('/f')).toBe(`200 ${String(i).padStart(3, '0')}`)
    }
    renameSync(folder.write('g', 'six'), path)
    expect(await look('/f')).toBe('200 six')
    expect(await look('/f')).toBe('200 six')
    rmSync(path)
    expect(await look('/f')).toMatch(/^404/)
    folder.write('f', 'two')
    expect(await look('/f')).toBe('200 two')
  })

  test('a file changed a moment ago has a weak tag, which is no licence for ranges', async () => {
    folder.write('f', '0123456789', 0)
    await start()
    const { headers } = await get('/f')
    expect(headers.etag).toMatch(/^W\//)
    const answer = await get('/f', { Range: 'bytes=0-1', 'If-Range': String(headers.etag) })
    expect(answer.status).toBe(200)
    expect((await get('/f', { 'If-None-Match': String(headers.etag) })).status).toBe(304)
  })

  test('a file from the future claims no Last-Modified', async () => {
    folder.write('f', 'x', -3600)
    await start()
    const { headers } = await get('/f')
    expect(headers['last-modified']).toBeUndefined()
    expect(headers.etag).toMatch(/^"/)
  })

  test('a release switched by a link', async () => {
    folder.write('1/f', 'one')
    folder.write('2/f', 'two')
    symlinkSync('1', join(folder.root, 'current'))
    served = await serve(files(filesPlan(join(folder.root, 'current'))))
    await settle()
    for (let i = 0; i < 3; i++) expect(await look('/f')).toBe('200 one')
    symlinkSync('2', join(folder.root, 'next'))
    renameSync(join(folder.root, 'next'), join(folder.root, 'current'))
    expect(await look('/f')).toBe('200 two')
  })
})

/** Until files written just now are old enough to be remembered. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2100))
}

describe('folders', () => {
  test('a slash is added, with the query and on this host', async () => {
    folder.write('a b/index.html', 'hi')
    folder.write('evil.example/index.html', 'hi')
    folder.write('\\evil/index.html', 'hi')
    await start()
    const answer = await get('/a%20b?x=1&y')
    expect([answer.status, answer.headers.location]).toEqual([301, '/a%20b/?x=1&y'])
    expect((await get('//evil.example')).headers.location).toBe('/evil.example/')
    expect((await get('/%2Fevil.example')).headers.location).toBe('/evil.example/')
    expect((await get('/%5Cevil')).headers.location).toBe('/%5Cevil/')
    expect(await look('/a%20b/')).toBe('200 hi')
  })

  test('the first index there is', async () => {
    folder.write('one/index.htm', 'htm')
    folder.write('two/index.htm', 'htm')
    folder.write('two/index.html', 'html')
    mkdirSync(join(folder.root, 'none'))
    await start({ index: ['index.html', 'index.htm'] })
    expect(await look('/one/')).toBe('200 htm')
    expect(await look('/two/')).toBe('200 html')
    expect(await look('/none/')).toMatch(/^404/)
    expect(await look('/two/index.html/')).toMatch(/^404/)
    expect((await get('/one/')).headers['content-type']).toBe('text/html; charset=utf-8')
  })

  test('the fallback answers for what is missing, not for what is hidden', async () => {
    folder.write('app.html', 'app')
    folder.write('.env', 'secret')
    mkdirSync(join(folder.root, 'empty'))
    await start({ fallback: 'app.html' })
    for (let i = 0; i < 2; i++) {
      expect(await look('/any/page')).toBe('200 app')
      expect(await look('/empty/')).toBe('200 app')
    }
    expect((await get('/any/page')).headers['content-type']).toBe('text/html; charset=utf-8')
    expect(await look('/.env')).toMatch(/^404/)
    folder.write('any/page', 'here now')
    expect(await look('/any/page')).toBe('200 here now')
  })

  test('a prefix route begins at its root', async () => {
    folder.write('a.css', 'a')
    folder.write('static/a.css', 'inner')
    await start({}, { kind: 'prefix', path: '/static/' })
    expect(await look('/static/a.css')).toBe('200 a')
    expect(await look('/static/static/a.css')).toBe('200 inner')
    expect(await look('/static//a.css')).toBe('200 a')
  })

  test('an exact route: the file of its name, or the very file', async () => {
    folder.write('favicon.ico', 'icon')
    await start({}, { kind: 'exact', path: '/favicon.ico' })
    expect(await look('/favicon.ico')).toBe('200 icon')
    served?.close()
    const root = folder.write('robots-production.txt', 'none')
    await start({ root }, { kind: 'exact', path: '/robots.txt' })
    expect(await look('/robots.txt')).toBe('200 none')
    expect((await get('/robots.txt')).headers['content-type']).toContain('text/plain')
  })

  test('a regular expression: the path below the root', async () => {
    folder.write('img/a.png', 'png')
    await start({}, { kind: 'regex', path: '\\.png$' })
    expect(await look('/img/a.png')).toBe('200 png')
  })

  test('a missing root is a 404', async () => {
    await start({ root: join(folder.root, 'nowhere') })
    expect(await look('/')).toMatch(/^404/)
  })
})

describe('a listing', () => {
  test('shows what would be served, escaped, folders first, numbers in order', async () => {
    for (const name of ['p10.txt', 'p9.txt', '<b>&".txt', '.hidden', 'a:b']) {
      folder.write(`dir/${name}`, 'x'.repeat(2000))
    }
    folder.write('dir/sub/f', '')
    writeFileSync(join(folder.outside, 'secret'), 'canary')
    symlinkSync(join(folder.outside, 'secret'), join(folder.root, 'dir/link-out'))
    symlinkSync('p9.txt', join(folder.root, 'dir/link-in'))
    symlinkSync('nowhere', join(folder.root, 'dir/broken'))
    execFileSync('mkfifo', [join(folder.root, 'dir/pipe')])
    await start({ list: true })
    const page = await get('/dir/', { Accept: 'text/html,*/*;q=0.8' })
    expect(page.status).toBe(200)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const text = page.body.toString()
    const hrefs = [...text.matchAll(/href="([^"]*)"/g)].map((match) => match[1])
    expect(hrefs).toEqual([
      '../',
      './sub/',
      './%3Cb%3E&#38;%22.txt',
      './a:b',
      './link-in',
      './p9.txt',
      './p10.txt',
    ])
    expect(text).not.toContain('<b>')
    expect(text).toContain('2.0 KB')
    expect(text).toContain('<h1>/dir/</h1>')
    const json = await get('/dir/', { Accept: 'application/json' })
    expect(json.headers['content-type']).toBe('application/json')
    const entries = JSON.parse(json.body.toString())
    expect(entries.map((entry: { name: string }) => entry.name)).toEqual([
      'sub',
      '<b>&".txt',
      'a:b',
      'link-in',
      'p9.txt',
      'p10.txt',
    ])
    expect(entries[4]).toMatchObject({ type: 'file', size: 2000 })
    expect(entries[0]).toMatchObject({ type: 'directory' })
    expect(await look('/')).not.toContain('"../"')
    const head = await get('/dir/', {}, 'HEAD')
    expect([head.status, head.body.length]).toEqual([200, 0])
  })

  test('an index goes before it, and a slash is added first', async () => {
    folder.write('dir/index.html', 'index')
    await start({ list: true })
    expect(await look('/dir/')).toBe('200 index')
    expect((await get('/dir')).status).toBe(301)
  })

  test('is bounded', async () => {
    mkdirSync(join(folder.root, 'many'))
    for (let i = 0; i < 10_005; i++) writeFileSync(join(folder.root, 'many', String(i)), '')
    await start({ list: true })
    const json = await get('/many/', { Accept: 'application/json' })
    expect(JSON.parse(json.body.toString())).toHaveLength(10_000)
    expect(await look('/many/')).toContain('Only the first 10000')
  })
})

describe('compressed beforehand', () => {
  test('the liked coding, with a tag of its own, and Vary on all', async () => {
    folder.write('a.js', 'plain'.repeat(60_000))
    folder.write('a.js.gz', 'gzipped', 3599)
    folder.write('a.js.br', 'brotli', 3599)
    folder.write('b.js', 'plain')
    await start()
    const tags = new Set()
    for (const [accept, coding, text] of [
      ['gzip', 'gzip', 'gzipped'],
      ['gzip, br', 'br', 'brotli'],
      ['zstd, identity', undefined, 'plain'.repeat(60_000)],
    ] as const) {
      for (let i = 0; i < 2; i++) {
        const answer = await get('/a.js', { 'Accept-Encoding': accept })
        expect(answer.headers['content-encoding']).toBe(coding)
        expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8')
        expect(answer.headers.vary).toBe('Accept-Encoding')
        expect(answer.body.toString()).toBe(text)
        tags.add(answer.headers.etag)
        const tag = { 'Accept-Encoding': accept, 'If-None-Match': String(answer.headers.etag) }
        const known = await get('/a.js', tag)
        expect([known.status, known.headers.vary]).toEqual([304, 'Accept-Encoding'])
      }
    }
    expect(tags.size).toBe(3)
    const part = await get('/a.js', { 'Accept-Encoding': 'gzip', Range: 'bytes=0-3' })
    expect([part.status, part.body.toString(), part.headers['content-encoding']]).toEqual([
      206,
      'gzip',
      'gzip',
    ])
    const other = await get('/b.js', { 'Accept-Encoding': 'gzip, br' })
    expect(other.headers.vary).toBeUndefined()
    expect((await get('/a.js.gz')).headers['content-type']).toBe('application/gzip')
  })

  test('not when it is older, a link out of the root, or not wanted', async () => {
    folder.write('old', 'new text', 10)
    folder.write('old.gz', 'old text', 20)
    folder.write('out', 'inside')
    writeFileSync(join(folder.outside, 'secret'), 'canary')
    symlinkSync(join(folder.outside, 'secret'), join(folder.root, 'out.gz'))
    await start()
    expect(await look('/old', { 'Accept-Encoding': 'gzip' })).toBe('200 new text')
    expect(await look('/out', { 'Accept-Encoding': 'gzip' })).toBe('200 inside')
    served?.close()
    folder.write('old.gz', 'compressed', 10)
    await start({ precompressed: false })
    expect(await look('/old', { 'Accept-Encoding': 'gzip' })).toBe('200 new text')
  })

  test('edited: the text at once, the compressed form once it is made anew', async () => {
    folder.write('f', 'one', 100)
    folder.write('f.gz', 'gz1', 100)
    await start()
    const gzip = { 'Accept-Encoding': 'gzip' }
    expect(await look('/f', gzip)).toBe('200 gz1')
    folder.write('f', 'two', 50)
    expect(await look('/f', gzip)).toBe('200 two')
    folder.write('f.gz', 'gz2', 50)
    expect(await look('/f', gzip)).toBe('200 gz2')
    rmSync(join(folder.root, 'f.gz'))
    expect(await look('/f', gzip)).toBe('200 two')
  })

  test('remembered ones are looked at for every request', async () => {
    folder.write('f', 'one', 100)
    folder.write('f.gz', 'gz1', 100)
    await settle()
    await start()
    const gzip = { 'Accept-Encoding': 'gzip' }
    for (let i = 0; i < 3; i++) expect(await look('/f', gzip)).toBe('200 gz1')
    folder.write('f.gz', 'gz2', 90)
    expect(await look('/f', gzip)).toBe('200 gz2')
    await settle()
    for (let i = 0; i < 3; i++) expect(await look('/f', gzip)).toBe('200 gz2')
    rmSync(join(folder.root, 'f.gz'))
    expect(await look('/f', gzip)).toBe('200 one')
  })
})

describe('what is not a file to be read', () => {
  test('FIFOs, sockets and devices are refused without waiting', async () => {
    execFileSync('mkfifo', [join(folder.root, 'pipe')])
    await start()
    expect((await get('/pipe')).status).toBe(403)
    expect((await get('/pipe', {}, 'HEAD')).status).toBe(403)
  })

  test('a file without permission is 403', async () => {
    chmodSync(folder.write('f', 'x'), 0)
    folder.write('readable', 'x')
    await start()
    // Permissions mean nothing to root.
    const isRoot = process.geteuid?.() === 0
    if (isRoot) {
      chmodSync(dirname(folder.root), 0o755)
      process.seteuid?.('nobody')
    }
    try {
      expect((await get('/f')).status).toBe(403)
      expect((await get('/readable')).status).toBe(200)
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })

  test('a loop of links is 404', async () => {
    symlinkSync('b', join(folder.root, 'a'))
    symlinkSync('a', join(folder.root, 'b'))
    await start()
    expect((await get('/a')).status).toBe(404)
  })
})

test('a file that grows while it is sent ends where it was announced to', async () => {
  const path = folder.write('log', Buffer.alloc(8_000_000, 'a'))
  await start()
  const asked = get('/log')
  for (let i = 0; i < 20; i++) {
    appendFileSync(path, Buffer.alloc(100_000, 'b'))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const answer = await asked
  expect(answer.cut).toBe(false)
  expect(answer.body.length).toBe(Number(answer.headers['content-length']))
})

test('a modification time before 1970 does no harm', async () => {
  const path = folder.write('old', 'x')
  utimesSync(path, -1000, -1000)
  await start()
  expect(await look('/old')).toBe('200 x')
})
