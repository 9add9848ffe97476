/**
 * What every bridge program owes, in whichever language: run over the applications `bridge.*` of
 * `test/apps`, which have the same paths.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Runtime } from '../../src/runtimes/runtime.ts'
import type { ScriptAppPlan } from '../../src/site/plan.ts'
import { FrameType, MAX_WHOLE, REQUEST_MORE } from '../../src/wire/frames.ts'
import { framesSuite, garbageSuite, pause } from './link-bytes.ts'
import { endSuite, livesSuite } from './lives.ts'
import { type Answer, frame, requestFrame, type WorkerLink } from './python/link.ts'
import { appsFolder, Supervisor } from './python/supervisor.ts'

export interface Bridge {
  readonly runtime: Runtime
  /** In `test/apps`. */
  readonly file: string
  /** What the version looks like. */
  readonly version: RegExp
  /** Where the stack of a request that sleeps, or spins, names its function. */
  readonly napping: RegExp
  readonly spinning: RegExp
  /** What `/bad?what=…` may ask for. */
  readonly bad: readonly string[]
  /** What an exception's text is: the first line, then where it came from. */
  readonly raised: RegExp
}

export function scriptPlan(bridge: Bridge, some: Partial<ScriptAppPlan> = {}): ScriptAppPlan {
  return {
    kind: bridge.runtime.name as ScriptAppPlan['kind'],
    name: 'app',
    file: join(appsFolder, bridge.file),
    dir: appsFolder,
    interpreter: '',
    env: {},
    workers: 1,
    deadlineMs: 0,
    softDeadlineMs: 0,
    queueDeadlineMs: 0,
    startTimeoutMs: 10_000,
    queue: 100,
    ...some,
  }
}

export function bridgeSuite(bridge: Bridge): void {
  const launch = (some: Partial<ScriptAppPlan> = {}, links = 1): Promise<Supervisor> =>
    Supervisor.launch(scriptPlan(bridge, some), bridge.runtime, { links })

  describe('requests and answers', () => {
    let supervisor: Supervisor
    let worker: WorkerLink
    const get = (path: string, query = '', method = 'GET'): Promise<Answer> =>
      worker.request({ path, query, method })
    beforeAll(async () => {
      supervisor = await launch({ workers: 2 })
      worker = await supervisor.first()
    })
    afterAll(() => supervisor.stop())

    test('whole answers are one frame, up to a size', async () => {
      expect(await get('/tuple')).toMatchObject({
        body: 'one two three',
        declared: -1,
        frames: [FrameType.RESPONSE],
      })
      expect(await get('/one-piece', `size=${MAX_WHOLE}`)).toMatchObject({
        bytes: MAX_WHOLE,
        frames: [FrameType.RESPONSE],
      })
      const larger = await get('/one-piece', `size=${MAX_WHOLE * 3 + 1}`)
      expect(larger).toMatchObject({ bytes: MAX_WHOLE * 3 + 1, declared: MAX_WHOLE * 3 + 1 })
    })

    test('HEAD, 204 and 304 have no body', async () => {
      expect(await get('/tuple', '', 'HEAD')).toMatchObject({ bytes: 0, declared: 13 })
      expect(await get('/stream', 'size=100', 'HEAD')).toMatchObject({ bytes: 0, failed: false })
      expect(await get('/status', 'status=204&body=x')).toMatchObject({ bytes: 0, declared: -1 })
      expect(await get('/status', 'status=304&length=7')).toMatchObject({ bytes: 0, declared: 7 })
      expect(await get('/status', 'status=404&body=x')).toMatchObject({ status: 404, body: 'x' })
    })

    test('header fields, several of a name, without those of the connection', async () => {
      const { fields, flags } = await get('/fields')
      expect(fields).toContainEqual(['Set-Cookie', 'a=1'])
      expect(fields).toContainEqual(['Set-Cookie', 'b=2'])
      expect(fields).toContainEqual(['X-Latin', 'caf\xe9'])
      expect(fields.map(([name]) => name.toLowerCase())).not.toContain('connection')
      expect(fields.filter(([name]) => name.startsWith('rack.'))).toEqual([])
      expect(flags).toBe(3)
    })

    test('a stream leaves piece by piece, each before the next is made', async () => {
      for (const path of ['/steps', '/writer']) {
        const began = performance.now()
        let first = 0
        worker.socket.once('data', () => {
          first = performance.now() - began
        })
        expect(await get(path)).toMatchObject({ body: '0;1;2;', failed: false })
        expect(first).toBeLessThan(350)
        expect(performance.now() - began).toBeGreaterThan(430)
      }
    })

    test('interim answers', async () => {
      expect((await get('/informs')).body).toBe('informed')
      const hint = worker.seen.find(({ type }) => type === FrameType.INFORM)
      expect(hint?.extra).toBe(103)
      expect(hint?.payload.toString()).toMatch(/^link: <\/a\.css>; rel=preload\r\n/i)
    })

    test('a body that the application has chunked is not chunked twice', async () => {
      expect(await get('/chunked')).toMatchObject({ body: 'hello world', failed: false })
      expect((await get('/chunked')).fields).toEqual([])
      expect(await get('/chunked-not')).toMatchObject({ failed: true, status: 500 })
    })

    test('what is declared is kept to', async () => {
      for (const list of ['', '&list=1']) {
        const length = (declared: number, chunks: string) =>
          get('/length', `declared=${declared}&chunks=${chunks}${list}`)
        expect(await length(4, '2,2')).toMatchObject({ bytes: 4, declared: 4, failed: false })
        expect(await length(3, '2,2')).toMatchObject({ bytes: 3, declared: 3, failed: false })
        expect(await length(5, '2,2')).toMatchObject({ bytes: 4, declared: 5, failed: true })
        expect(await length(0, '')).toMatchObject({ bytes: 0, declared: 0, failed: false })
      }
      await supervisor.logged('/length: the application declared 5 bytes and sent 4')
      await supervisor.logged('/length: the application sent more than the 3 bytes it declared')
    })

    test('bodies come in the frame, or as a file', async () => {
      const body = randomBytes(100_000)
      const digest = `100000 ${createHash('sha256').update(body).digest('hex')}`
      expect((await worker.request({ path: '/digest', method: 'POST', body })).body).toBe(digest)
      const spool = join(supervisor.folder, 'spooled')
      writeFileSync(spool, body)
      expect((await worker.request({ path: '/digest', method: 'POST', spool })).body).toBe(digest)
      const gone = await worker.request({ path: '/digest', spool: join(supervisor.folder, 'gone') })
      expect(gone).toMatchObject({ status: 500, failed: true })
      const lines = await worker.request({ path: '/input', method: 'POST', body: 'one\ntwo\n' })
      expect(JSON.parse(lines.body)).toEqual(['one\n', 'two\n', 'one'])
    })

    test('the environment is each request’s own', async () => {
      const fields = {
        HTTP_HOST: 'example.com',
        CONTENT_TYPE: 'text/x',
        HTTP_CONTENT_LENGTH: '7',
        HTTP_PROXY: 'http://evil',
      }
      const ask = async (): Promise<Record<string, unknown>> => {
        const options = { path: '/environ', query: 'a=b', script: '/at', scheme: 'https', fields }
        const { body } = await worker.request({ ...options, uri: '/at/environ?a=b' })
        return JSON.parse(body)
      }
      expect((await worker.request({ path: '/spoil', fields })).body).toBe('spoiled')
      const environ = await ask()
      expect(environ).toMatchObject({
        REQUEST_METHOD: 'GET',
        SCRIPT_NAME: '/at',
        PATH_INFO: '/environ',
        QUERY_STRING: 'a=b',
        REQUEST_URI: '/at/environ?a=b',
        SERVER_PROTOCOL: 'HTTP/1.1',
        SERVER_NAME: 'localhost',
        SERVER_PORT: '8080',
        REMOTE_ADDR: '127.0.0.1',
        HTTP_HOST: 'example.com',
        CONTENT_TYPE: 'text/x',
        HTTPS: 'on',
      })
      for (const name of ['SPOILED', 'CONTENT_LENGTH', 'HTTP_CONTENT_LENGTH', 'HTTP_PROXY']) {
        expect(environ).not.toHaveProperty(name)
      }
    })

    test('files are left to the server', async () => {
      const path = join(supervisor.folder, 'file')
      const content = randomBytes(200_000)
      writeFileSync(path, content)
      const whole = await get('/file', `path=${path}`)
      expect(whole).toMatchObject({ declared: 200_000, failed: false })
      expect(whole.frames).toEqual([FrameType.HEAD, FrameType.FILE, FrameType.END])
      expect(whole.file).toMatchObject({ offset: 0, length: 200_000 })
      // The server could not open it: the bytes come from here.
      worker.opens = 1
      const refused = await get('/file', `path=${path}`)
      worker.opens = 0
      expect(refused).toMatchObject({ bytes: 200_000, failed: false })
      expect(Buffer.from(refused.body, 'latin1').equals(content)).toBe(true)
      expect(await get('/file', `path=${path}`, 'HEAD')).toMatchObject({ bytes: 0, failed: false })
      writeFileSync(path, 'small')
      expect(await get('/file', `path=${path}`)).toMatchObject({ body: 'small', failed: false })
      writeFileSync(path, content)
      const part = await get('/file', `path=${path}&from=150000&length=50000`)
      const sent = part.file === undefined ? part.bytes : part.file.length
      expect([sent, part.declared, part.failed]).toEqual([50_000, 50_000, false])
    })

    test('what is printed comes to the log', async () => {
      await get('/log')
      for (const where of ['errors', 'stdout', 'stderr']) {
        await supervisor.logged(new RegExp(`^to ${where}$`, 'm'))
      }
    })

    test('what is to be done behind an answer does not hold it back, and may fail', async () => {
      const began = performance.now()
      expect((await get('/cleanup')).body).toBe('first')
      expect(performance.now() - began).toBeLessThan(150)
      await supervisor.logged(/cleaned up \/cleanup/)
      await supervisor.logged('on purpose')
      expect((await get('/tuple')).status).toBe(200)
    })

    test('exceptions are answered with their stack, and logged', async () => {
      const raised = await get('/raises')
      expect(raised).toMatchObject({ status: 500, failed: true, flags: 4 })
      expect(raised.body).toMatch(bridge.raised)
      expect(raised.body).not.toContain('worker/')
      expect((await get('/raises-object')).body).toMatch(/an object/)
      expect((await get('/exits')).body).toMatch(/exit/)
      const late = await get('/raises-late')
      expect(late).toMatchObject({ status: 200, failed: true, body: 'some' })
      await supervisor.logged(/GET \/raises: the application failed/)
      expect((await get('/tuple')).status).toBe(200)
    })

    test.each(bridge.bad)('an answer with a bad %s fails, and only that', async (what) => {
      expect(await get('/bad', `what=${what}`)).toMatchObject({ status: 500, failed: true })
      expect((await get('/tuple')).status).toBe(200)
    })

    test('a body is closed, whatever became of it', async () => {
      const before = Number((await get('/closed')).body)
      await get('/closing')
      await get('/closing', 'raise=1')
      await get('/closing', '', 'HEAD')
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(requestFrame(id, { path: '/closing', query: 'more=200' }))
      await pause(100)
      worker.socket.write(frame(FrameType.CANCEL, id))
      expect(await answered).toMatchObject({ failed: true })
      expect(Number((await get('/closed')).body)).toBe(before + 4)
    })

    test('many requests in one write: all are answered, in order', async () => {
      const ids = Array.from({ length: 500 }, () => worker.nextId())
      const answers = ids.map((id) => worker.expect(id))
      let reads = 0
      const count = (): void => {
        reads++
      }
      worker.socket.on('data', count)
      worker.socket.write(
        Buffer.concat(
          ids.map((id, i) => requestFrame(id, { path: '/one-piece', query: `size=${i}` })),
        ),
      )
      expect((await Promise.all(answers)).map(({ bytes }) => bytes)).toEqual([...ids.keys()])
      worker.socket.off('data', count)
      expect(reads).toBeLessThan(ids.length / 2)
    })

    test('a path that no environment can hold', async () => {
      expect(await worker.request({ path: '/a\0b' })).toMatchObject({ status: 400, failed: false })
    })
  })

  describe('frames', () => framesSuite(launch, 1))

  describe('garbage', () => {
    const flags = REQUEST_MORE
    garbageSuite(launch, [['a request whose body is to come', requestFrame(1, { flags })]])
  })

  describe('lives', () => {
    let supervisor: Supervisor
    afterEach(() => supervisor.stop())
    const serving = async (): Promise<WorkerLink> => {
      supervisor = await launch()
      return supervisor.first()
    }

    test('workers are forked on request, told of, and draw different numbers', async () => {
      const worker = await serving()
      supervisor.say({ type: 'spawn', slot: 1 })
      const other = await supervisor.links[0]!.worker()
      expect((await supervisor.heard('loaded')).version).toMatch(bridge.version)
      for (const one of [worker, other]) {
        const { slot, pid, app, capacity } = one.hello
        expect(supervisor.messages).toContainEqual({ type: 'spawned', slot, pid })
        expect([app, capacity]).toEqual(['app', 1])
        expect((await one.request({ path: '/pid' })).body).toBe(String(pid))
        await supervisor.logged(new RegExp(`^\\{.*"pid":${pid}.*\\}$`, 'm'))
      }
    })

    test('one that ends by itself is told of', async () => {
      const worker = await serving()
      await expect(worker.request({ path: '/die' })).rejects.toThrow('the worker left')
      expect(await supervisor.heard('exited')).toMatchObject({ slot: 0, pid: worker.hello.pid })
    })
  })

  describe('a worker', () => {
    const { napping, spinning } = bridge
    livesSuite({
      launch: (links) => launch({}, links),
      many: 1,
      busy: '/busy',
      napping,
      spinning,
    })
  })

  describe('the end', () => endSuite(launch))
}

/** What loading `source` says: the detail of the failure, or 'loaded'. */
export async function loading(
  bridge: Bridge,
  source: string | null,
  some: Partial<ScriptAppPlan> = {},
): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'portico-script-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const file = join(dir, bridge.file)
  if (source !== null) writeFileSync(file, source)
  const plan = scriptPlan(bridge, { dir, file, ...some })
  const supervisor = await Supervisor.launch(plan, bridge.runtime)
  onTestFinished(() => supervisor.stop())
  const detail = await supervisor.heard('loaded').then(
    () => 'loaded',
    (error: Error) => error.message,
  )
  expect(supervisor.parent.exitCode).toBe(null)
  supervisor.say({ type: 'quit' })
  expect(await supervisor.exit).toEqual({ code: 0, signal: null })
  return detail
}
