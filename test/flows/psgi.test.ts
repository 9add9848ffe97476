/** Perl over PSGI behind the whole server: a bare application, middleware, Dancer2, Mojolicious. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { APPS, Portico } from './support/portico.ts'
import { scriptAppSuite } from './support/script-app.ts'
import { ask } from './support/visitor.ts'

describe('a bare application', () => {
  scriptAppSuite({
    kind: 'psgi',
    file: 'bridge.psgi',
    answering: (text) => `sub { [200, ['Content-Type' => 'text/plain'], ['${text}']] };\n`,
    napping: /File ".*bridge\.psgi", line \d+ in Doze::nap/,
  })
})

describe('frameworks', () => {
  let portico: Portico
  const names = ['builder', 'dancer', 'mojo'] as const
  beforeAll(async () => {
    portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
routes:
${names.map((name) => `  /${name}/: { app: ${name} }`).join('\n')}
apps:
${names.map((name) => `  ${name}: { psgi: ${APPS}/${name}.psgi, dir: ${APPS}, workers: 1 }`).join('\n')}
`,
    })
    await portico.settled()
  }, 60_000)
  afterAll(() => portico[Symbol.asyncDispose]())

  test('Plack::Builder: mounts, gzip, sessions, static files, a chunked body', async () => {
    const plain = await ask(portico.port, '/builder/')
    expect(plain).toMatchObject({ status: 200, text: 'Hello from builder\n' })
    expect(plain.fields['x-runtime']).toMatch(/^[\d.]+$/)
    expect((await ask(portico.port, '/builder/mounted/x')).text).toBe('/builder/mounted /x')
    const text = await ask(portico.port, '/builder/static/bridge.psgi')
    expect(text.text).toContain('Every way in which PSGI')
    expect((await ask(portico.port, '/builder/chunked')).text).toBe('0;1;2;')
    expect((await ask(portico.port, '/builder/dies')).status).toBe(500)
  })

  test.each(['dancer', 'mojo'])('%s', async (name) => {
    const at = `/${name}`
    expect(await ask(portico.port, `${at}/`)).toMatchObject({
      status: 200,
      text: `Hello from ${name}`,
    })
    const form = await ask(portico.port, `${at}/form`, {
      fields: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'name=Gr%C3%A4tel+%26+Co',
    })
    expect(form).toMatchObject({ status: 200, text: 'name=Grätel & Co' })
    // Under a mount point Mojolicious takes UTF-8 in paths for Latin-1, behind any server.
    const who = name === 'mojo' ? 'cup of tea' : 'café au lait'
    const hello = await ask(portico.port, `${at}/hello/${encodeURIComponent(who)}`)
    expect(hello).toMatchObject({ status: 200, text: `hello ${who}` })
    const first = await ask(portico.port, `${at}/count`)
    expect(first.text).toBe('1')
    const cookie = first.fields['set-cookie']?.split(';')[0] ?? ''
    expect((await ask(portico.port, `${at}/count`, { fields: { Cookie: cookie } })).text).toBe('2')
    const there = (await ask(portico.port, `${at}/redirect`)).fields.location
    expect(there).toMatch(new RegExp(`^(http://localhost)?${at}/?$`))
    const stream = await ask(portico.port, `${at}/stream`)
    expect(stream.text).toBe('0\n1\n2\n')
    expect((await ask(portico.port, `${at}/nowhere`)).status).toBe(404)
    expect((await ask(portico.port, `${at}/dies`)).status).toBe(500)
    expect((await ask(portico.port, `${at}/`)).text).toBe(`Hello from ${name}`)
  })
})
