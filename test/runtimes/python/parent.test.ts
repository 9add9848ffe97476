/** The warm parent: what it imports, what it refuses, and what is Python's own in its workers' lives. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { PythonAppPlan } from '../../../src/site/plan.ts'
import { FrameType } from '../../../src/wire/frames.ts'
import { frame, requestFrame, type WorkerLink } from './link.ts'
import { appsFolder, debianPython, Supervisor } from './supervisor.ts'

/** What an import should not leave to a fork, and what it may. */
const SHARING = `
import os, socket
peer = socket.socket(socket.AF_UNIX)
peer.connect(os.environ["FOLDER"] + "/peer.sock")
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
pair = socket.socketpair()
file = open(__file__)
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"shared"]
`
const LAZY = `
import os, threading, time
thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
thread.start()
PID = os.getpid()
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%d %d" % (PID, threading.active_count())]
`

let supervisor: Supervisor
afterEach(() => supervisor.stop())

async function serving(some: Partial<PythonAppPlan> = {}): Promise<WorkerLink> {
  const started = await Supervisor.serving(some)
  supervisor = started.supervisor
  return started.worker
}

async function failure(some: Partial<PythonAppPlan>): Promise<string> {
  supervisor = await Supervisor.start(some)
  return supervisor.heard('loaded').then(
    () => 'loaded',
    (error: Error) => error.message,
  )
}

describe('loading', () => {
  test('is quick and says which Python', async () => {
    const times: number[] = []
    for (let round = 0; round < 5; round++) {
      await supervisor?.stop()
      const began = performance.now()
      supervisor = await Supervisor.start()
      expect((await supervisor.heard('loaded')).version).toMatch(/^3\.\d+\.\d+$/)
      times.push(performance.now() - began)
    }
    // 30 ms on a quiet machine.
    expect(Math.min(...times)).toBeLessThan(200)
  })

  test.each([
    ['hello', 'application', 'hello\n'],
    ['shapes', 'site.wsgi_app', 'hello\n'],
    ['shapes', 'create_app()', 'default False'],
    ['shapes', "create_app('shop', debug=True)", 'shop True'],
  ])('%s:%s', async (module, callable, body) => {
    expect((await (await serving({ module, callable })).request()).body).toBe(body)
  })

  test('the folder is first on sys.path and the working directory; the environment is there', async () => {
    const worker = await serving({ module: 'shapes', callable: 'where', env: { GREETING: 'hi' } })
    const [path, cwd, name, greeting, , ...shadowed] = (await worker.request()).body.split('\n')
    expect([path, cwd, name, greeting, shadowed]).toEqual([
      appsFolder,
      appsFolder,
      'shapes',
      'hi',
      [],
    ])
  })

  test("the application's modules win over ours of the same name", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-names-'))
    for (const name of ['link', 'parent', 'worker', 'answer', 'files', 'control']) {
      writeFileSync(join(folder, `${name}.py`), `VALUE = "the application's ${name}"\n`)
    }
    writeFileSync(
      join(folder, 'main.py'),
      'import answer, control, files, link, parent, worker\n' +
        'def application(environ, start_response):\n' +
        '    start_response("200 OK", [])\n' +
        '    return [" ".join(m.VALUE for m in (answer, control, files, link, parent, worker)).encode()]\n',
    )
    const worker = await serving({ module: 'main', dir: folder })
    expect((await worker.request()).body.match(/the application's/g)).toHaveLength(6)
    rmSync(folder, { recursive: true })
  })

  test.each<[string, Partial<PythonAppPlan>, RegExp]>([
    [
      'a missing module',
      { module: 'helo' },
      /No module named 'helo'\nhint: no module 'helo' in .*apps; did you mean 'hello'\?/,
    ],
    [
      'a missing submodule',
      { module: 'hello.wsgi' },
      /No module named 'hello.wsgi'; 'hello' is not a package/,
    ],
    [
      'a missing dependency',
      { module: 'broken_dependency' },
      /broken_dependency.py", line 1.*\n.*\n.*No module named 'no_such_package_anywhere'\nhint: install 'no_such_package_anywhere' for \/usr\/bin\/python3, or name the right `venv:`/,
    ],
    [
      'a syntax error',
      { module: 'broken_syntax' },
      /broken_syntax.py", line 1\n(.*\n)*SyntaxError: expected ':'/,
    ],
    [
      'a missing attribute',
      { callable: 'aplication' },
      /^hello has no attribute 'aplication'; did you mean 'application'\?$/,
    ],
    [
      'a missing attribute further down',
      { module: 'shapes', callable: 'site.wsgi' },
      /^shapes.site has no attribute 'wsgi'/,
    ],
    [
      'what is not callable',
      { module: 'shapes', callable: 'number' },
      /^shapes:number is a int, not a callable$/,
    ],
    [
      'a factory that is none',
      { module: 'shapes', callable: 'number()' },
      /^shapes:number is a int, not a callable$/,
    ],
    [
      'a factory that raises',
      { module: 'shapes', callable: 'broken_factory()' },
      /LookupError: no configuration/,
    ],
    [
      'a factory that returns nothing',
      { module: 'shapes', callable: 'Site()' },
      /shapes:Site\(\) is a Site, not a callable/,
    ],
    [
      'code instead of a name',
      { callable: '__import__("os").system("true").x()' },
      /is not understood: write `name`/,
    ],
    [
      'an import that raises',
      { module: 'broken_raises' },
      /^Traceback \(most recent call last\):\n {2}File ".*broken_raises.py", line 5(.*\n)*KeyError: 'SECRET_KEY'/,
    ],
    [
      'an import that exits',
      { module: 'broken_exit' },
      /broken_exit.py", line 3(.*\n)*SystemExit: the application called sys.exit\('no settings'\) while it was imported/,
    ],
    [
      'an import that exits at once',
      { module: 'broken_os_exit' },
      /broken_os_exit.py", line 3(.*\n)*The application called os._exit\(4\) while it was imported$/,
    ],
  ])('reports %s', async (_, some, expected) => {
    const detail = await failure(some)
    expect(detail).toMatch(expected)
    expect(detail).not.toContain('portico_worker')
    expect(supervisor.parent.exitCode).toBe(null)
    supervisor.say({ type: 'quit' })
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
  })

  test.each([
    ['asgi', 'hello', 'is called as WSGI applications are; leave `mode: asgi` out'],
    ['wsgi', 'coroutine', 'is called as ASGI applications are; leave `mode: wsgi` out'],
    ['gevent', 'coroutine', 'is called as ASGI applications are; leave `mode: gevent` out'],
  ] as const)('warns of mode: %s for what is called otherwise', async (mode, module, warning) => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-mode-'))
    const coroutine = 'async def application(scope, receive, send):\n    pass\n'
    writeFileSync(join(folder, 'coroutine.py'), coroutine)
    const dir = module === 'hello' ? appsFolder : folder
    supervisor = await Supervisor.start({ mode, module, dir })
    await supervisor.heard('loaded')
    await supervisor.until(() => supervisor.stderr.includes(`${module}:application ${warning}`))
    rmSync(folder, { recursive: true })
  })

  test('takes the word of who names the mode of what cannot be asked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-mode-'))
    writeFileSync(
      join(folder, 'shy.py'),
      'class Shy:\n' +
        '    def __getattr__(self, name):\n' +
        '        raise RuntimeError("not yet")\n' +
        '    def __call__(self, environ, start_response):\n' +
        '        start_response("200 OK", [])\n' +
        '        return [b"shy"]\n' +
        'application = Shy()\n',
    )
    const worker = await serving({ mode: 'wsgi', module: 'shy', dir: folder })
    expect((await worker.request()).body).toBe('shy')
    rmSync(folder, { recursive: true })
  })

  test('warns of threads that workers will not have', async () => {
    await serving({ module: 'shapes', callable: 'where', env: { START_THREAD: '1' } })
    await supervisor.until(() =>
      supervisor.stderr.includes(
        'portico: the import started threads that workers will not have: left-behind; `lazy: true` has each worker',
      ),
    )
  })

  test('warns of connections that workers would share, once; not of what is nobody else’s', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-shared-'))
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 'peer.sock'), resolve))
    writeFileSync(join(folder, 'shared.py'), SHARING)
    const worker = await serving({ module: 'shared', dir: folder, env: { FOLDER: folder } })
    expect((await worker.request()).status).toBe(200)
    supervisor.say({ type: 'spawn', slot: 1 })
    await supervisor.links[0]!.worker()
    expect(supervisor.stderr.match(/portico: .*/g)).toEqual([
      expect.stringMatching(
        /^portico: the import opened connections that all workers would share: \/\S+\/peer\.sock; `lazy: true`/,
      ),
    ])
    server.close()
    rmSync(folder, { recursive: true })
  })
})

describe('lazy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-lazy-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const lazy = (source: string): Partial<PythonAppPlan> => {
    writeFileSync(join(folder, 'own.py'), source)
    return { module: 'own', dir: folder, lazy: true, workers: 2 }
  }

  test('each worker imports the application itself, threads and all, and none before it is asked', async () => {
    const { supervisor: started, worker } = await Supervisor.serving(lazy(LAZY))
    supervisor = started
    supervisor.say({ type: 'spawn', slot: 1 })
    const other = await supervisor.links[0]!.worker()
    for (const one of [worker, other]) {
      const [imported, threads] = (await one.request()).body.split(' ')
      expect([imported, threads]).toEqual([String(one.hello.pid), '2'])
    }
    expect([worker.hello.slot, other.hello.slot]).toEqual([0, 1])
    expect(supervisor.stderr).not.toContain('portico:')
    // The scout became the first worker: nobody is left over.
    supervisor.say({ type: 'kill', slot: 0 })
    expect(await supervisor.heard('exited')).toMatchObject({ slot: 0, pid: worker.hello.pid })
    supervisor.say({ type: 'quit' })
    other.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
  })

  test.each([
    ['raises', 'raise LookupError("on purpose")', /own\.py", line 1(.*\n)*LookupError: on purpose/],
    ['is not there', '', /^own has no attribute 'application'/],
    [
      'ends its process',
      'import os, signal; os.kill(os.getpid(), 9)',
      /the process ended while it imported/,
    ],
  ])('an import that %s is told', async (_, source, why) => {
    expect(await failure(lazy(source))).toMatch(why)
    supervisor.say({ type: 'quit' })
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
  })

  test('a later worker that cannot import it says why, and ends as one that did not start', async () => {
    await serving(lazy(LAZY))
    writeFileSync(join(folder, 'own.py'), 'raise LookupError("later")')
    supervisor.say({ type: 'spawn', slot: 1 })
    expect(await supervisor.heard('exited')).toMatchObject({ slot: 1, code: 78 })
    await supervisor.logged(/LookupError: later/)
  })

  test('an end before the first worker leaves no scout', async () => {
    supervisor = await Supervisor.start(lazy(LAZY))
    await supervisor.heard('loaded')
    supervisor.say({ type: 'quit' })
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
    expect(supervisor.messages.map(({ type }) => type)).toEqual(['loaded'])
  })
})

describe('interpreters', () => {
  test('a virtual environment runs with its own packages', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-venv-'))
    const made = spawnSync(debianPython, ['-m', 'venv', '--without-pip', join(folder, '.venv')])
    expect(made.status).toBe(0)
    const version = spawnSync(debianPython, [
      '-c',
      'import sys; print("%d.%d" % sys.version_info[:2])',
    ])
    const packages = join(
      folder,
      `.venv/lib/python${version.stdout.toString().trim()}/site-packages`,
    )
    mkdirSync(packages, { recursive: true })
    writeFileSync(join(packages, 'only_here.py'), 'VALUE = "from the environment"\n')
    const source = (name: string): string =>
      'import sys, os, only_here\n' +
      `def ${name}(environ, start_response):\n` +
      '    start_response("200 OK", [])\n' +
      '    path = os.environ["PATH"].split(":")[0]\n' +
      '    return ["\\n".join([only_here.VALUE, sys.prefix, os.environ["VIRTUAL_ENV"], path]).encode()]\n'
    writeFileSync(join(folder, 'main.py'), source('application'))
    const venv = join(folder, '.venv')
    const expected = ['from the environment', venv, venv, join(venv, 'bin')]
    // Found, named, and named together with another interpreter of the same version.
    for (const how of [{ python: '' }, { python: '', venv }, { venv }]) {
      const worker = await serving({ module: 'main', dir: folder, ...how })
      expect((await worker.request()).body.split('\n')).toEqual(expected)
      await supervisor.stop()
    }
    rmSync(folder, { recursive: true })
  })
})

describe('workers', () => {
  test('are forked on request and told of', async () => {
    supervisor = await Supervisor.start({ workers: 2 })
    await supervisor.heard('loaded')
    supervisor.say({ type: 'spawn', slot: 0 })
    supervisor.say({ type: 'spawn', slot: 1 })
    const workers = [await supervisor.links[0]!.worker(), await supervisor.links[0]!.worker()]
    expect(workers.map((worker) => worker.hello.slot).sort()).toEqual([0, 1])
    for (const worker of workers) {
      const { slot, pid, app, capacity } = worker.hello
      expect(supervisor.messages).toContainEqual({ type: 'spawned', slot, pid })
      expect([app, capacity]).toEqual(['app', 1])
      expect((await worker.request()).body).toBe('hello\n')
      await supervisor.logged(`{"app": "app", "slot": ${slot}, "pid": ${pid}}\n`)
    }
  })

  test('that end by themselves are told of with their code', async () => {
    const worker = await serving({ module: 'pep' })
    await expect(worker.request({ path: '/die' })).rejects.toThrow('the worker left')
    expect(await supervisor.heard('exited')).toMatchObject({ code: 9, signal: null })
  })

  test('do not hold a complete answer back behind what the application does after it', async () => {
    const worker = await serving({ module: 'pep' })
    const began = performance.now()
    expect((await worker.request({ path: '/declared-then-slow' })).body).toBe('done')
    expect(performance.now() - began).toBeLessThan(600)
  })

  test('leave Ctrl-C to the supervisor and other signals to the application', async () => {
    const worker = await serving({ module: 'signals' })
    expect((await worker.request()).body).toBe(
      'SIGTERM=on_term SIGINT=SIG_IGN SIGHUP=SIG_DFL SIGCHLD=SIG_DFL SIGUSR1=SIG_DFL',
    )
    process.kill(worker.hello.pid, 'SIGINT')
    process.kill(supervisor.parent.pid!, 'SIGINT')
    process.kill(worker.hello.pid, 'SIGTERM')
    await supervisor.logged('my own SIGTERM')
    expect((await worker.request()).status).toBe(200)
    // Its own SIGTERM does not keep it from retiring.
    supervisor.say({ type: 'retire', slot: 0 })
    await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
    worker.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
  })
})

describe('the end', () => {
  test('by SIGTERM is a quit', async () => {
    const worker = await serving()
    process.kill(supervisor.parent.pid!, 'SIGTERM')
    await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
    worker.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
  })

  test('does not wait for a request that came with it', async () => {
    const worker = await serving()
    const id = worker.nextId()
    const answered = worker.expect(id)
    worker.socket.write(Buffer.concat([requestFrame(id), frame(FrameType.QUIT, 0)]))
    expect((await answered).body).toBe('hello\n')
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0, signal: null, slot: 0 })
  })
})
