/**
 * Hot: one worker as one server thread sees it: requests go out in shared writes, answers come back
 * in shared reads. `claimed` places in shared memory are held while anything is in its hands.
 */
import type { Socket } from 'node:net'
import { PorticoError } from '../../errors.ts'
import type { Connection } from '../../listen/accept.ts'
import { discardBody } from '../../request/body.ts'
import { clock } from '../../request/clock.ts'
import { type AnswerHead, COPIED } from '../../request/exchange.ts'
import { FAILED, FRAME_HEAD, FrameType, RESPONSE_FIXED } from '../../wire/frames.ts'
import { Memo } from '../../wire/memo.ts'
import { requestSize, writeFrameHead, writeRequest } from './encode.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { InHand } from './in-hand.ts'
import type { Announced, Job, JobLink } from './job.ts'

/** What a link tells the dispatcher it belongs to. */
export interface LinkOwner {
  /** The first frame named the worker. Returns the link's real owner, or null to refuse. */
  hello(link: WorkerLink, hello: Hello): LinkOwner | null
  /** A request is over; `us` is what the worker measured. */
  served(link: WorkerLink, us: number, failed: boolean): void
  /** All that one read brought is done: time to hand out more. */
  settled(): void
  /** The worker asks to have a file sent as the body of `job`. */
  file(link: WorkerLink, job: Job, file: FileBody): void
  /** The link is gone; `jobs` were in its hands, oldest first. */
  lost(link: WorkerLink, jobs: Job[]): void
}

export interface Hello {
  readonly app: string
  readonly slot: number
  readonly pid: number
  readonly capacity: number
}

export interface FileBody {
  readonly path: string
  readonly offset: number
  readonly length: number
}

const ARENA = 65_536

/** Heads that workers sent, to answer heads: applications answer with few different ones. */
const heads = new Memo<AnswerHead>(1024)

export class WorkerLink implements Connection, FrameSink, JobLink {
  readonly #socket: Socket
  readonly #reader: FrameReader = new FrameReader(this)
  #owner: LinkOwner
  hello: Hello | null = null
  readonly #jobs = new InHand()
  /** Places of the slot that this thread holds in shared memory. */
  claimed = 0
  /** It takes no more requests: a deadline has passed, or the worker was told to go. */
  shut = false
  #arena: Buffer = Buffer.allocUnsafeSlow(ARENA)
  #filled = 0
  /** Jobs written since the last flush. */
  batch = 0
  /** What was written last, when that was a request. */
  #last: Job | null = null
  /** It ended without having read all that we wrote. */
  #readLess = false

  constructor(socket: Socket, owner: LinkOwner) {
    this.#socket = socket
    this.#owner = owner
    // A unix socket says so: EPIPE where it was closed before, ECONNRESET where something lay unread.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#readLess = error.code === 'EPIPE' || error.code === 'ECONNRESET'
    })
  }

  /** The request that the worker had not read completely when it ended: nothing of it was done. */
  get unread(): Job | null {
    return this.#readLess ? this.#last : null
  }

  get inHand(): number {
    return this.#jobs.size
  }

  /** In its hands, oldest first. */
  jobs(): Job[] {
    return this.#jobs.oldestFirst()
  }

  // To the worker.

  /** Puts a request into the next write. */
  add(job: Job): void {
    this.#jobs.add(job)
    job.link = this
    job.since = clock.now
    this.#last = job
    const size = requestSize(job.line, job.fields, job.body.bytes)
    this.#room(size)
    this.#filled = writeRequest(
      this.#arena,
      this.#filled,
      job.id,
      job.line,
      job.fields,
      job.body.bytes,
      job.body.path !== '',
    )
    this.batch++
  }

  flush(): void {
    if (this.#filled === 0) return
    const bytes = this.#arena.subarray(0, this.#filled)
    this.#filled = 0
    this.batch = 0
    this.#socket.write(bytes)
    // What the kernel did not take at once still refers to the arena.
    if (this.#socket.writableLength > 0) this.#arena = Buffer.allocUnsafeSlow(ARENA)
  }

  grant(id: number, bytes: number): void {
    if (this.#jobs.get(id) === null) return
    this.#last = null
    this.#room(FRAME_HEAD + 4)
    const at = writeFrameHead(this.#arena, this.#filled, FrameType.WINDOW, 0, id, 4)
    this.#filled = this.#arena.writeUInt32LE(bytes, at)
    this.flush()
  }

  cancel(id: number): void {
    if (this.#jobs.get(id) !== null) this.#bare(FrameType.CANCEL, 0, id)
  }

  /** Answers FILE. */
  opened(id: number, refused: boolean): void {
    this.#bare(FrameType.OPENED, refused ? 1 : 0, id)
  }

  #bare(type: number, flags: number, id: number): void {
    this.#last = null
    this.#room(FRAME_HEAD)
    this.#filled = writeFrameHead(this.#arena, this.#filled, type, flags, id, 0)
    this.flush()
  }

  #room(size: number): void {
    if (this.#arena.length - this.#filled >= size) return
    this.flush()
    if (this.#arena.length < size) this.#arena = Buffer.allocUnsafeSlow(size)
  }

  /** Has the worker end after what it has in hand. */
  quit(): void {
    this.shut = true
    this.#bare(FrameType.QUIT, 0, 0)
  }

  /** Cuts the link; its jobs go to `lost`. */
  destroy(): void {
    this.#socket.destroy()
  }

  // From the worker.

  read(bytes: Buffer, length: number): boolean {
    try {
      this.#reader.read(bytes, length)
    } catch {
      // What is no frame comes from no worker of ours.
      this.#socket.destroy()
      return true
    }
    this.#owner.settled()
    return true
  }

  ended(): void {
    this.#socket.destroy()
  }

  drained(): void {}

  closed(): void {
    const jobs = this.#jobs.oldestFirst()
    for (const job of jobs) this.#jobs.delete(job)
    this.#owner.lost(this, jobs)
  }

  frame(type: number, flags: number, extra: number, id: number, payload: Buffer): void {
    if (this.hello === null) return this.#introduce(type, payload)
    if (type === FrameType.LEAVING) return this.quit()
    const job = this.#jobs.get(id)
    // The answer to something that was given up meanwhile.
    if (job === null) return
    switch (type) {
      case FrameType.RESPONSE:
        return this.#response(job, flags, extra, payload)
      case FrameType.HEAD: {
        job.announced = decodeHead(flags, extra, payload)
        return
      }
      case FrameType.END:
        job.begin()
        if ((flags & FAILED) !== 0)
          job.fail(new PorticoError('APP_FAILED', 'its answer is cut short'))
        else job.end()
        return this.#over(job, payload.readUInt32LE(0), (flags & FAILED) !== 0)
      case FrameType.FILE:
        return this.#file(job, payload)
      default:
        throw new Error(`frame type ${type}`)
    }
  }

  data(id: number, bytes: Buffer): void {
    const job = this.#jobs.get(id)
    if (job === null) return
    job.begin()
    job.data(bytes)
  }

  #introduce(type: number, payload: Buffer): void {
    if (type !== FrameType.HELLO) throw new Error('no HELLO')
    const hello = parseHello(payload.toString())
    const owner = hello === null ? null : this.#owner.hello(this, hello)
    if (hello === null || owner === null) throw new Error('HELLO')
    this.hello = hello
    this.#owner = owner
  }

  #response(job: Job, flags: number, status: number, payload: Buffer): void {
    const headLength = payload.readUInt32LE(0)
    const us = payload.readUInt32LE(4)
    const body = payload.subarray(RESPONSE_FIXED + headLength)
    if ((flags & FAILED) !== 0) {
      job.fail(new PorticoError('APP_FAILED', body.toString()))
      return this.#over(job, us, true)
    }
    const { head, length } = decodeHead(flags, status, payload)
    // The read buffer is the next reader's: larger bodies than the gateway copies are copied here.
    const kept = body.length > COPIED ? Buffer.from(body) : body
    job.respond(head, kept, length < 0 ? body.length : length)
    this.#over(job, us, status >= 500)
  }

  #file(job: Job, payload: Buffer): void {
    if (job.announced === null) throw new Error('FILE without HEAD')
    this.#owner.file(this, job, {
      offset: Number(payload.readBigUInt64LE(0)),
      length: Number(payload.readBigUInt64LE(8)),
      path: payload.toString('utf8', 16),
    })
  }

  #over(job: Job, us: number, failed: boolean): void {
    this.#jobs.delete(job)
    if (this.#last === job) this.#last = null
    job.link = null
    discardBody(job.body)
    this.#owner.served(this, us, failed)
  }
}

function decodeHead(flags: number, status: number, payload: Buffer): Announced {
  const end = RESPONSE_FIXED + payload.readUInt32LE(0)
  const length = payload.readUInt32LE(8) + payload.readInt32LE(12) * 0x1_0000_0000
  const text = payload.toString('latin1', RESPONSE_FIXED, end)
  const known = heads.get(text)
  if (known !== undefined && known.status === status) return { head: known, length }
  const line = text.indexOf('\r\n')
  const head: AnswerHead = {
    status,
    reason: text.slice(0, line),
    fields: text.slice(line + 2),
    has: flags & 3,
  }
  return { head: heads.put(text, head, () => text), length }
}

function parseHello(text: string): Hello | null {
  const hello: unknown = JSON.parse(text)
  if (typeof hello !== 'object' || hello === null) return null
  const { app, slot, pid, capacity } = { app: '', slot: -1, pid: 0, capacity: 1, ...hello }
  return Number.isInteger(slot) && slot >= 0 ? { app, slot, pid, capacity } : null
}
