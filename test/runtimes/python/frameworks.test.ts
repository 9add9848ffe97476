/** Debian's Flask, Django, Falcon, Bottle and Pyramid, each as it is and under `wsgiref.validate`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, RequestOptions, WorkerLink } from './link.ts'
import { Supervisor } from './supervisor.ts'

const FORM = 'application/x-www-form-urlencoded'
const boundary = 'portico'
const upload: RequestOptions = {
  method: 'POST',
  fields: { HTTP_HOST: 'localhost', CONTENT_TYPE: `multipart/form-data; boundary=${boundary}` },
  body: [
    `--${boundary}`,
    'Content-Disposition: form-data; name="name"',
    '',
    'Ada',
    `--${boundary}`,
    'Content-Disposition: form-data; name="upload"; filename="notes.txt"',
    '',
    'x'.repeat(10_000),
    `--${boundary}--`,
    '',
  ].join('\r\n'),
}
const uploaded = { name: 'Ada', file: 'notes.txt', bytes: 10_000 }

const modes = [1, 4].flatMap((threads) =>
  ['application', 'checked'].map((how) => ({ threads, how })),
)

function framework(
  name: string,
  scenario: (get: (path: string, options?: RequestOptions) => Promise<Answer>) => void,
): void {
  describe.each(modes)(`${name}, $threads threads, $how`, ({ threads, how }) => {
    let supervisor: Supervisor
    let worker: WorkerLink
    let folder: string
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'portico-framework-'))
      ;({ supervisor, worker } = await Supervisor.serving({
        threads,
        workers: 2,
        env: { DJANGO_FOLDER: folder },
        ...(how === 'checked'
          ? { module: 'checked', callable: `checked("${name}_app")` }
          : { module: `${name}_app` }),
      }))
    }, 30_000)
    afterAll(async () => {
      await supervisor.stop()
      rmSync(folder, { recursive: true })
      // The checker complains by AssertionError, about `close` only to stderr.
      expect(supervisor.log + supervisor.stderr).not.toContain('AssertionError')
      expect(supervisor.log).not.toContain('portico_worker')
    })
    scenario((path, options = {}) => worker.request({ path, ...options }))
  })
}

framework('flask', (get) => {
  test('answers', async () => {
    expect(await get('/')).toMatchObject({ status: 200, declared: 16, body: 'Hello from Flask' })
    expect(await get('/', { method: 'HEAD' })).toMatchObject({
      declared: 16,
      bytes: 0,
      failed: false,
    })
    expect(await get('/nowhere')).toMatchObject({ status: 404, failed: false })
    expect((await get('/caf\xc3\xa9')).body).toBe('caf\xc3\xa9')
  })
  test('takes an upload', async () => {
    expect(JSON.parse((await get('/form', upload)).body)).toEqual(uploaded)
  })
  test('streams', async () => {
    expect(await get('/stream')).toMatchObject({ body: '0\n1\n2\n3\n4\n', declared: -1 })
  })
  test('sends a file', async () => {
    expect(await get('/file')).toMatchObject({ status: 200, failed: false })
  })
  test('keeps a session', async () => {
    const first = await get('/cookie')
    const cookie = first.fields.find(([name]) => name === 'Set-Cookie')![1].split(';')[0]!
    expect((await get('/cookie', { fields: { HTTP_COOKIE: cookie } })).body).toBe('2')
  })
  test('answers its own errors', async () => {
    expect(await get('/error')).toMatchObject({ status: 500, failed: false })
  })
})

framework('bottle', (get) => {
  test('answers', async () => {
    expect(await get('/')).toMatchObject({ status: 200, body: 'Hello from Bottle' })
    expect(await get('/stream')).toMatchObject({ body: '0\n1\n2\n3\n4\n' })
    expect(await get('/missing')).toMatchObject({ status: 404, failed: false })
  })
  test('takes a form', async () => {
    const fields = { CONTENT_TYPE: FORM }
    const { body } = await get('/form', { method: 'POST', fields, body: 'name=Gr%C3%A4tel' })
    expect(JSON.parse(body)).toEqual({ name: 'Grätel' })
  })
})

framework('falcon', (get) => {
  test('answers', async () => {
    expect(await get('/')).toMatchObject({ status: 200, body: 'Hello from Falcon' })
    expect(await get('/stream')).toMatchObject({ declared: 6000, bytes: 6000, failed: false })
  })
  test('takes JSON', async () => {
    const fields = { CONTENT_TYPE: 'application/json' }
    const { body } = await get('/form', { method: 'POST', fields, body: '{"name":"Ada"}' })
    expect(JSON.parse(body)).toEqual({ name: 'Ada' })
  })
})

framework('pyramid', (get) => {
  test('answers', async () => {
    expect(await get('/')).toMatchObject({ status: 200, body: 'Hello from Pyramid' })
    expect(await get('/stream')).toMatchObject({ body: '0\n1\n2\n3\n4\n' })
  })
  test('takes a form', async () => {
    const fields = { CONTENT_TYPE: FORM }
    const { body } = await get('/form', { method: 'POST', fields, body: 'name=Ada' })
    expect(JSON.parse(body)).toEqual({ name: 'Ada' })
  })
})

framework('django', (get) => {
  test('answers', async () => {
    expect(await get('/')).toMatchObject({ status: 200, body: 'Hello from Django' })
    expect(await get('/stream')).toMatchObject({ body: '0\n1\n2\n3\n4\n' })
    expect(await get('/file')).toMatchObject({ status: 200, declared: 100_000, failed: false })
    expect(await get('/nowhere')).toMatchObject({ status: 404, failed: false })
  })
  test('takes an upload', async () => {
    expect(JSON.parse((await get('/form', upload)).body)).toEqual(uploaded)
  })
  test('shows its admin to who logs in', async () => {
    const login = await get('/admin/login/', { fields: { HTTP_HOST: 'localhost' } })
    const cookies = (answer: Answer): string[] =>
      answer.fields
        .filter(([name]) => name === 'Set-Cookie')
        .map(([, value]) => value.split(';')[0]!)
    const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(login.body)![1]!
    const form = new URLSearchParams({
      csrfmiddlewaretoken: token,
      username: 'admin',
      password: 'a secret of tests',
      next: '/admin/auth/user/',
    })
    const entered = await get('/admin/login/', {
      method: 'POST',
      fields: {
        HTTP_HOST: 'localhost',
        CONTENT_TYPE: FORM,
        HTTP_COOKIE: cookies(login).join('; '),
      },
      body: form.toString(),
    })
    expect(entered.status).toBe(302)
    const fields = { HTTP_HOST: 'localhost', HTTP_COOKIE: cookies(entered).join('; ') }
    const users = await get('/admin/auth/user/', { fields })
    expect(users).toMatchObject({ status: 200, failed: false })
    expect(users.body).toContain('admin@example.org')
  })
})

describe.each([1, 4])('the checker around the plain application, %i threads', (threads) => {
  test('finds nothing', async () => {
    const { supervisor, worker } = await Supervisor.serving({
      threads,
      module: 'checked',
      callable: 'checked("hello")',
    })
    for (const method of ['GET', 'POST', 'HEAD']) {
      const answer = await worker.request({ method, body: method === 'POST' ? 'abc' : '' })
      expect(answer).toMatchObject({ status: 200, failed: false, declared: 6 })
    }
    await supervisor.stop()
    expect(supervisor.log).not.toContain('Error')
  })
})
