/** Two server threads and one worker: whatever falls between two steps, no request waits for ever. */

import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ByteStream } from '../../../src/listen/byte-stream.ts'
import type { Exchange } from '../../../src/request/exchange.ts'
import { Claims } from '../../../src/transports/worker-link/claims.ts'
import { Dispatch } from '../../../src/transports/worker-link/dispatch.ts'
import { Job } from '../../../src/transports/worker-link/job.ts'
import { WorkerLink } from '../../../src/transports/worker-link/link.ts'
import { FRAME_HEAD, FrameType, RESPONSE_FIXED } from '../../../src/wire/frames.ts'
import { parseRequestFields } from '../../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../../src/wire/request-line.ts'
import { appPlan } from '../../supervisor/site.ts'

function frame(type: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(id, 4)
  head[8] = type
  if (type === FrameType.RESPONSE) head.writeUInt16LE(200, 10)
  return Buffer.concat([head, payload])
}

/** One server thread with its link to the worker. */
class Thread {
  readonly dispatch: Dispatch
  link: WorkerLink
  #socket: PassThrough
  /** Turns of the requests that the worker got: what their ids begin with. */
  readonly got: number[] = []
  answered = 0
  failed = 0

  readonly #capacity: number

  constructor(claims: Claims, capacity = 1) {
    this.#capacity = capacity
    this.dispatch = new Dispatch(appPlan({ workers: 1 }), claims, {
      dev: false,
      stuck: () => {},
      slow: () => {},
      wanted: () => {},
      sendFile: () => {},
    })
    this.#socket = new PassThrough()
    this.link = this.connect()
  }

  /** A worker connects. */
  connect(): WorkerLink {
    this.#socket = Object.assign(new PassThrough(), { trouble: '' })
    this.#socket.on('data', (bytes: Buffer) => this.got.push(bytes.readUInt32LE(4) >>> 17))
    this.link = new WorkerLink(this.#socket as unknown as ByteStream, this.dispatch)
    const hello = JSON.stringify({ app: 'app', slot: 0, pid: 1, capacity: this.#capacity })
    this.#receive(frame(FrameType.HELLO, 0, Buffer.from(hello)))
    return this.link
  }

  /** The worker ends; what the socket says about it. */
  lose(code: string): void {
    Object.assign(this.#socket, { trouble: code })
    this.link.closed()
  }

  ask(method = 'GET'): void {
    const exchange = {
      line: parseRequestLine(`${method} / HTTP/1.1`),
      fields: parseRequestFields('Host: localhost\r\n', 1, 10),
      peer: { address: '', port: 0, localAddress: '', localPort: 0, scheme: 'http' },
      prefix: '/',
      onGone: null,
      respond: () => {
        this.answered++
      },
      fail: () => {
        this.failed++
      },
    }
    const body = { bytes: Buffer.alloc(0), path: '', length: 0 }
    this.dispatch.submit(new Job(exchange as unknown as Exchange, body, 0))
  }

  /** The worker answers the oldest request in its hands. */
  answer(): void {
    const payload = Buffer.alloc(RESPONSE_FIXED + 4)
    payload.writeUInt32LE(4, 0)
    payload.write('OK\r\n', RESPONSE_FIXED)
    this.#receive(frame(FrameType.RESPONSE, this.link.jobs()[0]?.id ?? 0, payload))
  }

  #receive(bytes: Buffer): void {
    this.link.read(bytes, bytes.length)
  }
}

/** Claims of a second thread that is overtaken by the first one just before one of its steps. */
class Overtaken extends Claims {
  before: 'wait' | 'woken' | '' = ''
  meanwhile: () => void = () => {}

  override wait(waiting: boolean): void {
    if (waiting) this.#overtake('wait')
    super.wait(waiting)
  }

  override woken(): Promise<unknown> | null {
    this.#overtake('woken')
    return super.woken()
  }

  #overtake(step: 'wait' | 'woken'): void {
    if (this.before !== step) return
    this.before = ''
    this.meanwhile()
  }
}

test.each(['wait', 'woken'] as const)(
  'the worker becomes idle just before the other thread’s %s',
  async (step) => {
    const memory = Claims.allocate(1, 2)
    const overtaken = new Overtaken(memory, 1, 2, 1)
    const [first, second] = [new Thread(new Claims(memory, 1, 2, 0)), new Thread(overtaken)]
    await sleep(10)

    first.ask()
    overtaken.before = step
    overtaken.meanwhile = () => first.answer()
    second.ask()
    await sleep(20)
    expect(first.answered).toBe(1)
    expect(second.got).toEqual([1])
    second.answer()
    expect(second.answered).toBe(1)

    // The worker is nobody's afterwards: both threads can have it at once.
    first.ask()
    await sleep(5)
    expect(first.got).toEqual([1, 2])
    first.answer()
    second.ask()
    await sleep(5)
    expect(second.got).toEqual([1, 2])
  },
)

/** Counts places that were handed to this thread. */
class Counting extends Claims {
  count = 0

  override handed(): number {
    const slot = super.handed()
    if (slot >= 0) this.count++
    return slot
  }
}

test('the place of a worker that died is not passed to and fro between those who wait', async () => {
  const memory = Claims.allocate(1, 2)
  const claims = [0, 1].map((thread) => new Counting(memory, 1, 2, thread))
  const [first, second] = claims.map((one) => new Thread(one))
  if (first === undefined || second === undefined) throw new Error('two threads')
  await sleep(10)
  first.ask()
  first.ask()
  second.ask()
  second.link.closed()
  first.link.closed()
  await sleep(50)
  expect([first.failed, second.failed]).toEqual([1, 0])
  expect(claims.reduce((sum, { count }) => sum + count, 0)).toBeLessThan(3)

  for (const thread of [first, second]) thread.connect()
  await sleep(20)
  for (const thread of [first, second, first, second]) {
    if (thread.link.inHand > 0) thread.answer()
    await sleep(10)
  }
  expect([first.answered, second.answered]).toEqual([1, 1])
})

test.each([
  ['EPIPE', 1],
  ['ECONNRESET', 1],
  ['', 0],
] as const)(
  'a worker that ended (%s) before it read a POST: the next one gets it',
  async (code, again) => {
    const thread = new Thread(new Claims(Claims.allocate(1, 1), 1, 1, 0))
    await sleep(10)
    thread.ask('POST')
    thread.lose(code)
    thread.connect()
    await sleep(10)
    expect(thread.link.inHand).toBe(again)
    if (again === 1) thread.answer()
    expect([thread.answered, thread.failed]).toEqual([again, 1 - again])
  },
)

async function answerAll(thread: Thread): Promise<void> {
  await sleep(10)
  while (thread.link.inHand > 0) {
    thread.answer()
    await sleep(5)
  }
}

/** The window opens for applications that have proved fast. */
async function provedFast(): Promise<Thread> {
  const thread = new Thread(new Claims(Claims.allocate(1, 1), 1, 1, 0))
  await sleep(10)
  for (let i = 0; i < 1_000; i++) {
    thread.ask()
    thread.answer()
  }
  return thread
}

test('nothing stands behind a POST: it would not be known whether that was read', async () => {
  const thread = await provedFast()
  const before = thread.answered
  thread.ask('POST')
  for (let i = 0; i < 3; i++) thread.ask()
  await sleep(10)
  expect(thread.link.inHand).toBe(1)
  thread.lose('ECONNRESET')
  thread.connect()
  await answerAll(thread)
  expect([thread.answered - before, thread.failed]).toEqual([4, 0])
})

test('a worker that ended before it read a batch: the next one gets it', async () => {
  const thread = await provedFast()
  const before = thread.answered
  for (let i = 0; i < 4; i++) thread.ask()
  await sleep(10)
  expect(thread.link.inHand).toBe(4)
  // What had been written alone has been read, or not; the batch behind it has not.
  thread.lose('EPIPE')
  thread.connect()
  await answerAll(thread)
  expect([thread.answered - before, thread.failed]).toEqual([3, 1])
})

test('a link that has ended gets nothing more before it is closed', async () => {
  const thread = new Thread(new Claims(Claims.allocate(1, 1), 1, 1, 0))
  await sleep(10)
  thread.link.ended()
  thread.ask('POST')
  await sleep(10)
  expect(thread.link.inHand).toBe(0)
  expect(thread.got).toEqual([])
  thread.lose('')
  thread.connect()
  await sleep(10)
  thread.answer()
  expect([thread.answered, thread.failed]).toEqual([1, 0])
})

test('a request that its link had no time to send goes to the next worker', async () => {
  const thread = await provedFast()
  for (let i = 0; i < 3; i++) thread.ask()
  await sleep(10)
  for (let i = 0; i < 3; i++) thread.answer()
  const before = thread.answered
  // The last flush carried several: this one waits for company until the turn is over.
  thread.ask('POST')
  thread.link.ended()
  await sleep(10)
  thread.lose('')
  thread.connect()
  await sleep(10)
  thread.answer()
  expect([thread.answered - before, thread.failed]).toEqual([1, 0])
})

test('a worker with many places is shared: none waits while there is one', async () => {
  const memory = Claims.allocate(1, 2)
  const threads = [0, 1].map((thread) => new Thread(new Claims(memory, 1, 2, thread), 3))
  const [first, second] = threads
  if (first === undefined || second === undefined) throw new Error('two threads')
  await sleep(10)
  for (let i = 0; i < 5; i++) first.ask()
  for (let i = 0; i < 5; i++) second.ask()
  await sleep(10)
  expect([first.link.inHand, second.link.inHand]).toEqual([3, 0])
  // Each place goes in turn to whoever waits, and all are in use until nobody does.
  for (let left = 10; left > 0; left--) {
    expect(first.link.inHand + second.link.inHand).toBe(Math.min(left, 3))
    const next = first.link.inHand >= second.link.inHand ? first : second
    next.answer()
    await sleep(5)
  }
  expect([first.answered, second.answered]).toEqual([5, 5])
  expect(new Claims(memory, 1, 2, 0).load(0)).toBe(0)
})
