/** WebSockets over ASGI, over a real worker in both event loops. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  FAILED,
  FrameType,
  INITIAL_WINDOW,
  REQUEST_WEBSOCKET,
  TEXT,
} from '../../../src/wire/frames.ts'
import { closeFrame, frameOf, framesOf, loops, noted } from './asgi-ways.ts'
import {
  type Answer,
  frame,
  type RequestOptions,
  requestFrame,
  type WorkerLink,
  windowFrame,
} from './link.ts'
import { Supervisor } from './supervisor.ts'

const { RESPONSE, END, ACCEPT, SEND, SHUT, MESSAGE, CANCEL, QUIT, GRANT } = FrameType

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(loops)('in $name', ({ how }) => {
  let supervisor: Supervisor
  let worker: WorkerLink

  beforeAll(async () => {
    ;({ supervisor, worker } = await Supervisor.serving(how))
  })
  afterAll(() => supervisor.stop())

  const open = (path: string, more: RequestOptions = {}) => {
    const id = worker.nextId()
    const answered: Promise<Answer> = worker.expect(id)
    worker.socket.write(requestFrame(id, { path, flags: REQUEST_WEBSOCKET, ...more }))
    return { id, answered }
  }
  const say = (id: number, message: string | Buffer): void => {
    const flags = typeof message === 'string' ? TEXT : 0
    worker.socket.write(frame(MESSAGE, id, flags, Buffer.from(message)))
  }
  const sends = (id: number) => framesOf(worker, id).filter((one) => one.type === SEND)

  test('echoes text and bytes, and hears of the end', async () => {
    const { id, answered } = open('/echo', {
      scheme: 'https',
      fields: { HTTP_HOST: 'h', HTTP_SEC_WEBSOCKET_PROTOCOL: 'chat, superchat' },
    })
    const accept = await frameOf(worker, id, ACCEPT)
    expect(accept.payload.toString()).toBe('Sec-WebSocket-Protocol: chat\r\n')
    say(id, 'grüß')
    say(id, Buffer.from([0, 255]))
    say(id, '')
    await worker.until(() => sends(id).length === 3)
    expect(sends(id).map((one) => [one.flags, one.payload.toString('hex')])).toEqual([
      [TEXT, Buffer.from('grüß').toString('hex')],
      [0, '00ff'],
      [TEXT, ''],
    ])
    worker.socket.write(closeFrame(id, 4002, 'enough é'))
    expect(await answered).toMatchObject({ failed: false })
    await pause(20)
    expect(await noted(worker)).toEqual([[4002, 'enough é']])
    expect(framesOf(worker, id).map((one) => one.type)).not.toContain(SHUT)
  })

  test('10,000 messages that come at once are all echoed, in order', async () => {
    const { id, answered } = open('/echo')
    await frameOf(worker, id, ACCEPT)
    const burst = Array.from({ length: 10_000 }, (_, n) =>
      frame(MESSAGE, id, TEXT, Buffer.from(`${n}`)),
    )
    const began = performance.now()
    worker.socket.write(Buffer.concat(burst))
    await worker.until((seen) => seen.at(-1)?.payload.toString() === '9999')
    const took = performance.now() - began
    expect(sends(id).map((one) => one.payload.toString())).toEqual(
      Array.from({ length: 10_000 }, (_, n) => `${n}`),
    )
    expect(took).toBeLessThan(2_000)
    worker.socket.write(closeFrame(id, 1000))
    await answered
    const granted = framesOf(worker, id).filter((one) => one.type === GRANT)
    expect(granted.length).toBeLessThan(3)
    await noted(worker)
  })

  test('messages are granted as the application takes them', async () => {
    const { id } = open('/echo')
    await frameOf(worker, id, ACCEPT)
    for (let i = 0; i < 5; i++) say(id, Buffer.alloc(50_000))
    const grant = await frameOf(worker, id, GRANT)
    expect(grant.payload.readUInt32LE()).toBe(100_000)
    worker.socket.write(closeFrame(id, 1001))
    await pause(20)
    await noted(worker)
  })

  test('is refused, with 403 or an answer of its own', async () => {
    const refused = await open('/refuse').answered
    expect(refused).toMatchObject({ status: 403, frames: [RESPONSE], body: '', declared: 0 })
    expect(await noted(worker)).toEqual(['websocket.disconnect'])
    expect(await open('/deny').answered).toMatchObject({ status: 401, body: 'who are you?' })
    expect(await open('/silent').answered).toMatchObject({ status: 500, failed: true })
    expect((await open('/raises-early').answered).body).toContain('ValueError: wrong before')
    expect((await open('/bad-accept').answered).body).toContain('sec-websocket-accept may not')
  })

  test('is closed by the application with a code and as much of a reason as fits', async () => {
    const { id, answered } = open('/close')
    const accept = await frameOf(worker, id, ACCEPT)
    expect(accept.payload.toString()).toBe('x-mine: yes\r\n')
    const shut = await frameOf(worker, id, SHUT)
    expect(shut.payload.readUInt16LE()).toBe(4001)
    expect(shut.payload.toString('utf8', 2)).toBe('é'.repeat(61))
    expect(framesOf(worker, id).map((one) => one.type)).toEqual([ACCEPT, SEND, SHUT])
    worker.socket.write(closeFrame(id, 4001))
    expect(await answered).toMatchObject({ failed: false })
    await pause(20)
    expect(await noted(worker)).toEqual([{ type: 'websocket.disconnect', code: 4001, reason: '' }])
  })

  test('ends with the application, with 1011 when that failed', async () => {
    const returned = open('/returns')
    expect(await returned.answered).toMatchObject({ failed: false, frames: [ACCEPT, END] })
    const raised = open('/raises')
    expect(await raised.answered).toMatchObject({ failed: true, frames: [ACCEPT, END] })
    expect((await frameOf(worker, raised.id, END)).flags).toBe(FAILED)
    await supervisor.logged('ValueError: wrong in a WebSocket')
    expect(await open('/bad-code').answered).toMatchObject({ failed: true })
  })

  test('sends no more than the window allows, and learns when it is closed', async () => {
    const size = 100_000
    const { id, answered } = open('/flood', { query: `count=100&size=${size}` })
    await pause(150)
    expect(sends(id).length).toBe(Math.ceil(INITIAL_WINDOW / size))
    worker.socket.write(windowFrame(id, size * 2))
    await worker.until(() => sends(id).length >= Math.floor(INITIAL_WINDOW / size) + 2)
    worker.socket.write(closeFrame(id, 1006))
    expect(await answered).toMatchObject({ failed: false })
    await pause(20)
    expect((await noted(worker)).at(-1)).toBe('closed')
  })

  test('a flood of empty messages that nobody takes is ended', async () => {
    const { id } = open('/deaf')
    await frameOf(worker, id, ACCEPT)
    const burst = Buffer.concat(Array.from({ length: 10_000 }, () => frame(MESSAGE, id, TEXT)))
    for (let i = 0; i < 28; i++) worker.socket.write(burst)
    expect((await frameOf(worker, id, SHUT)).payload.readUInt16LE()).toBe(1009)
    worker.socket.write(closeFrame(id, 1009))
  })

  test('a visitor who leaves before it is accepted', async () => {
    const { id, answered } = open('/deaf')
    worker.socket.write(frame(CANCEL, id))
    expect((await answered).frames.at(-1)).toBe(END)
  })

  test('a worker that goes asks its visitors to come again', async () => {
    const { id, answered } = open('/echo')
    await frameOf(worker, id, ACCEPT)
    worker.socket.write(frame(QUIT, 0))
    expect((await frameOf(worker, id, SHUT)).payload.readUInt16LE()).toBe(1012)
    worker.socket.write(closeFrame(id, 1012))
    await answered
    expect(await supervisor.heard('exited')).toMatchObject({ code: 0 })
    expect(supervisor.log).toContain('tidied up')
  })
})
