/** HTTP over ASGI, item by item, over a real worker in both event loops. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  FAILED,
  FrameType,
  HAS_DATE,
  HAS_SERVER,
  INITIAL_GRANT,
  INITIAL_WINDOW,
  MAX_WHOLE,
  REQUEST_MORE,
} from '../../../src/wire/frames.ts'
import { frameOf, framesOf, loops, noted } from './asgi-ways.ts'
import { type Answer, frame, type RequestOptions, requestFrame, type WorkerLink } from './link.ts'
import { Supervisor } from './supervisor.ts'

const { RESPONSE, HEAD, DATA, END, FILE, GRANT, INFORM } = FrameType

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(loops)('in $name', ({ how }) => {
  let supervisor: Supervisor
  let worker: WorkerLink
  let folder: string

  beforeAll(async () => {
    ;({ supervisor, worker } = await Supervisor.serving(how))
    folder = mkdtempSync(join(tmpdir(), 'portico-asgi-'))
  })
  afterAll(async () => {
    await supervisor.stop()
    rmSync(folder, { recursive: true })
  })

  const get = (path: string, query = '', more: RequestOptions = {}): Promise<Answer> =>
    worker.request({ path, query, ...more })

  /** Sends a request whose body comes later. */
  const begin = (path: string, more: RequestOptions = {}) => {
    const id = worker.nextId()
    const answered = worker.expect(id)
    worker.socket.write(
      requestFrame(id, { method: 'POST', path, flags: REQUEST_MORE, length: '', ...more }),
    )
    return { id, answered }
  }

  test('the worker says what it takes', () => {
    expect(worker.hello).toMatchObject({ capacity: 1000, streams: true })
  })

  describe('scope', () => {
    test('has every key', async () => {
      const answer = await get('/scope', 'a=b%20c', {
        uri: '/sc%6Fpe?a=b%20c',
        fields: { HTTP_HOST: 'example.org', HTTP_X_LATIN: 'caf\xe9', CONTENT_TYPE: 'text/x' },
        body: 'abc',
      })
      expect(JSON.parse(answer.body)).toEqual({
        type: 'http',
        asgi: { version: '3.0', spec_version: '2.4' },
        http_version: '1.1',
        method: 'GET',
        scheme: 'http',
        path: '/scope',
        raw_path: { bytes: '/sc%6Fpe' },
        query_string: { bytes: 'a=b%20c' },
        root_path: '',
        headers: [
          [{ bytes: 'host' }, { bytes: 'example.org' }],
          [{ bytes: 'x-latin' }, { bytes: 'caf\xe9' }],
          [{ bytes: 'content-type' }, { bytes: 'text/x' }],
          [{ bytes: 'content-length' }, { bytes: '3' }],
        ],
        client: ['127.0.0.1', 54321],
        server: ['localhost', 8080],
        state: { started: true, mine: expect.any(Number) },
        extensions: {
          'http.response.trailers': {},
          'http.response.early_hint': {},
          'http.response.pathsend': {},
        },
        task: true,
      })
    })

    test('of one request is not touched by another', async () => {
      await get('/scope')
      const scope = JSON.parse((await get('/scope')).body)
      expect(JSON.stringify(scope)).not.toContain('spoiled')
    })

    test('path is UTF-8 where it is, and holds the root path', async () => {
      const latin = (text: string): string => Buffer.from(text).toString('latin1')
      const scope = async (more: RequestOptions) => JSON.parse((await get('/scope', '', more)).body)
      const mounted = await scope({
        script: latin('/prä'),
        path: '/scope/',
        uri: '/pr%C3%A4/scope/?a',
      })
      expect(mounted).toMatchObject({
        path: '/prä/scope/',
        root_path: '/prä',
        raw_path: { bytes: '/pr%C3%A4/scope/' },
      })
      expect(await scope({ path: '/scope', uri: '/scope' })).toMatchObject({ root_path: '' })
      expect((await get(latin('/ünknown'))).status).toBe(404)
      expect((await get('/\xff\xfe')).status).toBe(404)
    })

    test('of HTTP/1.0, HTTP/2 and HTTPS, and a NUL in a path is refused', async () => {
      const scope = async (more: RequestOptions) => JSON.parse((await get('/scope', '', more)).body)
      expect(await scope({ protocol: 'HTTP/1.0', scheme: 'https' })).toMatchObject({
        http_version: '1.0',
        scheme: 'https',
      })
      expect(await scope({ protocol: 'HTTP/2.0' })).toMatchObject({ http_version: '2' })
      expect(await get('/scope\0')).toMatchObject({ status: 400, body: 'Bad Request\n' })
      expect(await get('/scope', '', { fields: {} })).toMatchObject({ status: 200 })
    })

    test('is of a task with a context of its own', async () => {
      for (let i = 0; i < 3; i++) expect((await get('/context')).body).toBe('clean')
    })
  })

  describe('receive', () => {
    test('a body in the frame is one message', async () => {
      expect((await get('/echo', '', { body: 'hello' })).body).toBe('1:hello')
      expect((await get('/echo')).body).toBe('1:')
      expect((await get('/unread', '', { body: 'x'.repeat(100_000) })).body).toBe('did not look')
    })

    test('a body in a file comes in pieces', async () => {
      const bytes = randomBytes(3_000_000)
      const spool = join(folder, 'body')
      writeFileSync(spool, bytes)
      const hash = createHash('sha256').update(bytes).digest('hex')
      const answer = await get('/digest', '', { spool, length: String(bytes.length) })
      expect(answer.body).toBe(`${bytes.length} ${hash}`)
    })

    test('a body in frames comes as it comes', async () => {
      const { id, answered } = begin('/first-piece')
      worker.socket.write(frame(FrameType.BODY, id, 0, Buffer.from('one')))
      await worker.until((seen) => seen.some((one) => one.id === id && one.type === DATA))
      worker.socket.write(frame(FrameType.BODY, id, 0, Buffer.from('two')))
      await pause(20)
      worker.socket.write(frame(FrameType.BODY_END, id))
      expect((await answered).body).toBe('one|two|')
    })

    test('and is granted as the application takes it', async () => {
      const { id, answered } = begin('/digest')
      const bytes = randomBytes(INITIAL_GRANT * 3)
      let allowed = INITIAL_GRANT
      for (let at = 0; at < bytes.length; at += 32_768) {
        const granted = (): number =>
          framesOf(worker, id)
            .filter((one) => one.type === GRANT)
            .reduce((sum, one) => sum + one.payload.readUInt32LE(), INITIAL_GRANT)
        await worker.until(() => granted() >= at + 32_768)
        allowed = granted()
        worker.socket.write(frame(FrameType.BODY, id, 0, bytes.subarray(at, at + 32_768)))
      }
      worker.socket.write(frame(FrameType.BODY_END, id))
      const hash = createHash('sha256').update(bytes).digest('hex')
      expect((await answered).body).toBe(`${bytes.length} ${hash}`)
      expect(allowed).toBeLessThanOrEqual(INITIAL_GRANT + bytes.length)
    })

    test('nothing is granted to a body that nobody reads', async () => {
      const { id, answered } = begin('/sleep', { query: 'seconds=0.05' })
      worker.socket.write(frame(FrameType.BODY, id, 0, Buffer.alloc(200_000)))
      await answered
      worker.socket.write(frame(FrameType.BODY_END, id))
      expect(framesOf(worker, id).map((one) => one.type)).toEqual([RESPONSE])
    })

    test('after the answer it tells of the end', async () => {
      expect((await get('/end-of-answer')).body).toBe('ok')
      expect((await get('/two-receivers')).body).toBe('ok')
      await pause(20)
      expect(await noted(worker)).toEqual(['http.disconnect', 'http.disconnect'])
    })
  })

  describe('send', () => {
    test('a whole answer is one frame', async () => {
      expect(await get('/headers')).toMatchObject({
        status: 201,
        reason: 'Created',
        body: 'made',
        declared: -1,
        frames: [RESPONSE],
        flags: HAS_DATE | HAS_SERVER,
        fields: [
          ['X-Name', 'caf\xe9'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['date', 'today'],
          ['server', 'mine'],
        ],
      })
      expect(await get('/headers')).toMatchObject({ status: 201, flags: HAS_DATE | HAS_SERVER })
      expect(await get('/no-headers')).toMatchObject({ status: 299, reason: '', body: '' })
    })

    test('a large one is several', async () => {
      const answer = await get('/large', `size=${MAX_WHOLE + 1}`)
      expect(answer).toMatchObject({ declared: MAX_WHOLE + 1, bytes: MAX_WHOLE + 1 })
      expect(answer.frames).toEqual([HEAD, DATA, DATA, END])
      expect((await get('/large', `size=${MAX_WHOLE}`)).frames).toEqual([RESPONSE])
    })

    test('pieces leave as they are sent', async () => {
      const answer = await get('/steps')
      expect(answer).toMatchObject({ body: '0;1;2;', frames: [HEAD, DATA, DATA, DATA, END] })
    })

    test('waits while the window is used up', async () => {
      worker.generous = false
      const size = INITIAL_WINDOW * 2
      const answered = get('/stream', `size=${size}`)
      await pause(100)
      const waiting = await noted(worker)
      expect(waiting).not.toContain('done')
      expect(waiting.length * 100_000).toBeLessThanOrEqual(INITIAL_WINDOW)
      worker.generous = true
      const grant = Buffer.alloc(4)
      grant.writeUInt32LE(INITIAL_WINDOW * 2)
      const id = worker.seen.findLast((one) => one.type === HEAD)!.id
      worker.socket.write(frame(FrameType.WINDOW, id, 0, grant))
      expect(await answered).toMatchObject({ bytes: size, failed: false })
      expect(await noted(worker)).toContain('done')
    })

    test('HEAD, 204 and 304 bring no body', async () => {
      const head = { method: 'HEAD' }
      expect(await get('/large', 'size=500', head)).toMatchObject({ declared: 500, bytes: 0 })
      expect(await get('/length', 'says=7&sends=7', head)).toMatchObject({ declared: 7, bytes: 0 })
      expect(await get('/steps', '', head)).toMatchObject({ bytes: 0, frames: [HEAD, END] })
      for (const code of [204, 304]) {
        expect(await get('/status', `code=${code}`)).toMatchObject({ status: code, bytes: 0 })
      }
    })

    test('holds an answer to its length', async () => {
      expect(await get('/length', 'says=5&sends=5')).toMatchObject({ body: 'xxxxx', declared: 5 })
      expect(await get('/length', 'says=6&sends=6&pieces=2')).toMatchObject({ bytes: 6 })
      for (const query of ['says=5&sends=6', 'says=5&sends=4']) {
        const answer = await get('/length', query)
        expect(answer).toMatchObject({ status: 500, failed: true, frames: [RESPONSE] })
        expect(answer.body).toMatch(/RuntimeError: .*(longer than|content-length is 5, and 4)/)
      }
      for (const query of ['says=5&sends=6&pieces=2', 'says=7&sends=6&pieces=2']) {
        const answer = await get('/length', query)
        expect(answer).toMatchObject({ status: 200, failed: true })
        expect(answer.bytes).toBeLessThanOrEqual(6)
      }
    })

    test('trailers', async () => {
      expect(await get('/trailers')).toMatchObject({
        body: 'data',
        trailers: 'x-sum: 1\r\nx-end: 2\r\n',
        frames: [HEAD, DATA, END],
      })
      expect(await get('/trailers', '', { method: 'HEAD' })).toMatchObject({ bytes: 0 })
      expect(await get('/bad-trailers')).toMatchObject({ failed: true, body: 'data' })
      await supervisor.logged('ValueError: content-length may not be sent here')
    })

    test('early hints', async () => {
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(requestFrame(id, { path: '/hints' }))
      expect(await answered).toMatchObject({ body: 'hinted', frames: [INFORM, RESPONSE] })
      const hint = await frameOf(worker, id, INFORM)
      expect(hint.extra).toBe(103)
      expect(hint.payload.toString()).toBe(
        'link: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n',
      )
    })

    test.each([
      ['body-first', /RuntimeError: expected ASGI message 'http.response.start', but got 'http/],
      ['start-twice', /RuntimeError: expected ASGI message 'http.response.body', but got/],
      ['unknown', /RuntimeError: expected ASGI message 'http.response.start', but got/],
      ['str-body', /TypeError: the body must be bytes, not str/],
      ['str-header', /TypeError: header names and values must be bytes/],
      ['odd-header', /TypeError: (a header must be a pair|header names and values)/],
      ['newline', /ValueError: control character in header/],
      ['bad-name', /ValueError: bad header name/],
      ['low-status', /ValueError: bad status/],
      ['str-status', /TypeError: the status must be an int, not str/],
      ['two-lengths', /ValueError: two Content-Lengths/],
    ])('%s is refused', async (how, complaint) => {
      const answer = await get('/wrong', `how=${how}`)
      expect(answer).toMatchObject({ status: 500, failed: true, frames: [RESPONSE] })
      expect(answer.body).toMatch(complaint)
      expect(answer.body).not.toContain('portico_worker')
    })

    test('what comes after the end is refused, and harms nobody', async () => {
      expect(await get('/wrong', 'how=after-end')).toMatchObject({ status: 200, failed: false })
      await supervisor.logged(
        /unexpected ASGI message 'http.response.body': the answer is complete|expected/,
      )
    })
  })

  describe('files', () => {
    test('are sent by the server where they are large', async () => {
      const path = join(folder, 'large')
      writeFileSync(path, randomBytes(300_000))
      expect(await get('/file', `path=${path}`)).toMatchObject({
        declared: 300_000,
        frames: [HEAD, FILE, END],
        file: { path, offset: 0, length: 300_000 },
      })
      expect(await get('/file', `path=${path}`, { method: 'HEAD' })).toMatchObject({
        declared: 300_000,
        frames: [RESPONSE],
      })
    })

    test('and by the worker where the server cannot, or they are small', async () => {
      const path = join(folder, 'refused')
      writeFileSync(path, Buffer.alloc(600_000, 'r'))
      worker.opens = 1
      const answer = await get('/file', `path=${path}`)
      worker.opens = 0
      expect(answer).toMatchObject({ bytes: 600_000, declared: 600_000, failed: false })
      const small = join(folder, 'small')
      writeFileSync(small, 'small')
      expect(await get('/file', `path=${small}`)).toMatchObject({
        body: 'small',
        frames: [RESPONSE],
      })
      writeFileSync(small, '')
      expect(await get('/file', `path=${small}`)).toMatchObject({ body: '', status: 200 })
    })

    test('must be there, be files, and have the length that was promised', async () => {
      const path = join(folder, 'promised')
      writeFileSync(path, Buffer.alloc(100_000))
      for (const query of [`path=${folder}/none`, `path=${folder}`, `path=${path}&says=7`]) {
        expect(await get('/file', query)).toMatchObject({ status: 500, failed: true })
      }
    })
  })

  describe('what fails', () => {
    test('is answered with its traceback, and logged', async () => {
      const answer = await get('/raises')
      expect(answer).toMatchObject({ status: 500, failed: true, frames: [RESPONSE] })
      expect(answer.body).toMatch(/^Traceback.*asgi_cases\.py.*ValueError: wrong\n$/s)
      await supervisor.logged(/portico: GET \/raises: the application failed\nTraceback/)
    })

    test('late cuts the answer short, after it harms nobody', async () => {
      expect(await get('/raises-late')).toMatchObject({ body: 'half', failed: true })
      expect(await get('/raises-after')).toMatchObject({ body: 'fine', failed: false })
      await supervisor.logged('ValueError: wrong, after')
    })

    test('without an exception: no answer, half of one, a value, an exit', async () => {
      expect((await get('/nothing')).body).toContain('returned without sending its answer')
      expect(await get('/half')).toMatchObject({ body: 'half', failed: true })
      await supervisor.logged('returned without completing its answer')
      expect(await get('/returns')).toMatchObject({ body: 'fine', failed: false })
      await supervisor.logged("the application returned 'something', and not None")
      expect((await get('/exits')).body).toContain('SystemExit: 3')
      expect((await get('/context')).status).toBe(200)
    })
  })

  describe('a visitor who leaves', () => {
    const leave = async (path: string, wait = 50): Promise<Answer> => {
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(requestFrame(id, { path }))
      await pause(wait)
      worker.socket.write(frame(FrameType.CANCEL, id))
      return answered
    }

    test('ends the request at once, and the application hears of it', async () => {
      const began = performance.now()
      expect(await leave('/disconnect')).toMatchObject({ frames: [END], flags: 0, failed: true })
      expect(performance.now() - began).toBeLessThan(500)
      await pause(20)
      expect(await noted(worker)).toEqual(['http.disconnect', 'sent'])
    })

    test('ends a stream, which is no failure', async () => {
      const before = supervisor.log.length
      const answer = await leave('/disconnect-stream')
      expect(answer.frames.at(-1)).toBe(END)
      expect(answer.failed).toBe(true)
      await pause(50)
      expect(await noted(worker)).toEqual(['OSError'])
      expect(supervisor.log.slice(before)).not.toContain('Traceback')
    })

    test('leaves an application that does not notice cancelled', async () => {
      expect(await leave('/deaf')).toMatchObject({ frames: [END], failed: true })
      expect(await noted(worker)).toEqual([])
      await pause(1_150)
      expect(await noted(worker)).toEqual(['cancelled'])
    })

    test('is forgotten when the answer has crossed', async () => {
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(
        Buffer.concat([requestFrame(id, { path: '/context' }), frame(FrameType.CANCEL, id)]),
      )
      expect((await answered).frames).toHaveLength(1)
      await pause(20)
      expect(framesOf(worker, id)).toHaveLength(1)
    })
  })

  test('what the application does after its answer keeps nobody waiting', async () => {
    const began = performance.now()
    expect((await get('/after', 'seconds=0.2')).body).toBe('now')
    expect(performance.now() - began).toBeLessThan(150)
    await pause(250)
    expect(await noted(worker)).toEqual(['background'])
  })

  test('hundreds of requests at a time', async () => {
    const began = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => get('/sleep', 'seconds=0.2')),
    )
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['slept']))
    expect(performance.now() - began).toBeLessThan(3_000)
  })

  test('a request cut at every byte is the same request', async () => {
    const options = { path: '/echo', body: 'hello', method: 'POST' }
    const length = requestFrame(1, options).length
    for (let cut = 1; cut < length; cut++) {
      const id = worker.nextId()
      const answered = worker.expect(id)
      const bytes = requestFrame(id, options)
      worker.socket.write(bytes.subarray(0, cut))
      await pause(1)
      worker.socket.write(bytes.subarray(cut))
      expect((await answered).body).toBe('1:hello')
    }
  })

  test('a body whose file is gone is a failure of that request alone', async () => {
    const answer = await get('/echo', '', { spool: join(folder, 'gone'), length: '5' })
    expect(answer).toMatchObject({ status: 500, failed: true })
    expect((await get('/context')).status).toBe(200)
  })

  test('an answer that failed is marked as that', async () => {
    const id = worker.nextId()
    const answered = worker.expect(id)
    worker.socket.write(requestFrame(id, { path: '/raises-late' }))
    await answered
    expect((await frameOf(worker, id, END)).flags).toBe(FAILED)
  })
})
