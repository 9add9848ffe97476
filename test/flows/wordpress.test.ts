/** WordPress as people use it: installed in the browser, a log-in, an upload, pretty links. */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { MariaDb } from './support/mariadb.ts'
import { USER } from './support/php.ts'
import { Portico } from './support/portico.ts'

/** Debian's package. It is made of links, which lead out of it. */
const PACKAGE = '/usr/share/wordpress'
const PASSWORD = 'a secret of tests'
const www = mkdtempSync(join(tmpdir(), 'portico-flow-wordpress-'))

let db: MariaDb
let portico: Portico
let browser: Browser

beforeAll(async () => {
  db = await MariaDb.with('wordpress')
  cpSync(PACKAGE, www, {
    recursive: true,
    dereference: true,
    filter: (path) => !/\/wp-content\/languages$|\/\.htaccess$/.test(path),
  })
  writeFileSync(join(www, 'wp-config.php'), config(db.socket))
  const uploads = join(www, 'wp-content/uploads')
  mkdirSync(uploads, { recursive: true })
  chmodSync(www, 0o755)
  if (USER !== '') execFileSync('chown', ['-R', 'www-data', uploads])
  portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
${USER}
routes: { /: { app: blog } }
apps: { blog: { php: ${www}, workers: 4 } }
`,
  })
  await portico.settled()
  browser = new Browser(portico.port)
}, 120_000)

afterAll(async () => {
  browser?.[Symbol.dispose]()
  await portico?.[Symbol.asyncDispose]()
  await db?.[Symbol.asyncDispose]()
  rmSync(www, { recursive: true, force: true })
})

function config(socket: string): string {
  return `<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:${socket}');
define('DB_CHARSET', 'utf8mb4');
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
`
}

/** A picture of one colour. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(type), data])
    const sizes = Buffer.alloc(8)
    sizes.writeUInt32BE(data.length)
    sizes.writeUInt32BE(crc32(named), 4)
    return Buffer.concat([sizes.subarray(0, 4), named, sizes.subarray(4)])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([8, 2], 8)
  const rows = Buffer.alloc((width * 3 + 1) * height, 0)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

test('it is installed in the browser', async () => {
  const first = await browser.get('/')
  expect(first).toMatchObject({ status: 302 })
  expect(first.fields.location).toMatch(/\/wp-admin\/install\.php$/)
  const form = await browser.get(first.fields.location ?? '')
  expect(form.text).toContain('weblog_title')
  const done = await browser.post('/wp-admin/install.php?step=2', {
    weblog_title: 'A flow of tests',
    user_name: 'ada',
    admin_password: PASSWORD,
    admin_password2: PASSWORD,
    pw_weak: '1',
    admin_email: 'ada@example.com',
    blog_public: '0',
    language: '',
  })
  expect(done.text).toContain('Success!')
}, 60_000)

test('its front page, its style sheets, its pretty links', async () => {
  const front = await browser.get('/')
  expect(front).toMatchObject({ status: 200 })
  expect(front.text).toContain('<title>A flow of tests')
  expect(front.text).toContain('Hello world!')
  expect(await browser.get('/wp-includes/css/dashicons.min.css')).toMatchObject({
    status: 200,
    fields: { 'content-type': 'text/css; charset=utf-8' },
  })
  expect(await browser.get('/wp-includes/js/wp-embed.min.js')).toMatchObject({ status: 200 })
  // WordPress has tried whether they work, and found that they do.
  const link = /href="(http[^"]+\/\d{4}\/\d\d\/\d\d\/hello-world\/)"/.exec(front.text)?.[1] ?? ''
  expect(link).not.toBe('')
  expect(link).not.toContain('index.php')
  expect((await browser.get(link)).text).toContain('Welcome to WordPress')
  expect(await browser.get('/sample-page/')).toMatchObject({ status: 200 })
  expect(await browser.get('/no-such-page/')).toMatchObject({ status: 404 })
  expect((await browser.get('/feed/')).text).toContain('<rss')
}, 30_000)

test('its REST interface', async () => {
  const index = await browser.get('/wp-json/')
  expect(index.fields['content-type']).toContain('application/json')
  expect(JSON.parse(index.text).name).toBe('A flow of tests')
  const posts = JSON.parse((await browser.get('/wp-json/wp/v2/posts')).text)
  expect(posts).toMatchObject([{ slug: 'hello-world' }])
}, 30_000)

test('the administrator logs in and uploads a picture', async () => {
  expect(await browser.get('/wp-admin/')).toMatchObject({ status: 302 })
  await browser.get('/wp-login.php')
  const login = { log: 'ada', redirect_to: '/wp-admin/', testcookie: '1' }
  const wrong = await browser.post('/wp-login.php', { ...login, pwd: 'guess' })
  expect(wrong.text).toContain('login_error')
  const right = await browser.post('/wp-login.php', { ...login, pwd: PASSWORD })
  expect(right).toMatchObject({ status: 302 })
  expect((await browser.get('/wp-admin/')).text).toContain('Dashboard')

  const page = await browser.get('/wp-admin/media-new.php')
  const nonce = /"_wpnonce":"(\w+)"/.exec(page.text)?.[1] ?? ''
  expect(nonce).not.toBe('')
  const form = { name: 'cat.png', action: 'upload-attachment', _wpnonce: nonce }
  const picture = { field: 'async-upload', name: 'cat.png', type: 'image/png' }
  const answer = await browser.upload('/wp-admin/async-upload.php', form, picture, png(400, 300))
  const { success, data } = JSON.parse(answer.text)
  expect(success).toBe(true)
  const { url, sizes } = data
  expect(await browser.get(url)).toMatchObject({
    status: 200,
    fields: { 'content-type': 'image/png' },
  })
  const thumbnail = await browser.get(sizes.thumbnail.url)
  expect(thumbnail).toMatchObject({ status: 200, fields: { 'content-type': 'image/png' } })
  expect(thumbnail.body.readUInt32BE(16)).toBe(150)

  // What gets there by another way is not run either.
  const name = url.replace(/^http:\/\/[^/]+/, '').replace('cat.png', 'evil.php')
  writeFileSync(join(www, name), '<?php echo "evil";')
  for (const path of [name, `${name}/cat.png`, name.replace('evil', '%65vil')]) {
    const evil = await browser.get(path)
    expect(evil.status).toBe(403)
    expect(evil.text).not.toContain('evil"')
  }
}, 60_000)

test('what nobody shall see', async () => {
  expect(await browser.get('/wp-config.php')).toMatchObject({ status: 200, text: '' })
  expect(await browser.get('/.htaccess')).toMatchObject({ status: 404 })
  for (const line of portico.log) expect(line.message).not.toMatch(/PHP (Fatal|Parse)/)
})
