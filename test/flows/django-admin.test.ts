/** Django's admin as people use it: its style sheets as files, CSRF, a log-in, data in SQLite. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { Portico, PYTHON } from './support/portico.ts'
import type { Reply } from './support/visitor.ts'

const STATIC = '/usr/lib/python3/dist-packages/django/contrib/admin/static/admin'
const APPS = new URL('../apps', import.meta.url).pathname
const data = mkdtempSync(join(tmpdir(), 'portico-flow-django-'))

const SITE = `
listen: "127.0.0.1:0"
routes:
  /: { app: django }
  /static/admin/: { files: ${STATIC}, cache: 1h }
apps:
  django: { python: django_app, dir: ${APPS}, interpreter: ${PYTHON}, workers: 2, env: { DJANGO_FOLDER: ${data} } }
`

let portico: Portico

/** Sends a form with the token that `page` holds. */
function submit(
  browser: Browser,
  path: string,
  page: Reply,
  form: Record<string, string>,
): Promise<Reply> {
  const [, token = ''] = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page.text) ?? []
  return browser.post(path, { csrfmiddlewaretoken: token, ...form })
}

beforeAll(async () => {
  portico = await Portico.serve({ 'site.yaml': SITE })
  await portico.settled()
})
afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  rmSync(data, { recursive: true })
})

test('log in, add somebody, find them in the database after a reload, log out', async () => {
  using browser = new Browser(portico.port, 'localhost')
  const sent = await browser.get('/admin/')
  expect(sent).toMatchObject({ status: 302, fields: { location: '/admin/login/?next=/admin/' } })
  const login = await browser.get('/admin/login/?next=/admin/')

  const sheet = /href="(\/static\/admin\/css\/base\.css)"/.exec(login.text)?.[1] ?? ''
  const css = await browser.get(sheet)
  expect(css).toMatchObject({ status: 200, fields: { 'content-type': 'text/css; charset=utf-8' } })
  expect(css.text).toContain('body')
  expect(css.fields['cache-control']).toContain('max-age=3600')

  const wrong = await submit(browser, '/admin/login/', login, {
    username: 'admin',
    password: 'guess',
  })
  expect(wrong).toMatchObject({ status: 200 })
  expect(wrong.text).toContain('errornote')
  const right = await submit(browser, '/admin/login/', login, {
    username: 'admin',
    password: 'a secret of tests',
    next: '/admin/',
  })
  expect(right).toMatchObject({ status: 302, fields: { location: '/admin/' } })
  expect(right.fields['set-cookie']).toMatch(/sessionid=/)
  expect((await browser.get('/admin/')).text).toContain('Site administration')

  const form = await browser.get('/admin/auth/user/add/')
  const added = await submit(browser, '/admin/auth/user/add/', form, {
    username: 'ada',
    password1: 'Engine-1843',
    password2: 'Engine-1843',
  })
  expect(added.status).toBe(302)
  expect(existsSync(join(data, 'db.sqlite3'))).toBe(true)

  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  expect((await browser.get('/admin/auth/user/')).text).toContain('>ada<')
  expect((await browser.get('/admin/auth/user/')).text).toContain('>ada<')

  expect(await submit(browser, '/admin/logout/', form, {})).toMatchObject({ status: 200 })
  expect(await browser.get('/admin/')).toMatchObject({ status: 302 })
})

test('a form without its token is refused', async () => {
  using browser = new Browser(portico.port, 'localhost')
  const login = await browser.get('/admin/login/')
  const forged = await submit(
    browser,
    '/admin/login/',
    { ...login, text: '' },
    { username: 'admin' },
  )
  expect(forged.status).toBe(403)
  expect(forged.text).toContain('CSRF')
})
