/**
 * Debian's Flask, Django, Falcon, Bottle and Pyramid keep one contract behind the whole server: each
 * with one thread and with four, as it is and under `wsgiref.validate`, mounted at a prefix.
 */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { APPS, Portico, PYTHON } from './support/portico.ts'
import { type Ask, Visitor } from './support/visitor.ts'

const names = ['flask', 'django', 'falcon', 'bottle', 'pyramid']
const mounts = names.flatMap((name) =>
  [1, 4].flatMap((threads) =>
    ['plain', 'checked'].map((how) => ({ name, threads, how, at: `${name}-${how}-${threads}` })),
  ),
)
const MB = 1_048_576

function site(serverThreads: number): string {
  const apps = mounts.map(({ name, threads, how, at }) => {
    const callable = how === 'checked' ? `checked:${name}` : `${name}_contract:application`
    return `  ${at}: { python: "${callable}", dir: ${APPS}, interpreter: ${PYTHON}, workers: 1, threads: ${threads} }`
  })
  return `
listen: "127.0.0.1:0"
threads: ${serverThreads}
routes:
${mounts.map(({ at }) => `  /${at}/: { app: ${at} }`).join('\n')}
apps:
${apps.join('\n')}
`
}

function multipart(file: Uint8Array): Ask {
  const head =
    '--frontier\r\nContent-Disposition: form-data; name="file"; filename="notes.bin"\r\n' +
    'Content-Type: application/octet-stream\r\n\r\n'
  return {
    fields: { 'Content-Type': 'multipart/form-data; boundary=frontier' },
    body: Buffer.concat([Buffer.from(head), file, Buffer.from('\r\n--frontier--\r\n')]),
  }
}

describe.each([1, 2])('%d server threads', (serverThreads) => {
  let portico: Portico
  beforeAll(async () => {
    portico = await Portico.serve({ 'site.yaml': site(serverThreads) })
    await portico.settled()
  }, 60_000)
  afterAll(async () => {
    await portico[Symbol.asyncDispose]()
    // The checker complains by AssertionError, and about a missing `close` only on stderr.
    expect(portico.messages).not.toMatch(/AssertionError|garbage collected without/)
  })

  test.each(mounts)(
    '$at',
    async ({ name, threads, how, at }) => {
      using visitor = await Visitor.to(portico.port)
      const asked = (path: string, ask?: Ask) => visitor.ask(`/${at}${path}`, ask)

      expect(await asked('/')).toMatchObject({ status: 200, text: `Hello from ${name}` })
      const head = await asked('/', { method: 'HEAD' })
      expect(head).toMatchObject({ status: 200, text: '' })
      expect(head.fields).toMatchObject({ 'content-length': String(`Hello from ${name}`.length) })
      expect(await asked('/nowhere')).toMatchObject({ status: 404 })

      const form = await asked('/form', {
        fields: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'name=Gr%C3%A4tel+%26+Co',
      })
      expect(form).toMatchObject({ status: 200, text: 'name=Grätel & Co' })

      const size = how === 'plain' && threads === serverThreads ** 2 ? 20 * MB : MB / 4
      const file = randomBytes(size)
      const hash = createHash('sha256').update(file).digest('hex')
      expect(await asked('/upload', multipart(file))).toMatchObject({
        status: 200,
        text: `notes.bin ${size} ${hash}`,
      })

      const first = await asked('/cookie')
      const cookie = first.fields['set-cookie']?.split(';')[0] ?? ''
      expect(await asked('/cookie', { fields: { Cookie: cookie } })).toMatchObject({ text: '2' })

      const redirect = await asked('/redirect')
      expect(redirect.status).toBe(302)
      expect(redirect.fields.location).toMatch(new RegExp(`^(http://localhost)?/${at}/$`))

      const stream = await asked('/stream')
      expect(stream).toMatchObject({ status: 200, text: '0\n1\n2\n3\n4\n' })
      expect(stream.fields).toMatchObject({ 'transfer-encoding': 'chunked' })

      expect(await asked('/error')).toMatchObject({ status: 500 })
      expect((await asked('/')).text).toBe(`Hello from ${name}`)
    },
    30_000,
  )
})
