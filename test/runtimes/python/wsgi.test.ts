/** PEP 3333, item by item, over a real worker: with one thread and with four. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FrameType, HAS_DATE, HAS_SERVER, MAX_WHOLE } from '../../../src/wire/frames.ts'
import type { Answer, RequestOptions, WorkerLink } from './link.ts'
import { Supervisor, ways } from './supervisor.ts'

const { RESPONSE, HEAD, DATA, END, FILE } = FrameType

describe.each(ways)('$name', ({ many, how }) => {
  let supervisor: Supervisor
  let worker: WorkerLink
  let folder: string

  beforeAll(async () => {
    ;({ supervisor, worker } = await Supervisor.serving({ module: 'pep', ...how, workers: 2 }))
    folder = mkdtempSync(join(tmpdir(), 'portico-wsgi-'))
  })
  afterAll(async () => {
    await supervisor.stop()
    rmSync(folder, { recursive: true })
  })

  const get = (path: string, query = '', more: RequestOptions = {}): Promise<Answer> =>
    worker.request({ path, query, ...more })

  describe('environ', () => {
    test('is a builtin dict with every CGI and wsgi key', async () => {
      const answer = await get('/environ', 'a=b', {
        script: '/mount',
        uri: '/mount/environ?a=b',
        fields: { HTTP_HOST: 'example.org', HTTP_X_LATIN: 'caf\xe9', CONTENT_TYPE: 'text/x' },
        body: 'abc',
      })
      const facts = JSON.parse(answer.body) as Record<string, unknown>
      expect(facts).toMatchObject({ dict: true, strings: true })
      expect(facts.values).toEqual({
        REQUEST_METHOD: 'GET',
        SCRIPT_NAME: '/mount',
        PATH_INFO: '/environ',
        QUERY_STRING: 'a=b',
        REQUEST_URI: '/mount/environ?a=b',
        RAW_URI: '/mount/environ?a=b',
        SERVER_PROTOCOL: 'HTTP/1.1',
        REMOTE_ADDR: '127.0.0.1',
        REMOTE_PORT: '54321',
        SERVER_NAME: 'localhost',
        SERVER_PORT: '8080',
        SERVER_SOFTWARE: 'Portico',
        GATEWAY_INTERFACE: 'CGI/1.1',
        CONTENT_LENGTH: '3',
        CONTENT_TYPE: 'text/x',
        HTTP_HOST: 'example.org',
        HTTP_X_LATIN: 'caf\xe9',
        'wsgi.version': [1, 0],
        'wsgi.url_scheme': 'http',
        'wsgi.input_terminated': true,
        'wsgi.multithread': many > 1,
        'wsgi.multiprocess': true,
        'wsgi.run_once': false,
      })
    })

    test('says HTTPS where it is', async () => {
      const { values } = JSON.parse((await get('/environ', '', { scheme: 'https' })).body)
      expect(values).toMatchObject({ HTTPS: 'on', 'wsgi.url_scheme': 'https' })
      const after = JSON.parse((await get('/environ')).body)
      expect(after.values).not.toHaveProperty('HTTPS')
    })

    test('never carries HTTP_PROXY or HTTP_CONTENT_LENGTH', async () => {
      const fields = { HTTP_PROXY: 'evil', HTTP_CONTENT_LENGTH: '5', HTTP_HOST: 'h' }
      const { values } = JSON.parse((await get('/environ', '', { fields })).body)
      expect(Object.keys(values).filter((key) => key.startsWith('HTTP_'))).toEqual(['HTTP_HOST'])
    })

    test('of one request is not touched by another', async () => {
      await get('/spoil')
      const { values } = JSON.parse((await get('/environ')).body)
      expect(values).toMatchObject({ HTTP_HOST: 'localhost:8080' })
      expect(values).not.toHaveProperty('SPOILED')
      expect((await get('/errors')).body).toBe('ok')
    })

    test('is right without any header, and for a path with a NUL there is none', async () => {
      expect((await get('/environ', '', { fields: {} })).status).toBe(200)
      const refused = await get('/environ\0')
      expect(refused).toMatchObject({ status: 400, failed: false, body: 'Bad Request\n' })
      expect((await get('/environ')).status).toBe(200)
    })
  })

  describe('wsgi.input', () => {
    test.each(['memory', 'file'])('reads every way, from %s', async (kind) => {
      const text = 'abcdef\nghij\nk\nlmnop\nq\nr\ns'
      const spool = join(folder, 'body')
      writeFileSync(spool, text)
      const body = kind === 'memory' ? { body: text } : { spool, length: String(text.length) }
      const answer = await worker.request({ method: 'POST', path: '/input', ...body })
      expect(JSON.parse(answer.body)).toEqual([
        'abc',
        'def\n',
        'gh',
        'ij\n',
        'k\n',
        'lmnop\n|q\n|r\n|s',
        '',
        '',
      ])
    })

    test('is empty without a body', async () => {
      expect(JSON.parse((await get('/input')).body)).toEqual(['', '', '', '', '', ''])
    })

    test('of 40 MB comes from its file, of 3 MB in one frame', async () => {
      for (const [size, spooled] of [
        [40_000_000, true],
        [3_000_000, false],
      ] as const) {
        const body = randomBytes(size)
        const spool = join(folder, 'large')
        writeFileSync(spool, body)
        const answer = await worker.request({
          method: 'PUT',
          path: '/digest',
          ...(spooled ? { spool, length: String(size) } : { body }),
        })
        expect(answer.body).toBe(`${size} ${createHash('sha256').update(body).digest('hex')}`)
      }
    })

    test('that cannot be opened fails the request, not the worker', async () => {
      const answer = await get('/digest', '', { spool: join(folder, 'missing'), length: '5' })
      expect(answer).toMatchObject({ status: 500, failed: true })
      expect(answer.body).toContain('FileNotFoundError')
    })
  })

  test('wsgi.errors and the standard streams become log lines', async () => {
    await get('/errors')
    await supervisor.logged('written é\nline one\nline two\n')
    await supervisor.logged('to stderr\n')
    await supervisor.logged('to stdout\n')
  })

  describe('start_response', () => {
    test('carries status, reason and fields in order, and says what is set', async () => {
      const answer = await get('/fields')
      expect(answer).toMatchObject({
        status: 200,
        reason: 'Fine, thanks',
        declared: -1,
        flags: HAS_DATE | HAS_SERVER,
        frames: [RESPONSE],
      })
      expect(answer.fields).toEqual([
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['X-Latin', 'caf\xe9'],
        ['Date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
        ['Server', 'mine'],
      ])
    })

    test.each([
      ['status-bytes', 'the status must be a str, not bytes'],
      ['status-short', "bad status '20'"],
      ['status-early', "bad status '100 Continue'"],
      ['status-control', 'bad status'],
      ['headers-tuple', 'the headers must be a list, not a tuple'],
      ['header-list', 'a header must be a tuple'],
      ['header-bytes', 'header names and values must be str'],
      ['name-space', "bad header name 'A b'"],
      ['value-newline', "control character in header 'A'"],
      ['value-control', "control character in header 'A'"],
      ['value-unicode', 'must be latin-1'],
      ['hop', "hop-by-hop header 'Transfer-Encoding'"],
      ['length', "bad Content-Length '-1'"],
      ['lengths', 'two Content-Lengths: 1 and 2'],
    ])('refuses %s', async (what, message) => {
      for (let again = 0; again < 2; again++) {
        const answer = await get('/bad', `what=${what}`)
        expect(answer).toMatchObject({ status: 500, failed: true, frames: [RESPONSE] })
        expect(answer.body).toContain(message)
      }
    })

    test('may come with the first iteration', async () => {
      expect(await get('/late-start')).toMatchObject({ status: 200, body: 'late', failed: false })
    })

    test('must come', async () => {
      const answer = await get('/never-starts')
      expect(answer).toMatchObject({ status: 500, failed: true })
      expect(answer.body).toContain('did not call start_response')
    })

    test('twice is an error without exc_info', async () => {
      const answer = await get('/twice')
      expect(answer).toMatchObject({ status: 500, failed: true })
      expect(answer.body).toContain('a second time without exc_info')
    })

    test('with exc_info replaces a head that was not sent', async () => {
      const replaced = await get('/replace')
      expect(replaced).toMatchObject({
        status: 500,
        reason: 'Replaced',
        failed: false,
        body: 'replaced',
      })
      expect(replaced.fields).toEqual([['X-Replaced', 'yes']])
      // An empty chunk sends no head.
      expect(await get('/empty-first')).toMatchObject({
        status: 201,
        reason: 'Changed',
        body: 'body',
      })
    })

    test('with exc_info raises it once the head was sent', async () => {
      const answer = await get('/replace-late')
      expect(answer).toMatchObject({ status: 200, failed: true, frames: [HEAD, DATA, END] })
      await supervisor.logged(
        /\/replace-late: the application failed\n(.*\n)*KeyError: 'on purpose'/,
      )
    })
  })

  describe('the body', () => {
    test('of one piece is one frame, and its length is known', async () => {
      expect(await get('/one-piece', 'size=5')).toMatchObject({
        frames: [RESPONSE],
        body: 'ppppp',
        declared: -1,
      })
    })

    test('of a tuple is joined', async () => {
      expect(await get('/tuple')).toMatchObject({ frames: [RESPONSE], body: 'one two three' })
    })

    test('too large for one frame comes as DATA, with its length', async () => {
      const size = MAX_WHOLE + 1
      const answer = await get('/one-piece', `size=${size}`)
      expect(answer).toMatchObject({ declared: size, bytes: size, frames: [HEAD, DATA, DATA, END] })
    })

    test('is sent chunk by chunk, each before the next is asked for', async () => {
      const times: number[] = []
      const id = worker.nextId()
      const answered = worker.expect(id)
      const { requestFrame } = await import('./link.ts')
      const began = performance.now()
      worker.socket.write(requestFrame(id, { path: '/steps' }))
      for (let count = 1; count <= 3; count++) {
        await worker.until(
          (seen) => seen.filter((one) => one.id === id && one.type === DATA).length >= count,
        )
        times.push(performance.now() - began)
      }
      const answer = await answered
      expect(answer).toMatchObject({
        body: '0;1;2;',
        declared: -1,
        frames: [HEAD, DATA, DATA, DATA, END],
      })
      expect(times[0]).toBeLessThan(280)
      expect(times[1]! - times[0]!).toBeGreaterThan(100)
      expect(times[2]! - times[1]!).toBeGreaterThan(100)
    })

    test('that is complete does not wait for what the application does after it', async () => {
      const began = performance.now()
      expect(await get('/declared-then-slow')).toMatchObject({
        body: 'done',
        declared: 4,
        frames: [RESPONSE],
      })
      expect(performance.now() - began).toBeLessThan(600)
    })

    test.each(['', '&list=1'])('never exceeds its Content-Length%s', async (list) => {
      const id = Math.random().toString()
      for (const [chunks, frames] of [
        ['5,5', list === '' ? [HEAD, DATA, DATA, END] : [RESPONSE]],
        ['20', [RESPONSE]],
        ['8,9', list === '' ? [RESPONSE] : [RESPONSE]],
      ] as const) {
        const answer = await get('/length', `declared=8&chunks=${chunks}${list}&id=${id}`)
        expect(answer).toMatchObject({ declared: 8, bytes: 8, failed: false, frames: [...frames] })
      }
      await supervisor.logged('GET /length: the application sent more than the 8 bytes it declared')
    })

    test.each(['', '&list=1'])(
      'shorter than its Content-Length is cut, and said so%s',
      async (list) => {
        const answer = await get('/length', `declared=80&chunks=30,31${list}`)
        expect(answer).toMatchObject({ declared: 80, bytes: 61, failed: true })
        expect(answer.frames.at(-1)).toBe(END)
        await supervisor.logged('GET /length: the application declared 80 bytes and sent 61')
        expect(await get('/length', `declared=7&chunks=${list}`)).toMatchObject({
          failed: true,
          bytes: 0,
        })
      },
    )

    test.each(['', '&list=1'])('of length 0 is whole%s', async (list) => {
      expect(await get('/length', `declared=0&chunks=${list}`)).toMatchObject({
        declared: 0,
        failed: false,
        frames: [RESPONSE],
      })
    })

    test.each([
      ['str', 'the body must be bytes, not str'],
      ['bytes', 'must return an iterable of bytes'],
      ['none', "'NoneType' object is not iterable"],
      ['mixed', 'str found'],
      ['iter', 'the body must be bytes, not str'],
    ])('refuses %s', async (what, message) => {
      const answer = await get('/bad-body', `what=${what}`)
      expect(answer).toMatchObject({ status: 500, failed: true })
      expect(answer.body).toContain(message)
    })
  })

  describe('no body', () => {
    test.each(['/one-piece', '/stream'])('for HEAD from %s', async (path) => {
      const answer = await get(path, 'size=700000', { method: 'HEAD' })
      expect(answer).toMatchObject({ status: 200, bytes: 0, failed: false, frames: [RESPONSE] })
      expect(answer.declared).toBe(path === '/one-piece' ? 700_000 : -1)
    })

    test('for HEAD, with the length that was declared', async () => {
      for (const chunks of ['', '3', '300']) {
        const answer = await get('/length', `declared=300&chunks=${chunks}`, { method: 'HEAD' })
        expect(answer).toMatchObject({ declared: 300, bytes: 0, failed: false, frames: [RESPONSE] })
      }
    })

    test.each([
      [204, '', -1],
      [204, '&body=xyz&length=3', -1],
      [304, '', -1],
      [304, '&body=xyz&length=3', 3],
      [304, '&body=xyz', -1],
    ])('for %i%s', async (status, more, declared) => {
      const answer = await get('/status', `status=${status}${more}`)
      expect(answer).toMatchObject({
        status,
        declared,
        bytes: 0,
        failed: false,
        frames: [RESPONSE],
      })
    })
  })

  describe('write()', () => {
    test('comes before what is returned', async () => {
      expect(await get('/write')).toMatchObject({
        body: 'first second third',
        frames: [HEAD, DATA, DATA, DATA, END],
      })
    })

    test('that completes the declared length is a whole answer', async () => {
      expect(await get('/write-only')).toMatchObject({ body: 'whole', frames: [RESPONSE] })
    })
  })

  describe('an application that raises', () => {
    test('before the head: the traceback, from its own frames on', async () => {
      const answer = await get('/raises', 'secret=1')
      expect(answer).toMatchObject({ status: 500, failed: true, frames: [RESPONSE] })
      const text = Buffer.from(answer.body, 'latin1').toString()
      expect(text).toMatch(/^Traceback.*\n {2}File ".*apps\/pep.py", line \d+, in application/)
      expect(text).toContain('RuntimeError: on purpose é')
      expect(text).not.toContain('portico_worker')
      await supervisor.logged('portico: GET /raises: the application failed\nTraceback')
      expect(supervisor.log).not.toContain('secret=1')
    })

    test('after the head: the answer is cut short', async () => {
      const answer = await get('/raises-late')
      expect(answer).toMatchObject({
        status: 200,
        body: 'some',
        failed: true,
        frames: [HEAD, DATA, END],
      })
      await supervisor.logged('RuntimeError: on purpose, later')
    })

    test('SystemExit: the worker stays', async () => {
      expect((await get('/exits')).body).toContain('SystemExit: 3')
      expect((await get('/tuple')).status).toBe(200)
    })
  })

  describe('close()', () => {
    const closed = async (): Promise<number> => Number((await get('/closed')).body)

    test('is called after an answer, an error, HEAD and too much', async () => {
      for (const [query, method] of [
        ['', 'GET'],
        ['raise=1', 'GET'],
        ['', 'HEAD'],
        ['more=3', 'GET'],
      ] as const) {
        const before = await closed()
        await get('/closing', query, { method })
        await expect.poll(closed).toBe(before + 1)
      }
    })

    test('that raises is logged and harms nothing', async () => {
      expect(await get('/close-raises')).toMatchObject({ body: 'fine', failed: false })
      await supervisor.logged('RuntimeError: close on purpose')
    })

    test('is called when the visitor has left, and the iteration stops', async () => {
      const { frame, requestFrame } = await import('./link.ts')
      const before = await closed()
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(requestFrame(id, { path: '/closing', query: 'more=500' }))
      await worker.until((seen) => seen.some((one) => one.id === id && one.type === DATA))
      worker.socket.write(frame(FrameType.CANCEL, id))
      const answer = await answered
      expect(answer.failed).toBe(true)
      expect(answer.frames.length).toBeLessThan(50)
      await expect.poll(closed).toBe(before + 1)
    })

    test('is called when the visitor leaves while the window is closed', async () => {
      const { frame, requestFrame } = await import('./link.ts')
      const before = await closed()
      worker.generous = false
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(requestFrame(id, { path: '/closing', query: 'size=3000000' }))
      await worker.until(
        (seen) => seen.filter((one) => one.id === id && one.type === DATA).length >= 4,
      )
      worker.socket.write(frame(FrameType.CANCEL, id))
      expect(await answered).toMatchObject({ failed: true, bytes: 1_048_576 })
      worker.generous = true
      await expect.poll(closed).toBe(before + 1)
    })
  })

  describe('wsgi.file_wrapper', () => {
    const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
    let path: string
    beforeAll(() => {
      path = join(folder, 'file.bin')
      writeFileSync(path, content)
      writeFileSync(path + '.small', content.subarray(0, 5000))
      writeFileSync(path + '.gz', gzipSync(content))
    })

    test.each(['buffered', 'raw'])('hands a %s file over to the server', async (kind) => {
      const answer = await get('/file', `path=${path}&kind=${kind}`)
      expect(answer).toMatchObject({ declared: 200_000, failed: false, frames: [HEAD, FILE, END] })
      expect(answer.file).toEqual({ path, offset: 0, length: 200_000 })
    })

    test('honours the position and the Content-Length', async () => {
      const answer = await get('/file', `path=${path}&from=1000&length=100000`)
      expect(answer).toMatchObject({ declared: 100_000, failed: false, frames: [HEAD, FILE, END] })
      expect(answer.file).toEqual({ path, offset: 1000, length: 100_000 })
      const short = await get('/file', `path=${path}&length=300000`)
      expect(short).toMatchObject({ declared: 300_000, failed: true, frames: [HEAD, FILE, END] })
    })

    test('is read here where the server cannot open it', async () => {
      worker.opens = 1
      const answer = await get('/file', `path=${path}&from=10`)
      worker.opens = 0
      expect(answer).toMatchObject({ declared: 199_990, failed: false, bytes: 199_990 })
      expect(answer.frames.slice(0, 3)).toEqual([HEAD, FILE, DATA])
      expect(answer.body).toBe(content.subarray(10).toString('latin1'))
    })

    test('of a file without a name names the open one', async () => {
      const doomed = join(folder, 'doomed.bin')
      writeFileSync(doomed, content)
      worker.opens = null
      const id = worker.nextId()
      const answered = worker.expect(id)
      const { frame, requestFrame } = await import('./link.ts')
      worker.socket.write(
        requestFrame(id, { path: '/file', query: `path=${doomed}&kind=unlinked` }),
      )
      await worker.until((seen) => seen.some((one) => one.id === id && one.type === FILE))
      const sent = worker.seen.find((one) => one.id === id && one.type === FILE)!
      const name = sent.payload.toString('utf8', 16)
      expect(name).toMatch(new RegExp(`^/proc/${worker.hello.pid}/fd/\\d+$`))
      const { readFileSync } = await import('node:fs')
      expect(readFileSync(name).equals(content)).toBe(true)
      worker.opens = 0
      worker.socket.write(frame(FrameType.OPENED, id))
      expect(await answered).toMatchObject({ failed: false, frames: [HEAD, FILE, END] })
    })

    test('takes a temporary file by its name', async () => {
      const answer = await get('/file', `path=${path}&kind=temporary`)
      expect(answer).toMatchObject({ frames: [HEAD, FILE, END], declared: 200_000 })
    })

    test('sends small files whole', async () => {
      const answer = await get('/file', `path=${path}.small&from=100`)
      expect(answer).toMatchObject({ frames: [RESPONSE], bytes: 4900, failed: false })
    })

    test.each(['gzip', 'hidden'])('iterates where it must: %s', async (kind) => {
      const answer = await get('/file', `path=${path}${kind === 'gzip' ? '.gz' : ''}&kind=${kind}`)
      expect(answer).toMatchObject({ declared: -1, bytes: 200_000, failed: false })
      expect(answer.body).toBe(content.toString('latin1'))
    })

    test.each(['HEAD', 'GET'])('to %s without a body', async (method) => {
      if (method !== 'HEAD') return
      const answer = await get('/file', `path=${path}`, { method })
      expect(answer).toMatchObject({ declared: 200_000, bytes: 0, frames: [RESPONSE] })
    })
  })

  test('reports how long the application took', async () => {
    const { serviceMicroseconds } = await get('/sleep', 'seconds=0.1')
    expect(serviceMicroseconds).toBeGreaterThan(100_000)
    expect(serviceMicroseconds).toBeLessThan(400_000)
  })

  test('answers a burst of everything, each with its own', async () => {
    const asked = Array.from({ length: 200 }, (_, i) =>
      i % 3 === 0 ? get('/one-piece', `size=${i}`) : get('/length', `declared=${i}&chunks=${i}`),
    )
    const answers = await Promise.all(asked)
    expect(answers.map((answer) => answer.bytes)).toEqual(answers.map((_, i) => i))
  })
})
