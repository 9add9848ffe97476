/**
 * How the workers of every warm parent live and end. Its application has the paths of
 * `test/apps/bridge.*` and `pep.py`.
 */
import { afterEach, expect, test } from 'vitest'
import { FrameType } from '../../src/wire/frames.ts'
import { pause } from './link-bytes.ts'
import { frame, type WorkerLink } from './python/link.ts'
import { alive, type Supervisor } from './python/supervisor.ts'

export interface Lives {
  /** `links`: server threads. */
  readonly launch: (links: number) => Promise<Supervisor>
  /** The requests that a worker has in hand at a time. */
  readonly many: number
  /** A path that keeps the processor busy for long. */
  readonly busy: string
  /** Where the stack of `/sleep`, or of `busy`, names its function. */
  readonly napping: RegExp
  readonly spinning: RegExp
}

/** Of one worker. */
export function livesSuite({ launch, many, busy, napping, spinning }: Lives): void {
  let supervisor: Supervisor
  afterEach(() => supervisor.stop())
  const serving = async (): Promise<WorkerLink> => {
    supervisor = await launch(1)
    return supervisor.first()
  }

  test('retires when what it has in hand is done, and the server has said QUIT', async () => {
    const worker = await serving()
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

  test('retires from idleness at once, and without QUIT after a while', async () => {
    const worker = await serving()
    const began = performance.now()
    process.kill(worker.hello.pid, 'SIGTERM')
    await worker.until((seen) => seen.some((one) => one.type === FrameType.LEAVING))
    expect(performance.now() - began).toBeLessThan(1500)
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
    expect(performance.now() - began).toBeLessThan(4000)
  })

  test('quits when the server says so', async () => {
    const worker = await serving()
    // A window for its last piece would find it gone, and cost the END that is not yet read.
    worker.generous = false
    const slow = worker.request({ path: '/sleep', query: 'seconds=0.2' })
    const stream = many > 1 ? worker.request({ path: '/steps' }) : null
    worker.socket.write(frame(FrameType.QUIT, 0))
    expect((await slow).body).toBe('slept')
    expect((await stream)?.body).toBe(stream === null ? undefined : '0;1;2;')
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
  })

  test('leaves at once when it is told by its parent, and another may have its slot, whatever its number', async () => {
    supervisor = await launch(2)
    await supervisor.heard('loaded')
    const pids: number[] = []
    for (let life = 0; life < 3; life++) {
      supervisor.say({ type: 'spawn', slot: 7 })
      const links = await Promise.all(supervisor.links.map((link) => link.worker()))
      const [one] = links
      pids.push(one!.hello.pid)
      expect(links.map(({ hello }) => hello.slot)).toEqual([7, 7])
      expect((await one!.request({ path: '/tuple' })).status).toBe(200)
      const began = performance.now()
      supervisor.say({ type: 'retire', slot: 7 })
      await Promise.all(
        links.map((link) =>
          link.until((seen) => seen.some((frame) => frame.type === FrameType.LEAVING)),
        ),
      )
      expect(performance.now() - began).toBeLessThan(800)
      for (const link of links) link.socket.write(frame(FrameType.QUIT, 0))
      const ends = (): number => supervisor.messages.filter(({ type }) => type === 'exited').length
      await supervisor.until(() => ends() === life + 1)
    }
    expect(new Set(pids).size).toBe(3)
    expect(supervisor.messages.slice(1)).toEqual(
      pids.flatMap((pid) => [
        { type: 'spawned', slot: 7, pid },
        { type: 'exited', slot: 7, pid, code: 0, signal: null },
      ]),
    )
  })

  test('told by the server and by its parent at the same time, it leaves once', async () => {
    const worker = await serving()
    const slow = worker.request({ path: '/sleep', query: 'seconds=0.3' })
    await pause(50)
    worker.socket.write(frame(FrameType.QUIT, 0))
    supervisor.say({ type: 'retire', slot: 0 })
    expect((await slow).body).toBe('slept')
    expect(await supervisor.heard('exited')).toMatchObject({ slot: 0, code: 0, signal: null })
  })

  test('comes back to a server that was restarted', async () => {
    const worker = await serving()
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

  test('serves several server threads', async () => {
    supervisor = await launch(3)
    await supervisor.heard('loaded')
    supervisor.say({ type: 'spawn', slot: 0 })
    const links = await Promise.all(supervisor.links.map((link) => link.worker()))
    expect(new Set(links.map((link) => link.hello.pid)).size).toBe(1)
    for (let round = 0; round < 20; round++) {
      const asked = links.map((link, i) => link.request({ path: '/one-piece', query: `size=${i}` }))
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

  test('shows where it is stuck, asleep and busy', async () => {
    const worker = await serving()
    const held = worker.request({ path: '/sleep', query: 'seconds=1' })
    await pause(150)
    supervisor.say({ type: 'traceback', slot: 0 })
    await supervisor.logged(napping)
    // It interrupts nothing.
    expect((await held).body).toBe('slept')
    worker.request({ path: busy }).catch(() => undefined)
    await pause(150)
    supervisor.say({ type: 'traceback', slot: 0 })
    await supervisor.logged(spinning)
    supervisor.say({ type: 'kill', slot: 0 })
    expect(await supervisor.heard('exited')).toMatchObject({ signal: 9 })
  })
}

/** Of the parent and all its workers. */
export function endSuite(launch: () => Promise<Supervisor>): void {
  let supervisor: Supervisor
  afterEach(() => supervisor.stop())
  const serving = async (): Promise<WorkerLink> => {
    supervisor = await launch()
    return supervisor.first()
  }
  const several = async (): Promise<number[]> => {
    const first = await serving()
    for (const slot of [1, 2]) supervisor.say({ type: 'spawn', slot })
    const others = [await supervisor.links[0]!.worker(), await supervisor.links[0]!.worker()]
    // One of them busy.
    first.request({ path: '/sleep', query: 'seconds=30' }).catch(() => undefined)
    await pause(50)
    return [first, ...others].map((worker) => worker.hello.pid)
  }

  test('of a worker, by kill, is told of; the others stay', async () => {
    const worker = await serving()
    supervisor.say({ type: 'spawn', slot: 1 })
    const other = await supervisor.links[0]!.worker()
    supervisor.say({ type: 'kill', slot: 0 })
    const { pid } = worker.hello
    const exited = { type: 'exited', slot: 0, pid, code: null, signal: 9 }
    expect(await supervisor.heard('exited')).toEqual(exited)
    expect((await other.request({ path: '/tuple' })).status).toBe(200)
  })

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

  test.each(['quit', 'SIGTERM'])('on %s waits for what is in hand', async (how) => {
    const worker = await serving()
    const slow = worker.request({ path: '/sleep', query: 'seconds=0.3' })
    await pause(50)
    if (how === 'quit') supervisor.say({ type: 'quit' })
    else process.kill(supervisor.parent.pid!, 'SIGTERM')
    expect((await slow).body).toBe('slept')
    worker.socket.write(frame(FrameType.QUIT, 0))
    expect(await supervisor.exit).toEqual({ code: 0, signal: null })
    expect(supervisor.messages.at(-1)).toMatchObject({ type: 'exited', code: 0 })
  })

  test('comes at once from what is no control message', async () => {
    const pids = await several()
    supervisor.sayRaw('{"type":"nonsense"}\n')
    expect((await supervisor.exit).code).toBeGreaterThan(0)
    expect(supervisor.stderr).toContain("unknown control message 'nonsense'")
    await expect.poll(() => pids.filter(alive), { timeout: 3000 }).toEqual([])
  })
}
