/** Ruby over Rack behind the whole server: a bare application, Rack::Builder's middleware, Sinatra. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { APPS, Portico } from './support/portico.ts'
import { scriptAppSuite } from './support/script-app.ts'
import { ask } from './support/visitor.ts'

describe('a bare application', () => {
  scriptAppSuite({
    kind: 'rack',
    file: 'bridge.ru',
    answering: (text) => `run ->(_) { [200, { 'content-type' => 'text/plain' }, ['${text}']] }\n`,
    napping: /bridge\.ru:\d+:in [`'].*nap'/,
  })
})

describe('frameworks', () => {
  let portico: Portico
  let port: number
  beforeAll(async () => {
    portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
routes: { /sinatra/: { app: sinatra }, /checked/: { app: checked } }
apps:
  sinatra: { rack: ${APPS}/sinatra.ru, dir: ${APPS}, workers: 1 }
  checked: { rack: ${APPS}/checked.ru, dir: ${APPS}, workers: 1 }
`,
    })
    await portico.settled()
    port = portico.port
  }, 60_000)
  afterAll(() => portico[Symbol.asyncDispose]())

  test('Sinatra', async () => {
    const at = '/sinatra'
    expect(await ask(port, `${at}/`)).toMatchObject({ status: 200, text: 'Hello from sinatra' })
    const form = await ask(port, `${at}/form`, {
      fields: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'name=Gr%C3%A4tel+%26+Co',
    })
    expect(form).toMatchObject({ status: 200, text: 'name=Grätel & Co' })
    const upload = await ask(port, `${at}/upload`, {
      fields: { 'Content-Type': 'multipart/form-data; boundary=frontier' },
      body: `--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n${'x'.repeat(300_000)}\r\n--frontier--\r\n`,
    })
    expect(upload.text).toBe('a.txt 300000')
    const caf = await ask(port, `${at}/hello/caf%C3%A9%20au%20lait`)
    expect(caf).toMatchObject({ status: 200, text: 'hello café au lait' })
    const first = await ask(port, `${at}/count`)
    expect(first.text).toBe('1')
    const cookie = first.fields['set-cookie']?.split(';')[0] ?? ''
    expect((await ask(port, `${at}/count`, { fields: { Cookie: cookie } })).text).toBe('2')
    const there = (await ask(port, `${at}/redirect`)).fields.location
    expect(there).toMatch(new RegExp(`^(http://localhost)?${at}/$`))
    expect((await ask(port, `${at}/stream`)).text).toBe('0\n1\n2\n')
    const file = await ask(port, `${at}/file`)
    expect(file.text).toContain('require')
    expect((await ask(port, `${at}/nowhere`)).status).toBe(404)
    expect((await ask(port, `${at}/dies`)).status).toBe(500)
    expect((await ask(port, `${at}/`)).text).toBe('Hello from sinatra')
  })

  test('Rack::Lint has nothing to say; Rack::Chunked, Deflater and Files', async () => {
    expect((await ask(port, '/checked/')).text).toBe('checked')
    const posted = await ask(port, '/checked/echo', { body: 'x'.repeat(500_000) })
    expect(posted.text).toBe('500000')
    expect((await ask(port, '/checked/chunked')).text).toBe('0;1;2;')
    const packed = await ask(port, '/checked/packed', { fields: { 'Accept-Encoding': 'gzip' } })
    expect(packed.fields['content-encoding']).toBe('gzip')
    const fields = { Range: 'bytes=2-4' }
    const part = await ask(port, '/checked/files/sinatra.ru', { fields })
    expect(part).toMatchObject({ status: 206 })
    expect(part.body.length).toBe(3)
    expect((await ask(port, '/checked/files/sinatra.ru')).text).toContain('require')
    expect(portico.messages).not.toMatch(/LintError/)
  })
})
