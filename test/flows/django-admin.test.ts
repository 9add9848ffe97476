/** Django's admin as people use it: its style sheets as files, CSRF, a log-in, data in SQLite. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico, PYTHON } from './support/portico.ts'
import { type Ask, type Reply, Visitor } from './support/visitor.ts'

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

/** A browser, as far as cookies and forms go. */
class Browser implements Disposable {
  #visitor: Visitor | null = null
  readonly #cookies = new Map<string, string>()

  async get(path: string, ask: Ask = {}): Promise<Reply> {
    const Cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    this.#visitor ??= await Visitor.to(portico.port)
    const reply = await this.#visitor.ask(path, { ...ask, fields: { ...ask.fields, Cookie } })
    if (reply.fields.connection === 'close') this[Symbol.dispose]()
    for (const line of reply.fields['set-cookie']?.split('\n') ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      this.#cookies.set(name, value)
    }
    return reply
  }

  /** Sends a form with the token that `page` holds. */
  post(path: string, page: Reply, form: Record<string, string>): Promise<Reply> {
    const [, token = ''] = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page.text) ?? []
    return this.get(path, {
      method: 'POST',
      fields: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ csrfmiddlewaretoken: token, ...form }).toString(),
    })
  }

  [Symbol.dispose](): void {
    this.#visitor?.leave()
    this.#visitor = null
  }
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
  using browser = new Browser()
  const sent = await browser.get('/admin/')
  expect(sent).toMatchObject({ status: 302, fields: { location: '/admin/login/?next=/admin/' } })
  const login = await browser.get('/admin/login/?next=/admin/')

  const sheet = /href="(\/static\/admin\/css\/base\.css)"/.exec(login.text)?.[1] ?? ''
  const css = await browser.get(sheet)
  expect(css).toMatchObject({ status: 200, fields: { 'content-type': 'text/css; charset=utf-8' } })
  expect(css.text).toContain('body')
  expect(css.fields['cache-control']).toContain('max-age=3600')

  const wrong = await browser.post('/admin/login/', login, { username: 'admin', password: 'guess' })
  expect(wrong).toMatchObject({ status: 200 })
  expect(wrong.text).toContain('errornote')
  const right = await browser.post('/admin/login/', login, {
    username: 'admin',
    password: 'a secret of tests',
    next: '/admin/',
  })
  expect(right).toMatchObject({ status: 302, fields: { location: '/admin/' } })
  expect(right.fields['set-cookie']).toMatch(/sessionid=/)
  expect((await browser.get('/admin/')).text).toContain('Site administration')

  const form = await browser.get('/admin/auth/user/add/')
  const added = await browser.post('/admin/auth/user/add/', form, {
    username: 'ada',
    password1: 'Engine-1843',
    password2: 'Engine-1843',
  })
  expect(added.status).toBe(302)
  expect(existsSync(join(data, 'db.sqlite3'))).toBe(true)

  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  expect((await browser.get('/admin/auth/user/')).text).toContain('>ada<')
  expect((await browser.get('/admin/auth/user/')).text).toContain('>ada<')

  expect(await browser.post('/admin/logout/', form, {})).toMatchObject({ status: 200 })
  expect(await browser.get('/admin/')).toMatchObject({ status: 302 })
})

test('a form without its token is refused', async () => {
  using browser = new Browser()
  const login = await browser.get('/admin/login/')
  const forged = await browser.post('/admin/login/', { ...login, text: '' }, { username: 'admin' })
  expect(forged.status).toBe(403)
  expect(forged.text).toContain('CSRF')
})
