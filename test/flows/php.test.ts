/** PHP sites over the real php-fpm and the real php-cgi: what scripts are told, and what visitors get. */
import { createHash, randomBytes } from 'node:crypto'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT, servePhp } from './support/php.ts'
import type { Portico } from './support/portico.ts'
import { ask, Visitor } from './support/visitor.ts'

const MB = 1_048_576
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const FILES = {
  'www/index.php': CONTRACT,
  'www/contract.php': CONTRACT,
  'www/page.html': '<p>page</p>',
  'www/style.css': 'p {}',
  'www/photo.jpg': '<?php echo "a picture that runs";',
  'www/config.inc': '<?php $secret = 1;',
  'www/old.php.bak': '<?php $secret = 2;',
  'www/.env': 'SECRET=3',
  'www/.git/config': 'secret',
  'www/admin/index.php': '<?php echo "admin ", $_SERVER["PHP_SELF"];',
  'www/uploads/evil.php': '<?php echo "evil";',
  'www/uploads/cat.jpg': 'cat',
  'www/plain/page.txt': 'text',
  'outside.php': '<?php echo "outside";',
}

const APP = `no-scripts: [uploads]
ini: { memory_limit: 32M, upload_max_filesize: 64M, post_max_size: 64M }
env: { COLOUR: "dark red" }
`

const PHPS = [
  ['php-fpm', APP],
  [
    'php-cgi',
    `interpreter: php-cgi
${APP}`,
  ],
] as const

describe.each(PHPS)('%s', (name, app) => {
  let portico: Portico
  let port = 0
  beforeAll(async () => {
    portico = await servePhp(FILES, { app })
    symlinkSync('../outside.php', join(portico.folder, 'www/link.php'))
    symlinkSync('photo.jpg', join(portico.folder, 'www/alias.php'))
    symlinkSync('contract.php', join(portico.folder, 'www/alias.txt'))
    port = portico.port
  })
  afterAll(() => portico?.[Symbol.asyncDispose]())

  const server = async (path: string): Promise<Record<string, string>> => {
    const { text } = await ask(port, path)
    return JSON.parse(text)
  }

  test('status tells its version and its workers', async () => {
    const { apps } = await portico.status()
    expect(apps.blog).toMatchObject({ state: 'running', restarts: 0, connected: 2 })
    expect(apps.blog?.version).toMatch(name === 'php-fpm' ? /^PHP .*fpm/ : /^PHP .*cgi/)
    expect(apps.blog?.workers).toHaveLength(2)
    for (const { pid } of apps.blog?.workers ?? []) expect(pid).toBeGreaterThan(1)
  })

  test('no spelling of a field is taken for another one', async () => {
    const fields = {
      'X.Groups': 'admin',
      X_Groups: 'admin',
      'X.Forwarded.For': '1.2.3.4',
      'X-A': 'b',
    }
    const { text } = await ask(port, '/contract.php?do=server', { fields })
    const told: Record<string, string> = JSON.parse(text)
    expect(Object.keys(told).filter((key) => key.startsWith('HTTP_X_'))).toEqual(['HTTP_X_A'])
  })

  test('what a script is told', async () => {
    const www = join(portico.folder, 'www')
    expect(await server('/contract.php?do=server&a=%20b')).toMatchObject({
      SCRIPT_FILENAME: join(www, 'contract.php'),
      SCRIPT_NAME: '/contract.php',
      PHP_SELF: '/contract.php',
      DOCUMENT_ROOT: www,
      REQUEST_URI: '/contract.php?do=server&a=%20b',
      QUERY_STRING: 'do=server&a=%20b',
      REQUEST_METHOD: 'GET',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'localhost',
      REMOTE_ADDR: '127.0.0.1',
      GATEWAY_INTERFACE: 'CGI/1.1',
      file: join(www, 'contract.php'),
    })
    expect(await server('/contract.php/a/b%20c?do=server')).toMatchObject({
      SCRIPT_NAME: '/contract.php',
      PATH_INFO: '/a/b c',
      PATH_TRANSLATED: join(www, '/a/b c'),
      PHP_SELF: '/contract.php/a/b c',
    })
    expect(await server('/blog/contract.php/x?do=server')).toMatchObject({
      SCRIPT_FILENAME: join(www, 'contract.php'),
      SCRIPT_NAME: '/blog/contract.php',
      PATH_INFO: '/x',
      DOCUMENT_ROOT: www,
      REQUEST_URI: '/blog/contract.php/x?do=server',
    })
    const pretty = await server('/2026/11/hello-world/?do=server')
    expect(pretty).toMatchObject({
      SCRIPT_FILENAME: join(www, 'index.php'),
      SCRIPT_NAME: '/index.php',
      PHP_SELF: '/index.php',
      REQUEST_URI: '/2026/11/hello-world/?do=server',
    })
    expect(pretty.PATH_INFO ?? '').toBe('')
    expect(await server('/blog/2026/?do=server')).toMatchObject({ SCRIPT_NAME: '/blog/index.php' })
  })

  test('its environment, its settings, its process', async () => {
    const environment = await server('/?do=environment')
    expect(environment.COLOUR).toBe('dark red')
    expect((await ask(port, '/?do=ini&name=memory_limit')).text).toBe('32M')
    expect((await ask(port, '/?do=ini&name=opcache.enable')).text).toBe('1')
    expect((await ask(port, '/?do=ini&name=display_errors')).text).toMatch(/^0?$/)
    const [pid, uid] = (await ask(port, '/?do=ids')).text.split(' ')
    const { apps } = await portico.status()
    expect(apps.blog?.workers.map((worker) => String(worker.pid))).toContain(pid)
    expect(Number(uid)).toBeGreaterThan(0)
  })

  test('forms, uploads and raw bodies, of known and of unknown length', async () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const posted = await ask(port, '/?do=post', { fields: form, body: 'a=1&b%5B%5D=2' })
    expect(JSON.parse(posted.text)).toMatchObject({ post: { a: '1', b: ['2'] }, length: '13' })

    const file = randomBytes(24 * MB)
    const edge = 'xxyyzz'
    const body = Buffer.concat([
      Buffer.from(
        `--${edge}\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n`,
      ),
      file,
      Buffer.from(`\r\n--${edge}--\r\n`),
    ])
    const fields = { 'Content-Type': `multipart/form-data; boundary=${edge}` }
    const uploaded = await ask(port, '/?do=post', { fields, body })
    expect(JSON.parse(uploaded.text).files).toEqual({ f: ['a.bin', file.length, sha256(file)] })

    using visitor = await Visitor.to(port)
    visitor.send('POST /?do=raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let at = 0; at < 8; at++) {
      visitor
        .send(`20000\r\n`)
        .send(file.subarray(at * 131_072, (at + 1) * 131_072))
        .send('\r\n')
    }
    visitor.send('0\r\n\r\n')
    expect((await visitor.reply('POST')).text).toBe(sha256(file.subarray(0, MB)))
  })

  test('statuses, HEAD, sessions', async () => {
    const gone = await ask(port, '/?do=status&code=410')
    expect(gone).toMatchObject({ status: 410, text: 'status', fields: { 'x-was-here': 'yes' } })
    const head = await ask(port, '/contract.php', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, text: '' })
    const first = await ask(port, '/?do=session')
    const Cookie = first.fields['set-cookie']?.split(';')[0] ?? ''
    expect(first.text).toBe('1')
    expect((await ask(port, '/?do=session', { fields: { Cookie } })).text).toBe('2')
  })

  test('10 MB of answer, and an answer in pieces', async () => {
    const large = await ask(port, '/?do=large')
    expect(large.body.length).toBe(160 * 65_536)
    expect(large.text.slice(-3)).toBe('ddd')
    const pieces = await ask(port, '/?do=stream')
    expect(pieces.text).toBe('0;1;2;3;')
    const [first = 0, , , last = 0] = pieces.chunks
    expect(last - first).toBeGreaterThan(500)
  })

  test('files are sent as they are', async () => {
    expect(await ask(port, '/style.css')).toMatchObject({
      status: 200,
      text: 'p {}',
      fields: { 'content-type': 'text/css; charset=utf-8' },
    })
    expect((await ask(port, '/blog/page.html')).text).toBe('<p>page</p>')
    expect((await ask(port, '/photo.jpg')).text).toContain('<?php')
    expect(await ask(port, '/style.css', { method: 'POST', body: 'a' })).toMatchObject({
      status: 405,
    })
  })

  test('folders', async () => {
    expect(await ask(port, '/admin?a')).toMatchObject({
      status: 301,
      fields: { location: '/admin/?a' },
    })
    expect((await ask(port, '/blog/admin/')).text).toBe('admin /blog/admin/index.php')
    // Without an index, the front controller has it.
    expect((await ask(port, '/plain/')).text).toBe('contract GET /plain/')
  })

  test.each([
    ['/config.inc', 403],
    ['/old.php.bak', 403],
    ['/alias.txt', 403],
    ['/.env', 404],
    ['/.git/config', 404],
    ['/.git/', 404],
    ['/blog/.env', 404],
    ['/link.php', 404],
    ['/alias.php', 403],
    ['/uploads/evil.php', 403],
    ['/uploads/evil.php/x', 403],
    ['/uploads/%65vil%2Ephp', 403],
    ['/plain/../uploads/evil.php', 403],
    ['/plain/%2e%2e/uploads/evil.php', 403],
    ['/style.css/.php', 404],
    ['//uploads/evil.php', 403],
    ['/blog/uploads/evil.php', 403],
    ['/../outside.php', 400],
    ['/%2e%2e/outside.php', 400],
    ['/contract.php%00.jpg', 400],
  ])('%s: %d', async (path, status) => {
    const reply = await ask(port, path)
    expect(reply.status).toBe(status)
    expect(reply.text).not.toMatch(/secret|evil|outside|<\?php/)
  })

  test.each([
    '/photo.jpg/x.php',
    '/photo.jpg%2Fx.php',
    '/CONTRACT.PHP',
    '/contract.php.',
    '/contract.php%20',
    '/contract.phpx',
    '/contract.ph%70%5c..%5cphoto.jpg',
    '/uploads/none.php',
    `/${'long-'.repeat(100)}`,
  ])('%s is for the front controller', async (path) => {
    expect((await ask(port, path)).text).toBe(`contract GET ${path}`)
  })

  test('dots between slashes are resolved before the front controller sees them', async () => {
    const { text } = await ask(port, '/plain//..//uploads//evil.php')
    expect(text).toBe('contract GET /plain//uploads//evil.php')
  })

  test('what goes wrong is in the log, and 500', async () => {
    expect(await ask(port, '/?do=error')).toMatchObject({ status: 500 })
    const line = await portico.logged(/PHP Fatal error: .*it broke/)
    expect(line).toMatchObject({ level: 'error', app: 'blog' })
    await portico.logged(/^#0 .*failing\(\)/)
    expect((await ask(port, '/?do=warning')).text).toBe('before  after')
    expect(await portico.logged(/PHP Warning: .*undefined/i)).toMatchObject({ level: 'warn' })
    expect((await ask(port, '/?do=log')).text).toBe('logged')
    expect(await portico.logged(/^a line of the log$/)).toMatchObject({
      level: 'info',
      app: 'blog',
    })
    await portico.logged(/^and another$/)
    await portico.logged(/^straight to stderr$/)
    expect(await ask(port, '/?do=memory')).toMatchObject({ status: 500 })
    await portico.logged(/Allowed memory size of 33554432 bytes exhausted/)
  })
})
