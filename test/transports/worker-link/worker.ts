/**
 * A worker that streams, in this process, doing exactly what a test says; and a site with real sockets
 * whose only application it is.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { app } from '../../../src/handlers/app.ts'
import { type Acceptor, accept } from '../../../src/listen/accept.ts'
import { onTick } from '../../../src/request/clock.ts'
import type { LimitsPlan, PythonAppPlan, TimeoutsPlan } from '../../../src/site/plan.ts'
import { Claims } from '../../../src/transports/worker-link/claims.ts'
import { Dispatch, type Slow, type Stuck } from '../../../src/transports/worker-link/dispatch.ts'
import { type LinkOwner, WorkerLink } from '../../../src/transports/worker-link/link.ts'
import { FAILED, FRAME_HEAD, FrameType, RESPONSE_FIXED, TEXT } from '../../../src/wire/frames.ts'
import { type ListeningSite, listeningSite } from '../../gateways/http1/site.ts'
import { type Frame, FrameReader } from '../../runtimes/python/link.ts'
import { appPlan, until } from '../../supervisor/site.ts'

export interface WorkerOptions {
  readonly slot?: number
  readonly pid?: number
  readonly capacity?: number
  readonly streams?: boolean
}

/** A request as the worker got it, and everything that came for it since. */
export class Request {
  readonly id: number
  readonly flags: number
  readonly line: readonly string[]
  readonly fields: Readonly<Record<string, string>>
  readonly whole: Buffer
  /** Every later frame. */
  readonly frames: Frame[] = []
  readonly #worker: FakeWorker

  constructor(worker: FakeWorker, frame: Frame) {
    this.#worker = worker
    const { payload } = frame
    this.id = frame.id
    this.flags = frame.flags
    const fieldsAt = 8 + payload.readUInt32LE(0)
    const bodyAt = fieldsAt + payload.readUInt32LE(4)
    this.line = payload.toString('latin1', 8, fieldsAt).split('\0')
    const pairs = payload.toString('latin1', fieldsAt, bodyAt).split('\0')
    this.fields = Object.fromEntries(
      Array.from({ length: pairs.length >> 1 }, (_, i) => [pairs[2 * i], pairs[2 * i + 1]]),
    )
    this.whole = Buffer.from(payload.subarray(bodyAt))
  }

  get method(): string {
    return this.line[0]!
  }

  get path(): string {
    return this.line[2]!
  }

  get contentLength(): string {
    return this.line[11]!
  }

  /** Types of the later frames. */
  get types(): number[] {
    return this.frames.map(({ type }) => type)
  }

  of(type: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  /** Of BODY frames, so far. */
  get body(): Buffer {
    return Buffer.concat(this.of(FrameType.BODY).map(({ payload }) => payload))
  }

  get messages(): string[] {
    return this.of(FrameType.MESSAGE).map(({ payload }) => payload.toString())
  }

  /** Of CLOSE, null before it. */
  get closed(): { code: number; reason: string } | null {
    const close = this.of(FrameType.CLOSE)[0]
    if (close === undefined) return null
    return { code: close.payload.readUInt16LE(0), reason: close.payload.toString('utf8', 2) }
  }

  /** Waits for a frame. */
  got(type: number, count = 1): Promise<Frame> {
    return until(`frame ${type} of ${this.path}; there were ${this.types}`, () => {
      const found = this.of(type)
      return found.length >= count && found[count - 1]
    })
  }

  respond(status: number, body: string | Buffer = '', fields = ''): void {
    this.#answer(FrameType.RESPONSE, status, fields, Buffer.from(body), -1)
  }

  head(status: number, fields = '', length = -1): void {
    this.#answer(FrameType.HEAD, status, fields, Buffer.alloc(0), length)
  }

  data(body: string | Buffer): void {
    this.#worker.send(FrameType.DATA, this.id, { payload: Buffer.from(body) })
  }

  end(options: { failed?: boolean; trailers?: string } = {}): void {
    const payload = Buffer.concat([Buffer.alloc(4), Buffer.from(options.trailers ?? '')])
    this.#worker.send(FrameType.END, this.id, { flags: options.failed ? FAILED : 0, payload })
  }

  inform(status: number, fields: string): void {
    this.#worker.send(FrameType.INFORM, this.id, { extra: status, payload: Buffer.from(fields) })
  }

  grant(bytes: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt32LE(bytes)
    this.#worker.send(FrameType.GRANT, this.id, { payload })
  }

  accept(fields = ''): void {
    this.#worker.send(FrameType.ACCEPT, this.id, { payload: Buffer.from(fields) })
  }

  message(message: string | Buffer): void {
    const flags = typeof message === 'string' ? TEXT : 0
    this.#worker.send(FrameType.SEND, this.id, { flags, payload: Buffer.from(message) })
  }

  shut(code: number, reason = ''): void {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
    payload.writeUInt16LE(code)
    payload.write(reason, 2)
    this.#worker.send(FrameType.SHUT, this.id, { payload })
  }

  #answer(type: number, status: number, fields: string, body: Buffer, length: number): void {
    const head = `\r\n${fields}`
    const fixed = Buffer.alloc(RESPONSE_FIXED)
    fixed.writeUInt32LE(head.length, 0)
    fixed.writeBigInt64LE(BigInt(length), 8)
    const payload = Buffer.concat([fixed, Buffer.from(head, 'latin1'), body])
    this.#worker.send(type, this.id, { extra: status, payload })
  }
}

export class FakeWorker {
  readonly socket: Socket
  readonly requests: Request[] = []
  /** Reads that brought frames. */
  reads = 0
  quit = false
  /** Told of each request. */
  onRequest: (request: Request) => void = () => {}
  /** Told of each later frame. */
  onFrame: (request: Request, frame: Frame) => void = () => {}
  #parts: Buffer[] = []
  #have = 0
  #need = FRAME_HEAD
  readonly #byId = new Map<number, Request>()
  #taken = 0

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.reads++
      this.#read(chunk)
    })
    socket.on('error', () => {})
  }

  static async connect(path: string, options: WorkerOptions = {}): Promise<FakeWorker> {
    const socket = connect(path)
    await once(socket, 'connect')
    const worker = new FakeWorker(socket)
    const hello = { app: 'app', slot: 0, pid: 1, capacity: 1000, streams: true, ...options }
    worker.send(FrameType.HELLO, 0, { payload: Buffer.from(JSON.stringify(hello)) })
    return worker
  }

  /** The next request that nobody has asked for. */
  async next(): Promise<Request> {
    await until('a request', () => this.requests.length > this.#taken)
    return this.requests[this.#taken++]!
  }

  send(
    type: number,
    id: number,
    { flags = 0, extra = 0, payload = Buffer.alloc(0) }: Partial<Omit<Frame, 'id' | 'type'>> = {},
  ): void {
    const head = Buffer.alloc(FRAME_HEAD)
    head.writeUInt32LE(payload.length, 0)
    head.writeUInt32LE(id, 4)
    head[8] = type
    head[9] = flags
    head.writeUInt16LE(extra, 10)
    this.socket.write(Buffer.concat([head, payload]))
  }

  die(): void {
    this.socket.destroy()
  }

  /** A large frame is put together once, when all of it is here. */
  #read(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#have < this.#need) return
    const reader = new FrameReader()
    const all = Buffer.concat(this.#parts)
    let used = 0
    for (const frame of reader.feed(all)) {
      used += FRAME_HEAD + frame.payload.length
      this.#take(frame)
    }
    const rest = all.subarray(used)
    this.#parts = [rest]
    this.#have = rest.length
    this.#need = FRAME_HEAD + (rest.length < 4 ? 0 : rest.readUInt32LE(0))
  }

  #take(frame: Frame): void {
    if (frame.type === FrameType.QUIT) this.quit = true
    else if (frame.type === FrameType.REQUEST) {
      const request = new Request(this, frame)
      this.requests.push(request)
      this.#byId.set(frame.id, request)
      this.onRequest(request)
    } else {
      const request = this.#byId.get(frame.id)
      if (request === undefined) throw new Error(`frame ${frame.type} for unknown ${frame.id}`)
      request.frames.push({ ...frame, payload: Buffer.from(frame.payload) })
      this.onFrame(request, frame)
    }
  }
}

export interface AppSiteOptions {
  readonly app?: Partial<PythonAppPlan>
  readonly limits?: Partial<LimitsPlan>
  readonly timeouts?: Partial<TimeoutsPlan>
  /** No worker yet. */
  readonly empty?: boolean
  readonly worker?: WorkerOptions
}

/** A site on a port of the kernel's choice, with one worker. */
export class AppSite {
  readonly dispatch: Dispatch
  readonly stuck: Stuck[] = []
  readonly slow: Slow[] = []
  worker: FakeWorker = null!
  readonly #site: ListeningSite
  readonly #folder: string
  readonly #links: Acceptor
  readonly #workers: FakeWorker[] = []
  readonly #stopTicking: () => void

  private constructor(
    dispatch: Dispatch,
    stuck: Stuck[],
    slow: Slow[],
    site: ListeningSite,
    folder: string,
    links: Acceptor,
  ) {
    this.dispatch = dispatch
    this.stuck = stuck
    this.slow = slow
    this.#site = site
    this.#folder = folder
    this.#links = links
    this.#stopTicking = onTick((now) => dispatch.check(now))
  }

  static async open(options: AppSiteOptions = {}): Promise<AppSite> {
    const folder = mkdtempSync(join(tmpdir(), 'portico-link-'))
    const slots = 4
    const stuck: Stuck[] = []
    const slow: Slow[] = []
    const claims = new Claims(Claims.allocate(slots, 1), slots, 1, 0)
    const dispatch = new Dispatch(appPlan({ workers: slots, ...options.app }), claims, {
      dev: true,
      stuck: (report) => stuck.push(report),
      slow: (report) => slow.push(report),
      wanted: () => {},
      sendFile: () => {},
    })
    const stranger: LinkOwner = {
      hello: (link, hello) => dispatch.hello(link, hello),
      served: () => {},
      settled: () => {},
      file: () => {},
      lost: () => {},
    }
    const ready = Promise.withResolvers<void>()
    const links = accept({
      on: { path: join(folder, 'link.sock') },
      admit: () => true,
      connect: (socket) => new WorkerLink(socket, stranger),
      ready: ready.resolve,
      failed: ready.reject,
    })
    await ready.promise
    const { limits = {}, timeouts = {} } = options
    const site = await listeningSite({
      routes: {
        '/': app(dispatch, folder),
        '/urgent/': app(dispatch, folder, { deadlines: null, urgent: true }),
      },
      limits,
      timeouts,
    })
    const made = new AppSite(dispatch, stuck, slow, site, folder, links)
    if (options.empty !== true) made.worker = await made.connect(options.worker)
    return made
  }

  get port(): number {
    return this.#site.port
  }

  /** Where workers connect. */
  get linkPath(): string {
    return join(this.#folder, 'link.sock')
  }

  /** Another worker. */
  async connect(options: WorkerOptions = {}): Promise<FakeWorker> {
    const before = this.dispatch.workers
    const worker = await FakeWorker.connect(this.linkPath, options)
    this.#workers.push(worker)
    await until('the worker', () => this.dispatch.workers > before)
    return worker
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopTicking()
    this.#site.close()
    this.#links.close()
    for (const worker of this.#workers) worker.die()
    await until('links to close', () => this.dispatch.workers === 0)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
