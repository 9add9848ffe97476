/** What a framework does behind the whole server; each keeps it in an application of its own (`apps/`). */
import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import type { Ask, Reply } from './visitor.ts'

/** `at`: where the application is mounted, such as `/shop`; `size`: of an upload, bytes. */
export async function keepsContract(
  name: string,
  at: string,
  size: number,
  asked: (path: string, ask?: Ask) => Promise<Reply>,
): Promise<void> {
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
  expect(redirect.fields.location).toMatch(new RegExp(`^(http://localhost)?${at}/$`))

  const stream = await asked('/stream')
  expect(stream).toMatchObject({ status: 200, text: '0\n1\n2\n3\n4\n' })
  expect(stream.fields).toMatchObject({ 'transfer-encoding': 'chunked' })

  expect(await asked('/error')).toMatchObject({ status: 500 })
  expect((await asked('/')).text).toBe(`Hello from ${name}`)
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
