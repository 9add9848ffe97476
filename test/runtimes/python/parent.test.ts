/** The warm parent: what it imports, what it refuses, how its workers live and end. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { PythonAppPlan } from '../../../src/site/plan.ts'
import { FrameType } from '../../../src/wire/frames.ts'
import { frame, requestFrame, type WorkerLink } from './link.ts'
import { alive, appsFolder, debianPython, Supervisor, ways } from './supervisor.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

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

  test('warns of threads that workers will not have', async () => {
    await serving({ module: 'shapes', callable: 'where', env: { START_THREAD: '1' } })
    await supervisor.until(() =>
      supervisor.stderr.includes(
        'portico: the import started threads that workers will not have: left-behind',
      ),
    )
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

  test('that are killed are told of; the others stay', async () => {
    const worker = await serving({ module: 'pep' })
    supervisor.say({ type: 'spawn', slot: 1 })
    const other = await supervisor.links[0]!.worker()
    supervisor.say({ type: 'kill', slot: 0 })
    expect(await supervisor.heard('exited')).toEqual({
      type: 'exited',
      slot: 0,
      pid: worker.hello.pid,
      code: null,
      signal: 9,
    })
    expect((await other.request({ path: '/tuple' })).status).toBe(200)
  })

  test('that end by themselves are told of with their code', async () => {
    const worker = await serving({ module: 'pep' })
    await expect(worker.request({ path: '/die' })).rejects.toThrow('the worker left')
    expect(await supervisor.heard('exited')).toMatchObject({ code: 9, signal: null })
  })

  describe.each(ways)('$name', ({ many, how }) => {
    test('retire when what they have in hand is done, and the server has said QUIT', async () => {
      const worker = await serving({ module: 'pep', ...how })
      const slow = worker.request({ path: '/sleep', query: 'seconds=0.3' })
      await pause(100)
      supervisor.say({ type: 'retire', slot: 0 })
      await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
      // What was on its way meanwhile is answered as well.
      const late = worker.request({ path: '/tuple' })
      worker.socket.write(frame(FrameType.QUIT, 0))
      expect((await slow).body).toBe('slept')
      expect((await late).body).toBe('one two three')
      const began = performance.now()
      expect(await supervisor.heard('exited')).toMatchObject({ code: 0, signal: null })
      expect(performance.now() - began).toBeLessThan(1000)
    })

    test('retire from idleness at once, and without QUIT after a while', async () => {
      const worker = await serving({ module: 'pep', ...how })
      const began = performance.now()
      process.kill(worker.hello.pid, 'SIGTERM')
      await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
      expect(performance.now() - began).toBeLessThan(1500)
      expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
      expect(performance.now() - began).toBeLessThan(4000)
    })

    test('quit when the server says so', async () => {
      const worker = await serving({ module: 'pep', ...how })
      const slow = worker.request({ path: '/sleep', query: 'seconds=0.2' })
      const stream = many > 1 ? worker.request({ path: '/steps' }) : null
      worker.socket.write(frame(FrameType.QUIT, 0))
      expect((await slow).body).toBe('slept')
      expect((await stream)?.body).toBe(stream === null ? undefined : '0;1;2;')
      expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
    })

    test('come back to a server that was restarted', async () => {
      const worker = await serving({ module: 'pep', ...how })
      const lost = worker.request({ path: '/closing', query: 'more=20' })
      lost.catch(() => undefined)
      await worker.until((seen) => seen.some((one) => one.type === FrameType.DATA))
      worker.socket.destroy()
      const again = await supervisor.links[0]!.worker()
      expect(again.hello).toEqual(worker.hello)
      // A thread may notice a little later.
      const closed = async (): Promise<string> => (await again.request({ path: '/closed' })).body
      await expect.poll(closed).toBe('1')
      await again.until((seen) => seen.every((one) => one.type === FrameType.RESPONSE))
    })

    test('serve several server threads', async () => {
      supervisor = await Supervisor.start({ module: 'pep', ...how }, { links: 3 })
      await supervisor.heard('loaded')
      supervisor.say({ type: 'spawn', slot: 0 })
      const links = await Promise.all(supervisor.links.map((link) => link.worker()))
      expect(new Set(links.map((link) => link.hello.pid)).size).toBe(1)
      for (let round = 0; round < 20; round++) {
        const asked = links.map((link, i) =>
          link.request({ path: '/one-piece', query: `size=${i}` }),
        )
        expect((await Promise.all(asked)).map((answer) => answer.bytes)).toEqual([0, 1, 2])
      }
      links[1]!.socket.destroy()
      const back = await supervisor.links[1]!.worker()
      expect((await back.request({ path: '/tuple' })).status).toBe(200)
      // It leaves when the last of them has let it go.
      for (const link of [links[0]!, links[2]!]) link.socket.write(frame(FrameType.QUIT, 0))
      await links[0]!.closed
      expect((await back.request({ path: '/tuple' })).status).toBe(200)
      back.socket.write(frame(FrameType.QUIT, 0))
      expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
    })

    test('show where they are stuck: asleep, and in C', async () => {
      const worker = await serving({ module: 'pep', ...how })
      const held = worker.request({ path: '/sleep', query: 'seconds=1' })
      await pause(150)
      supervisor.say({ type: 'traceback', slot: 0 })
      await supervisor.logged(
        /most recent call first\):\n(.*\n)* {2}File ".*pep.py", line \d+ in sleep_a_while/,
      )
      // It interrupts nothing.
      expect((await held).body).toBe('slept')
      worker.socket.on('error', () => undefined)
      worker.request({ path: '/stuck-in-c' }).catch(() => undefined)
      await pause(150)
      supervisor.say({ type: 'traceback', slot: 0 })
      await supervisor.logged(/File ".*pep.py", line \d+ in stuck_in_c/)
      supervisor.say({ type: 'kill', slot: 0 })
      expect(await supervisor.heard('exited')).toMatchObject({ signal: 9 })
    })
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
  async function several(): Promise<number[]> {
    const first = await serving({ module: 'pep', workers: 3 })
    supervisor.say({ type: 'spawn', slot: 1 })
    supervisor.say({ type: 'spawn', slot: 2 })
    const others = [await supervisor.links[0]!.worker(), await supervisor.links[0]!.worker()]
    // One of them busy.
    first.request({ path: '/sleep', query: 'seconds=30' }).catch(() => undefined)
    await pause(50)
    return [first, ...others].map((worker) => worker.hello.pid)
  }

  test('of the parent, by kill -9, is the end of all', async () => {
    const pids = await several()
    process.kill(supervisor.parent.pid!, 'SIGKILL')
    await supervisor.exit
    await expect.poll(() => pids.filter(alive), { timeout: 3000 }).toEqual([])
  })

  test('of the supervisor is the end of all', async () => {
    const pids = await several()
    supervisor.hangUp()
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
    expect(pids.filter(alive)).toEqual([])
  })

  test('on quit waits for what is in hand', async () => {
    const worker = await serving({ module: 'pep' })
    const slow = worker.request({ path: '/sleep', query: 'seconds=0.3' })
    await pause(50)
    supervisor.say({ type: 'quit' })
    expect((await slow).body).toBe('slept')
    worker.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
    expect(supervisor.messages.at(-1)).toMatchObject({ type: 'exited', code: 0 })
  })

  test('by SIGTERM is a quit', async () => {
    const worker = await serving()
    process.kill(supervisor.parent.pid!, 'SIGTERM')
    await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
    worker.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
  })

  test('comes at once from what is no control message', async () => {
    const pids = await several()
    supervisor.sayRaw('{"type":"nonsense"}\n')
    expect((await supervisor.exit).code).toBe(1)
    expect(supervisor.stderr).toContain("unknown control message 'nonsense'")
    await expect.poll(() => pids.filter(alive), { timeout: 3000 }).toEqual([])
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
