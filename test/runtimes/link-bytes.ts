/**
 * What every worker makes of the link's bytes: cut anywhere, in large amounts, and not frames at all.
 * Its application has the paths of `test/apps/bridge.*` and `pep.py`.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { FrameType, INITIAL_WINDOW, MAX_FRAME } from '../../src/wire/frames.ts'
import { frame, requestFrame, type WorkerLink, windowFrame } from './python/link.ts'
import { alive, type Supervisor } from './python/supervisor.ts'

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** `many`: the requests that a worker has in hand at a time. */
export function framesSuite(launch: () => Promise<Supervisor>, many: number): void {
  let supervisor: Supervisor
  let worker: WorkerLink
  beforeAll(async () => {
    supervisor = await launch()
    worker = await supervisor.first()
  })
  afterAll(() => supervisor.stop())

  test('a request cut at every byte is the same request', async () => {
    const length = requestFrame(1, { path: '/digest', body: 'hello' }).length
    for (let cut = 1; cut < length; cut++) {
      const id = worker.nextId()
      const answered = worker.expect(id)
      const bytes = requestFrame(id, { path: '/digest', body: 'hello' })
      worker.socket.write(bytes.subarray(0, cut))
      await pause(1)
      worker.socket.write(bytes.subarray(cut))
      expect((await answered).body).toMatch(/^5 2cf24dba/)
    }
  })

  test('two requests and a control frame, byte by byte', async () => {
    const [one, two] = [worker.nextId(), worker.nextId()]
    const answered = Promise.all([worker.expect(one), worker.expect(two)])
    const bytes = Buffer.concat([
      requestFrame(one, { path: '/tuple' }),
      windowFrame(one, 5),
      frame(FrameType.CANCEL, 999_999),
      requestFrame(two, { path: '/one-piece', query: 'size=3' }),
    ])
    for (let at = 0; at < bytes.length; at++) {
      worker.socket.write(bytes.subarray(at, at + 1))
      await new Promise(setImmediate)
    }
    const [first, second] = await answered
    expect([first.body, second.bytes]).toEqual(['one two three', 3])
  })

  test('frames that come while an answer waits for its window are kept', async () => {
    worker.generous = false
    const [slow, ...quick] = [0, 0, 0, 0].map(() => worker.nextId())
    const answered = worker.expect(slow!)
    const others = quick.map((id) => worker.expect(id))
    worker.socket.write(
      Buffer.concat([
        requestFrame(slow!, { path: '/stream', query: `size=${INITIAL_WINDOW + 10}` }),
        requestFrame(quick[0]!, { path: '/one-piece', query: 'size=1' }),
        requestFrame(quick[1]!, { path: '/one-piece', query: 'size=2' }),
      ]),
    )
    const late = requestFrame(quick[2]!, { path: '/one-piece', query: 'size=3' })
    worker.socket.write(Buffer.concat([frame(FrameType.CANCEL, quick[0]!), late.subarray(0, 30)]))
    await pause(100)
    worker.socket.write(Buffer.concat([late.subarray(30), windowFrame(slow!, 10)]))
    expect((await answered).bytes).toBe(INITIAL_WINDOW + 10)
    const [cancelled, ...answers] = await Promise.all(others)
    // Beside others it may have been answered before it was cancelled.
    if (many === 1 || cancelled!.failed) {
      expect(cancelled).toMatchObject({ failed: true, status: 0, frames: [FrameType.END] })
    } else {
      expect(cancelled!.bytes).toBe(1)
    }
    expect(answers.map(({ bytes }) => bytes)).toEqual([2, 3])
    worker.generous = true
  })

  test('a request that is cancelled before its turn never reaches the application', async () => {
    const ids = Array.from({ length: many + 1 }, () => worker.nextId())
    const answers = ids.map((id) => worker.expect(id))
    const last = ids.at(-1)!
    const sleepers = ids.slice(0, -1).map((id) => requestFrame(id, { path: '/steps' }))
    worker.socket.write(Buffer.concat(sleepers))
    await pause(50)
    worker.socket.write(
      Buffer.concat([requestFrame(last, { path: '/raises' }), frame(FrameType.CANCEL, last)]),
    )
    expect(await answers.at(-1)).toMatchObject({ failed: true, status: 0, frames: [FrameType.END] })
    for (const answer of await Promise.all(answers.slice(0, -1))) expect(answer.body).toBe('0;1;2;')
    expect(supervisor.log).not.toContain('/raises:')
  })

  test.each([65_536, 1_000_000])(
    '120 MB in pieces of %i for a slow reader stay in the application',
    async (chunk) => {
      const size = 120_000_000
      worker.generous = false
      const id = worker.nextId()
      const answered = worker.expect(id)
      worker.socket.write(
        requestFrame(id, { path: '/stream', query: `size=${size}&chunk=${chunk}` }),
      )
      await worker.until((seen) => seen.some((one) => one.id === id && one.type === FrameType.DATA))
      let most = 0
      for (let granted = INITIAL_WINDOW; granted < size; granted += 2_000_000) {
        await pause(4)
        most = Math.max(most, resident(worker.hello.pid))
        worker.socket.write(windowFrame(id, 2_000_000))
      }
      expect(await answered).toMatchObject({ bytes: size, failed: false })
      // What a language's collector has not yet given back, but not the whole body.
      expect(most).toBeLessThan(110_000_000)
      worker.generous = true
    },
  )

  test('never more than the window', async () => {
    worker.generous = false
    let got = 0
    const id = worker.nextId()
    const answered = worker.expect(id)
    const count = (chunk: Buffer): void => {
      got += chunk.length
    }
    worker.socket.on('data', count)
    worker.socket.write(requestFrame(id, { path: '/stream', query: 'size=3000000&chunk=999' }))
    await pause(300)
    // The frames' own heads come on top.
    expect(got).toBeLessThan(INITIAL_WINDOW * 1.05)
    worker.socket.write(windowFrame(id, 3_000_000))
    expect((await answered).bytes).toBe(3_000_000)
    worker.socket.off('data', count)
    worker.generous = true
  })
}

/** `own`: what is garbage to this worker alone. */
export function garbageSuite(
  launch: () => Promise<Supervisor>,
  own: readonly (readonly [string, Buffer])[] = [],
): void {
  const lengths = (line: number, fields: number): Buffer => {
    const payload = Buffer.alloc(20)
    payload.writeUInt32LE(line, 0)
    payload.writeUInt32LE(fields, 4)
    return payload
  }
  const huge = Buffer.alloc(12)
  huge.writeUInt32LE(MAX_FRAME + 1, 0)
  huge.writeUInt8(FrameType.REQUEST, 8)
  const oddFields = requestFrame(1, { fields: { A: 'b' } })
  oddFields.writeUInt8(0x41, oddFields.length - 2)

  test.each<readonly [string, Buffer]>([
    ['an unknown type', frame(99, 1)],
    ['an unknown type without its end', frame(99, 1, 0, Buffer.alloc(50)).subarray(0, 20)],
    ['a frame from the other side', frame(FrameType.DATA, 1)],
    ['a body in pieces', frame(FrameType.BODY, 1, 0, Buffer.alloc(30))],
    ['the end of a body in pieces', frame(FrameType.BODY_END, 1)],
    ['a frame that is too large', huge],
    ['a request without lengths', frame(FrameType.REQUEST, 1, 0, Buffer.alloc(3))],
    ['a request with parts longer than itself', frame(FrameType.REQUEST, 1, 0, lengths(9, 9))],
    ['a header block with a name alone', oddFields],
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ...own,
  ])('%s ends the worker with a clear line', async (_, bytes) => {
    const supervisor = await launch()
    onTestFinished(() => supervisor.stop())
    const worker = await supervisor.first()
    worker.socket.write(bytes)
    const exited = await supervisor.heard('exited')
    expect(exited).toMatchObject({ slot: 0, pid: worker.hello.pid, code: 70, signal: null })
    await supervisor.logged(/portico: worker \d+ gives up: .+/)
    expect(supervisor.log).not.toContain('Traceback')
    expect(alive(worker.hello.pid)).toBe(false)
  })
}

function resident(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024
}
