/**
 * A server thread's side of the worker link, for tests: plain, and as slow or as hostile as a test
 * wants it. Frames are as `src/wire/frames.ts` says.
 */
import { createServer, type Server, type Socket } from 'node:net'
import {
  FAILED,
  FRAME_HEAD,
  FrameType,
  INITIAL_WINDOW,
  REQUEST_SPOOLED,
} from '../../../src/wire/frames.ts'

export interface Frame {
  readonly type: number
  readonly id: number
  readonly flags: number
  readonly extra: number
  readonly payload: Buffer
}

export interface RequestOptions {
  readonly method?: string
  readonly script?: string
  readonly path?: string
  readonly query?: string
  readonly uri?: string
  readonly protocol?: string
  readonly scheme?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** A file with the body. */
  readonly spool?: string
  /** '' for none; by default that of `body`. */
  readonly length?: string
  /** REQUEST_MORE or REQUEST_WEBSOCKET. */
  readonly flags?: number
}

/** What a worker made of a request. */
export interface Answer {
  status: number
  reason: string
  fields: [string, string][]
  /** -1: none was declared. */
  declared: number
  body: string
  bytes: number
  flags: number
  /** The answer was cut short, or is a traceback. */
  failed: boolean
  serviceMicroseconds: number
  /** Types of the frames, in order. */
  frames: number[]
  /** Field lines of END. */
  trailers: string
  /** Of a FILE frame. */
  file?: { path: string; offset: number; length: number }
}

export function frame(
  type: number,
  id: number,
  flags = 0,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(id, 4)
  head.writeUInt8(type, 8)
  head.writeUInt8(flags, 9)
  return Buffer.concat([head, payload])
}

export function windowFrame(id: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(bytes)
  return frame(FrameType.WINDOW, id, 0, payload)
}

export function requestFrame(id: number, options: RequestOptions = {}): Buffer {
  const path = options.path ?? '/'
  const query = options.query ?? ''
  const body = Buffer.from(options.spool ?? options.body ?? '')
  const line = Buffer.from(
    [
      options.method ?? 'GET',
      options.script ?? '',
      path,
      query,
      options.uri ?? (query === '' ? path : `${path}?${query}`),
      options.protocol ?? 'HTTP/1.1',
      '127.0.0.1',
      '54321',
      'localhost',
      '8080',
      options.scheme ?? 'http',
      options.length ?? (body.length > 0 ? String(body.length) : ''),
    ].join('\0'),
    'latin1',
  )
  const fields = Buffer.from(
    Object.entries(options.fields ?? { HTTP_HOST: 'localhost:8080' })
      .flat()
      .join('\0'),
    'latin1',
  )
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32LE(line.length, 0)
  lengths.writeUInt32LE(fields.length, 4)
  const flags = options.spool === undefined ? (options.flags ?? 0) : REQUEST_SPOOLED
  return frame(FrameType.REQUEST, id, flags, Buffer.concat([lengths, line, fields, body]))
}

/** Cuts a stream of bytes into frames, wherever its chunks end. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  feed(chunk: Buffer): Frame[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Frame[] = []
    while (rest.length >= FRAME_HEAD) {
      const end = FRAME_HEAD + rest.readUInt32LE(0)
      if (rest.length < end) break
      frames.push({
        id: rest.readUInt32LE(4),
        type: rest.readUInt8(8),
        flags: rest.readUInt8(9),
        extra: rest.readUInt16LE(10),
        payload: rest.subarray(FRAME_HEAD, end),
      })
      rest = rest.subarray(end)
    }
    this.#rest = rest
    return frames
  }
}

interface Pending {
  readonly answer: Answer
  readonly chunks: Buffer[]
  readonly done: (answer: Answer) => void
  readonly failed: (error: Error) => void
}

/** One worker's connection. */
export class WorkerLink {
  readonly hello: {
    app: string
    slot: number
    pid: number
    capacity: number
    streams: boolean
  }
  readonly socket: Socket
  /** Types of all the frames that came, with their ids. */
  readonly seen: Frame[] = []
  readonly closed: Promise<void>
  /** Give windows as DATA comes. */
  generous = true
  /** What to answer FILE with: 0 opened, 1 refused, null nothing yet. */
  opens: number | null = 0
  #next = 1
  readonly #pending = new Map<number, Pending>()
  readonly #reader: FrameReader
  #watchers: (() => void)[] = []

  constructor(socket: Socket, hello: Frame, reader: FrameReader) {
    this.socket = socket
    this.#reader = reader
    this.hello = JSON.parse(hello.payload.toString()) as WorkerLink['hello']
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const pending of this.#pending.values()) pending.failed(new Error('the worker left'))
        this.#pending.clear()
        resolve()
      })
    })
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      for (const one of this.#reader.feed(chunk)) this.take(one)
    })
  }

  /** Sends a request; resolves when its answer is complete. */
  request(options: RequestOptions = {}): Promise<Answer> {
    const id = this.nextId()
    const answered = this.expect(id)
    this.socket.write(requestFrame(id, options))
    return answered
  }

  nextId(): number {
    return this.#next++
  }

  /** Resolves with the answer to request `id`. */
  expect(id: number): Promise<Answer> {
    return new Promise((done, failed) => {
      this.#pending.set(id, {
        answer: {
          status: 0,
          reason: '',
          fields: [],
          declared: -1,
          body: '',
          bytes: 0,
          flags: 0,
          failed: false,
          serviceMicroseconds: 0,
          frames: [],
          trailers: '',
        },
        chunks: [],
        done,
        failed,
      })
    })
  }

  /** Resolves as soon as `test` holds for what has been seen. */
  async until(test: (seen: readonly Frame[]) => boolean): Promise<void> {
    while (!test(this.seen)) {
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve)
      })
    }
  }

  take(one: Frame): void {
    this.seen.push({ ...one, payload: one.type === FrameType.DATA ? Buffer.alloc(0) : one.payload })
    const pending = this.#pending.get(one.id)
    if (pending !== undefined) this.#apply(one, pending)
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }

  #apply(one: Frame, pending: Pending): void {
    const { answer, chunks } = pending
    answer.frames.push(one.type)
    switch (one.type) {
      case FrameType.RESPONSE:
      case FrameType.HEAD: {
        const headLength = one.payload.readUInt32LE(0)
        answer.serviceMicroseconds = one.payload.readUInt32LE(4)
        answer.declared = Number(one.payload.readBigInt64LE(8))
        const head = one.payload.toString('latin1', 16, 16 + headLength).split('\r\n')
        answer.status = one.extra
        answer.flags = one.flags
        answer.reason = head[0]!
        answer.fields = head
          .slice(1, -1)
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
        if (one.type === FrameType.HEAD) return
        chunks.push(one.payload.subarray(16 + headLength))
        break
      }
      case FrameType.DATA:
        answer.bytes += one.payload.length
        // Only what a test can look at: a long body must not fill the tests' memory.
        if (answer.bytes <= INITIAL_WINDOW * 2) chunks.push(one.payload)
        if (this.generous) this.socket.write(windowFrame(one.id, one.payload.length))
        return
      case FrameType.FILE:
        answer.file = {
          offset: Number(one.payload.readBigUInt64LE(0)),
          length: Number(one.payload.readBigUInt64LE(8)),
          path: one.payload.toString('utf8', 16),
        }
        if (this.opens !== null) this.socket.write(frame(FrameType.OPENED, one.id, this.opens))
        return
      case FrameType.END:
        answer.serviceMicroseconds = one.payload.readUInt32LE(0)
        answer.trailers = one.payload.toString('latin1', 4)
        break
      case FrameType.INFORM:
      case FrameType.GRANT:
      case FrameType.ACCEPT:
      case FrameType.SEND:
      case FrameType.SHUT:
        // For the test to look at, in `seen`.
        return
      default:
        throw new Error(`frame of type ${one.type} for request ${one.id}`)
    }
    const body = Buffer.concat(chunks)
    answer.bytes ||= body.length
    answer.body = body.toString('latin1')
    answer.failed = (one.flags & FAILED) !== 0
    this.#pending.delete(one.id)
    pending.done(answer)
  }
}

/** A server thread's listening socket for workers. */
export class LinkServer {
  readonly path: string
  readonly #server: Server
  readonly #ready: WorkerLink[] = []
  readonly #waiting: ((link: WorkerLink) => void)[] = []
  readonly #sockets = new Set<Socket>()

  constructor(path: string) {
    this.path = path
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      const reader = new FrameReader()
      const greet = (chunk: Buffer): void => {
        const frames = reader.feed(chunk)
        const hello = frames.shift()
        if (hello === undefined) return
        socket.off('data', greet)
        const link = new WorkerLink(socket, hello, reader)
        for (const one of frames) link.take(one)
        const waiting = this.#waiting.shift()
        if (waiting === undefined) this.#ready.push(link)
        else waiting(link)
      }
      socket.on('data', greet)
      socket.on('error', () => socket.destroy())
    })
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.path, resolve))
  }

  /** The next worker that says HELLO. */
  worker(): Promise<WorkerLink> {
    const link = this.#ready.shift()
    if (link !== undefined) return Promise.resolve(link)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}
