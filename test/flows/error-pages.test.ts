/** A site's own pages for errors, also where no route or host is there to answer. */
import { expect, test } from 'vitest'
import { Portico } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const SITE = (more: string): Record<string, string> => ({
  'files/a.txt': 'a',
  'lost.html': '<h1>lost</h1>',
  'misled.html': '<h1>misled</h1>',
  'shop.html': '<h1>no such thing</h1>',
  'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
log: { access: off }
${more}
`,
})

async function pageOf(port: number, host: string, path: string): Promise<[number, string]> {
  const { status, text } = await ask(port, path, { fields: { Host: host } })
  return [status, text.startsWith('<h1>') ? text : '']
}

test('of the whole site, of a host, and of a route', async () => {
  await using portico = await Portico.serve(
    SITE(`
filters:
  errors: { 404: ./lost.html, 421: ./misled.html }
  hosts: { shop.example: { errors: { 404: ./shop.html } } }
hosts:
  shop.example: { /a: { respond: a } }
  blog.example: { /a: { respond: a }, /files/: { files: ./files, errors: { 404: ./shop.html } } }
`),
  )
  const { port } = portico
  expect(await pageOf(port, 'shop.example', '/b')).toEqual([404, '<h1>no such thing</h1>'])
  expect(await pageOf(port, 'blog.example', '/b')).toEqual([404, '<h1>lost</h1>'])
  expect(await pageOf(port, 'blog.example', '/files/b')).toEqual([404, '<h1>no such thing</h1>'])
  expect(await pageOf(port, 'nobody.example', '/')).toEqual([421, '<h1>misled</h1>'])
  const { text, fields } = await ask(port, '/b', {
    method: 'HEAD',
    fields: { Host: 'blog.example' },
  })
  expect([text, fields['content-length'], fields['content-type']]).toEqual([
    '',
    '13',
    'text/html; charset=utf-8',
  ])
})

test('that stand at a route are of that route alone', async () => {
  await using portico = await Portico.serve(
    SITE('routes: { /files/: { files: ./files, errors: { 404: ./shop.html } } }'),
  )
  expect(await pageOf(portico.port, 'a', '/files/b')).toEqual([404, '<h1>no such thing</h1>'])
  expect(await pageOf(portico.port, 'a', '/b')).toEqual([404, ''])
})
