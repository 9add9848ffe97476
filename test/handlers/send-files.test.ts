/** What a backend may have sent, how, and what it may not. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sendFiles } from '../../src/handlers/send-files.ts'
import type { Exchange, Handler } from '../../src/request/exchange.ts'
import { withoutOrders } from '../../src/request/orders.ts'
import { type Answer, ask } from './ask.ts'
import { Folder } from './folder.ts'
import { type Served, serve } from './serve.ts'

let folder: Folder
let served: Served | null
let log: string[]

beforeEach(() => {
  folder = new Folder()
  served = null
  log = []
  folder.write('a.txt', 'letters')
  folder.write('big.bin', Buffer.alloc(600_000, 7))
  folder.write('deep/b c?.html', '<b>')
  folder.write('.hidden', 'hidden')
  writeFileSync(join(folder.outside, 'secret'), 'secret')
})
afterEach(() => {
  served?.close()
  folder.remove()
})

/** Serves a backend that does `answer`; files may be sent from /kept/ and, of another folder, /kept/deep/. */
async function start(answer: (exchange: Exchange) => void, root = folder.root): Promise<void> {
  const inner: Handler = { name: 'test', handle: answer }
  const folders = { '/kept/': root, '/kept/deep/': join(root, 'deep') }
  served = await serve(sendFiles(inner, folders, (line) => void log.push(line)))
}

/** The answer to a request whose backend gives these fields. */
async function sent(
  fields: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  await start((exchange) => {
    const head = { status: 200, reason: '', has: 0, ...withoutOrders(fields) }
    exchange.respond(head, Buffer.from('dropped'))
  })
  const answer = await ask(served!.port, '/asked?q', headers, method)
  served!.close()
  served = null
  return answer
}

const text = (answer: Answer): string => `${answer.status} ${answer.body}`

test.each([
  'X-Accel-Redirect: /kept/a.txt',
  'X-Accel-Redirect: /kept/%61.txt?with=query',
  'X-Accel-Redirect: /kept/deep/../a.txt',
  'x-accel-redirect:/kept//a.txt',
  'X-Sendfile: ROOT/a.txt',
  'X-Sendfile: ROOT/deep/../%61.txt',
])('%s is followed', async (field) => {
  expect(text(await sent(`${field.replace('ROOT', folder.root)}\r\n`))).toBe('200 letters')
  expect(log).toEqual([])
})

test('the folder with the longest path has it', async () => {
  expect(text(await sent('X-Accel-Redirect: /kept/deep/b%20c%3F.html\r\n'))).toBe('200 <b>')
  expect(text(await sent(`X-Sendfile: ${folder.root}/deep/b%20c%3F.html\r\n`))).toBe('200 <b>')
  expect(text(await sent(`X-Sendfile: ${folder.root}/deep/b c?.html\r\n`))).toBe('200 <b>')
})

test.each([
  'X-Accel-Redirect: /kept/none.txt',
  'X-Accel-Redirect: /kept',
  'X-Accel-Redirect: /kept/',
  'X-Accel-Redirect: /kept/deep',
  'X-Accel-Redirect: /kept/a.txt/',
  'X-Accel-Redirect: /other/a.txt',
  'X-Accel-Redirect: /keptt/a.txt',
  'X-Accel-Redirect: kept/a.txt',
  'X-Accel-Redirect: @named',
  'X-Accel-Redirect: http://127.0.0.1/kept/a.txt',
  'X-Accel-Redirect: /kept/../private/secret',
  'X-Accel-Redirect: /kept/%2e%2e/private/secret',
  'X-Accel-Redirect: /kept/..%2fprivate%2fsecret',
  'X-Accel-Redirect: /kept/%00a.txt',
  'X-Accel-Redirect: /kept/%zz',
  'X-Accel-Redirect: /kept/.hidden',
  'X-Accel-Redirect: /kept/link',
  'X-Accel-Redirect: /kept/links/secret',
  'X-Sendfile: OUTSIDE/secret',
  'X-Sendfile: ROOT/../private/secret',
  'X-Sendfile: ROOT/link',
  'X-Sendfile: ROOT',
  'X-Sendfile: a.txt',
  'X-Sendfile: /etc/hostname',
])('%s is a 404, and said in the log', async (field) => {
  symlinkSync(join(folder.outside, 'secret'), join(folder.root, 'link'))
  symlinkSync(folder.outside, join(folder.root, 'links'))
  const path = field.replace('ROOT', folder.root).replace('OUTSIDE', folder.outside)
  const answer = await sent(`Set-Cookie: a=b\r\n${path}\r\n`)
  expect(answer.status).toBe(404)
  expect(answer.body.toString()).not.toMatch(/secret|letters|hidden|dropped|kept/)
  expect(log).toEqual([
    expect.stringMatching(/^GET \/asked\?q: X-(Accel-Redirect|Sendfile) ".*": ./),
  ])
})

test('a folder that is a link itself is known by both names', async () => {
  const link = join(folder.outside, 'current')
  symlinkSync(folder.root, link)
  mkdirSync(join(folder.root, 'deep'), { recursive: true })
  for (const name of [link, folder.root]) {
    await start((exchange) => {
      const fields = `X-Sendfile: ${name}/a.txt\r\n`
      exchange.respond(
        { status: 200, reason: '', has: 0, ...withoutOrders(fields) },
        Buffer.from(''),
      )
    }, link)
    expect(text(await ask(served!.port, '/'))).toBe('200 letters')
    served!.close()
  }
})

test('the backend keeps its word on all but the dropped body', async () => {
  const fields =
    'Content-Type: text/x\r\nContent-Disposition: attachment\r\nSet-Cookie: a=1\r\nCache-Control: private\r\n' +
    'Vary: Cookie\r\nETag: "theirs"\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Encoding: gzip\r\n' +
    'Content-Range: bytes 0-1/2\r\nAccept-Ranges: none\r\nX-Accel-Redirect: /kept/a.txt\r\nX-Accel-Expires: 1\r\nX-Sendfile: /x\r\n'
  const { status, headers } = await sent(fields)
  expect(status).toBe(200)
  expect(headers).toMatchObject({
    'content-type': 'text/x',
    'content-length': '7',
    'content-disposition': 'attachment',
    'set-cookie': ['a=1'],
    'cache-control': 'private',
    vary: 'Cookie',
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
  })
  expect(headers.etag).toMatch(/^"[0-9a-f]+-7"$/)
  expect(headers['last-modified']).not.toMatch(/1970/)
  for (const name of [
    'content-encoding',
    'content-range',
    'x-accel-redirect',
    'x-accel-expires',
    'x-sendfile',
  ]) {
    expect(headers).not.toHaveProperty(name)
  }
  expect((await sent('X-Accel-Redirect: /kept/a.txt\r\n')).headers['content-type']).toMatch(
    /^text\/plain/,
  )
})

test('ranges and conditions are those of the file, with the type of the backend', async () => {
  const fields = 'Content-Type: text/x\r\nX-Accel-Redirect: /kept/a.txt\r\n'
  const { headers } = await sent(fields)
  const part = await sent(fields, { Range: 'bytes=1-2' })
  expect([text(part), part.headers['content-range'], part.headers['content-type']]).toEqual([
    '206 et',
    'bytes 1-2/7',
    'text/x',
  ])
  const parts = await sent(fields, { Range: 'bytes=0-0,2-2' })
  expect(parts.status).toBe(206)
  expect(parts.body.toString().match(/Content-Type: text\/x/gi)).toHaveLength(2)
  expect(text(await sent(fields, { 'If-None-Match': String(headers.etag) }))).toBe('304 ')
  expect((await sent(fields, { 'If-Match': '"other"' })).status).toBe(412)
  expect((await sent(fields, { Range: 'bytes=9-' })).status).toBe(416)
  expect(text(await sent(fields, {}, 'HEAD'))).toBe('200 ')
  // A POST has done what it should: its conditions were not about the file.
  expect(text(await sent(fields, { 'If-Match': '"other"', Range: 'bytes=0-0' }, 'POST'))).toBe(
    '200 letters',
  )
})

test('a large file comes whole, for an answer in parts that goes on and on', async () => {
  let gone = 0
  await start((exchange) => {
    exchange.onGone = () => {
      gone++
      exchange.onGone = null
    }
    const fields = 'X-Accel-Redirect: /kept/big.bin\r\n'
    exchange.start({ status: 200, reason: '', has: 0, ...withoutOrders(fields) }, -1)
    const block = Buffer.alloc(65_536, 1)
    const more = setInterval(() => {
      if (gone > 0) clearInterval(more)
      expect(exchange.write(block, true)).toBe(true)
    }, 1)
  })
  const answer = await ask(served!.port, '/')
  expect([answer.status, answer.cut, answer.body.equals(Buffer.alloc(600_000, 7))]).toEqual([
    200,
    false,
    true,
  ])
  await expect.poll(() => gone).toBe(1)
})

test('what the backend does later has no effect', async () => {
  await start((exchange) => {
    const fields = 'X-Accel-Redirect: /kept/big.bin\r\n'
    exchange.start({ status: 200, reason: '', has: 0, ...withoutOrders(fields) }, 7)
    expect(exchange.answered).toBe(true)
    exchange.write(Buffer.from('dropped'), true)
    exchange.onDrain = null
    exchange.onGone = null
    exchange.end()
  })
  const answer = await ask(served!.port, '/')
  expect([answer.body.length, answer.cut]).toEqual([600_000, false])
})

test('no folders, no cost', () => {
  const inner: Handler = { name: 'test', handle: () => {} }
  expect(sendFiles(inner, {}, () => {})).toBe(inner)
})
