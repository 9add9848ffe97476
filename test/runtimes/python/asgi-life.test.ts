/** The life of a worker that speaks ASGI: what it takes for ASGI, its startup, its ends. */
import { afterEach, describe, expect, test } from 'vitest'
import type { PythonAppPlan } from '../../../src/site/plan.ts'
import { FrameType } from '../../../src/wire/frames.ts'
import { loops } from './asgi-ways.ts'
import { frame, requestFrame, type WorkerLink } from './link.ts'
import { Supervisor } from './supervisor.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let supervisor: Supervisor
afterEach(() => supervisor.stop())

async function serving(some: Partial<PythonAppPlan> = {}): Promise<WorkerLink> {
  const one = await Supervisor.serving({ module: 'asgi_cases', ...some })
  supervisor = one.supervisor
  return one.worker
}

async function dying(some: Partial<PythonAppPlan>): Promise<number | null> {
  supervisor = await Supervisor.start({ module: 'asgi_cases', ...some })
  await supervisor.heard('loaded')
  supervisor.say({ type: 'spawn', slot: 0 })
  return (await supervisor.heard('exited')).code
}

describe('what is taken for ASGI', () => {
  test.each([
    ['instance', 'auto', 'callable'],
    ['three', 'auto', 'three'],
    ['Double', 'auto', 'double'],
    ['Double', 'asgi', 'double'],
  ] as const)('%s in mode %s', async (callable, mode, body) => {
    const worker = await serving({ callable, mode })
    expect(worker.hello.streams).toBe(true)
    expect((await worker.request()).body).toBe(body)
  })

  test('and what not', async () => {
    const worker = await serving({ module: 'hello' })
    expect(worker.hello).toMatchObject({ streams: false, capacity: 1 })
    expect((await worker.request()).status).toBe(200)
  })
})

describe('lifespan', () => {
  test.each([
    [{ callable: 'failed' }, /does not start: its lifespan startup failed: no database$/m],
    [
      { callable: 'raises', lifespan: 'on' },
      /`lifespan: on`, and before its startup was complete it raised\nTraceback.*ConnectionError: no database, raised$/ms,
    ],
    [{ callable: 'returns', lifespan: 'on' }, /before its startup was complete it returned$/m],
    [{ callable: 'hangs', startTimeoutMs: 300 }, /its lifespan startup took longer than 0\.3 s/],
  ] as const)('%o does not start', async (some, complaint) => {
    expect(await dying(some)).toBe(78)
    await supervisor.logged(complaint)
  })

  test.each([
    { callable: 'raises' },
    { callable: 'returns' },
    { callable: 'failed', lifespan: 'off' },
  ] as const)('%o starts without one', async (some) => {
    const worker = await serving(some)
    expect((await worker.request({ path: '/context' })).body).toBe('clean')
  })

  test('a worker that is told to go while it starts goes', async () => {
    supervisor = await Supervisor.start({ module: 'asgi_cases', callable: 'hangs' })
    await supervisor.heard('loaded')
    supervisor.say({ type: 'spawn', slot: 0 })
    await supervisor.heard('spawned')
    await pause(200)
    supervisor.say({ type: 'retire', slot: 0 })
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
  })
})

describe.each(loops)('ends in $name', ({ how }) => {
  test('retires when what it has in hand is done, background tasks too', async () => {
    const worker = await serving(how)
    const slow = worker.request({ path: '/sleep', query: 'seconds=0.3' })
    expect((await worker.request({ path: '/after', query: 'seconds=0.5' })).body).toBe('now')
    supervisor.say({ type: 'retire', slot: 0 })
    await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
    const last = worker.nextId()
    const answered = worker.expect(last)
    worker.socket.write(
      Buffer.concat([requestFrame(last, { path: '/context' }), frame(FrameType.QUIT, 0)]),
    )
    expect((await answered).body).toBe('clean')
    expect((await slow).body).toBe('slept')
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0, signal: null })
    await supervisor.logged(/background done\ntidied up/)
  })

  test('retires from idleness without QUIT after a while', async () => {
    const worker = await serving(how)
    const began = performance.now()
    process.kill(worker.hello.pid, 'SIGTERM')
    await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
    expect(performance.now() - began).toBeLessThan(4_000)
  })

  test('comes back to a server that was restarted', async () => {
    const worker = await serving(how)
    const lost = worker.request({ path: '/deaf' })
    lost.catch(() => undefined)
    await pause(50)
    worker.socket.destroy()
    const again = await supervisor.links[0]!.worker()
    expect(again.hello.pid).toBe(worker.hello.pid)
    await pause(1_200)
    expect(JSON.parse((await again.request({ path: '/seen' })).body)).toEqual(['cancelled'])
  })

  test('serves several server threads', async () => {
    supervisor = await Supervisor.start({ ...how }, { links: 3 })
    await supervisor.heard('loaded')
    supervisor.say({ type: 'spawn', slot: 0 })
    const links = await Promise.all(supervisor.links.map((link) => link.worker()))
    const answers = await Promise.all(
      links.flatMap((link) =>
        Array.from({ length: 20 }, () => link.request({ path: '/sleep', query: 'seconds=0.05' })),
      ),
    )
    expect(answers.map(({ body }) => body)).toEqual(Array(60).fill('slept'))
    for (const link of links) link.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
  })

  test('shows where its tasks are, waiting and at work', async () => {
    const worker = await serving(how)
    const waiting = worker.request({ path: '/sleep', query: 'seconds=1' })
    await pause(100)
    supervisor.say({ type: 'traceback', slot: 0 })
    await supervisor.logged(
      /Task of GET \/sleep, for 0\.\d s.*\n.*asgi_cases\.py", line \d+, in do_sleep/s,
    )
    expect((await waiting).body).toBe('slept')
    const blocked = worker.request({ path: '/block', query: 'seconds=1' })
    await pause(100)
    supervisor.say({ type: 'traceback', slot: 0 })
    await supervisor.logged(/Current thread.*asgi_cases\.py", line \d+ in do_block/s)
    expect((await blocked).body).toBe('blocked')
  })

  test('a deadline that passes shows where the task was', async () => {
    const worker = await serving({ ...how, deadlineMs: 200 })
    const id = worker.nextId()
    const answered = worker.expect(id)
    worker.socket.write(requestFrame(id, { path: '/deaf' }))
    await pause(250)
    worker.socket.write(frame(FrameType.CANCEL, id))
    expect((await answered).failed).toBe(true)
    await supervisor.logged(/GET \/deaf: cancelled 1 s after its deadline; .*in do_deaf/s)
  })

  test('dies with its parent, and of what is no frame', async () => {
    const worker = await serving(how)
    worker.socket.write(frame(99, 1))
    expect(await supervisor.heard('exited')).toMatchObject({ code: 70 })
    await supervisor.logged('gives up: frame of type 99')
    supervisor.say({ type: 'spawn', slot: 0 })
    const next = await supervisor.links[0]!.worker()
    supervisor.parent.kill('SIGKILL')
    await next.closed
  })

  test.each([
    ['a frame too long', Buffer.from([0, 0, 0, 2, 1, 0, 0, 0, 1, 0, 0, 0])],
    ['a window without its bytes', frame(5, 1)],
    ['a request of 4 bytes', frame(1, 1, 0, Buffer.alloc(4))],
    ['a request longer inside than outside', frame(1, 1, 0, Buffer.alloc(12, 255))],
  ])('%s', async (_, bytes) => {
    const worker = await serving(how)
    void worker.request({ path: '/deaf' }).catch(() => undefined)
    worker.socket.write(Buffer.concat([bytes, Buffer.alloc(40)]))
    expect(await supervisor.heard('exited')).toMatchObject({ code: 70 })
  })
})
