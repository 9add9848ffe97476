/**
 * Hot: one worker as one server thread sees it: requests go out in shared writes, answers come back
 * in shared reads. `claimed` places in shared memory are held while anything is in its hands.
 */
import { PorticoError } from '../../errors.ts'
import type { ByteStream, Connection } from '../../listen/byte-stream.ts'
import { discardBody } from '../../request/body.ts'
import { clock } from '../../request/clock.ts'
import { type AnswerHead, COPIED } from '../../request/exchange.ts'
import { withoutOrders } from '../../request/orders.ts'
import {
  FAILED,
  FrameType,
  REQUEST_MORE,
  REQUEST_SPOOLED,
  REQUEST_WEBSOCKET,
  RESPONSE_FIXED,
  TEXT,
} from '../../wire/frames.ts'
import { Memo } from '../../wire/memo.ts'
import { interimFields, trailerFields } from './answer-fields.ts'
import type { Bridge } from './bridge.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { InHand } from './in-hand.ts'
import type { Announced, Job, JobLink } from './job.ts'

/** What a link tells the dispatcher it belongs to. */
export interface LinkOwner {
  /** The first frame named the worker. Returns the link's real owner, or null to refuse. */
  hello(link: WorkerLink, hello: Hello): LinkOwner | null
  /** `job` is over; `us` is what the worker measured. */
  served(link: WorkerLink, us: number, failed: boolean, job: Job): void
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
  /** Requests that it takes at a time. */
  readonly capacity: number
  /** It takes bodies in pieces, and WebSockets. */
  readonly streams: boolean
  /** The unix socket on which it speaks HTTP; '' when it takes requests over the link. */
  readonly http: string
}

export interface FileBody {
  readonly path: string
  readonly offset: number
  readonly length: number
}

/** Largest `capacity` of a worker. */
const MOST_CAPACITY = 100_000

const NOTHING = new Uint8Array(0)

/** Heads that workers sent, to answer heads: applications answer with few different ones. */
const heads = new Memo<AnswerHead>(1024)

export class WorkerLink implements Connection, FrameSink, JobLink {
  readonly #socket: ByteStream
  readonly #writer: FrameWriter
  readonly #reader: FrameReader = new FrameReader(this)
  #owner: LinkOwner
  hello: Hello | null = null
  readonly #jobs = new InHand()
  /** Places of the slot that this thread holds in shared memory. */
  claimed = 0
  /** It takes no more requests: a deadline has passed, the worker was told to go, or is gone. */
  shut = false
  /** What it does runs for long: nothing is put behind that. */
  slow = false
  /** When it was reported as stuck, on `clock.now`: it is about to be killed. 0: it was not. */
  condemned = 0
  /** The turn of the request that was seen to run last, where one runs at a time. */
  running = 0
  /** Flags of REQUEST that the worker understands. */
  #understands = REQUEST_SPOOLED
  /** Jobs with a head that may go out when the read at hand is done. */
  #announced: Job[] = []
  #retired = false
  /** It was told to end. */
  #quitting = false
  /** When it was asked whether it is alive, on `clock.now`; 0: it has answered. */
  unanswered = 0
  /** Somebody waits for `drained`. */
  #awaited = false

  constructor(socket: ByteStream, owner: LinkOwner) {
    this.#socket = socket
    this.#writer = new FrameWriter(socket)
    this.#owner = owner
  }

  /** The worker had not read it completely when it ended: nothing of it was done. */
  isUnread(job: Job): boolean {
    if (job.upload === null && this.#writer.isUnsent(job, this.#socket.trouble)) return true
    return this.#leftSomething && job === this.#writer.last
  }

  /** The worker may not have read it. */
  mayBeUnread(job: Job): boolean {
    return this.#leftSomething && this.#writer.inLastFlush(job)
  }

  /** A unix socket says so: EPIPE where it was closed before, ECONNRESET where something lay unread. */
  get #leftSomething(): boolean {
    const { trouble } = this.#socket
    return trouble === 'EPIPE' || trouble === 'ECONNRESET'
  }

  get inHand(): number {
    return this.#jobs.size
  }

  /** In its hands, oldest first. */
  jobs(): Job[] {
    return this.#jobs.oldestFirst()
  }

  /** In its hands, in no order; `visit` may end the one it gets. */
  each(visit: (job: Job) => void): void {
    this.#jobs.each(visit)
  }

  // To the worker.

  /** Puts a request into the next write. */
  add(job: Job): void {
    this.#jobs.add(job)
    job.link = this
    job.since = clock.now
    if (job.upload === null || job.upload.sent) {
      this.#writer.request(job, job.flags & this.#understands)
    } else job.upload.open(this)
  }

  /** The request that was written last, unless something else was written behind it. */
  get last(): Job | null {
    return this.#writer.last
  }

  /** Requests written since the last flush. */
  get batch(): number {
    return this.#writer.batch
  }

  flush(): void {
    this.#writer.flush()
  }

  get congested(): boolean {
    if (!this.#writer.congested) return false
    this.#awaited = true
    return true
  }

  request(job: Job, more: boolean): void {
    if (more && !this.#streams) {
      // A worker of another kind than the last one.
      job.fail(new PorticoError('APP_STARTING', 'this worker takes no body in pieces'))
      return this.skip(job)
    }
    this.#writer.request(job, more ? REQUEST_MORE : job.flags & this.#understands)
    this.flushShared()
  }

  /** Flushes at once when nothing else is in the worker's hands: there is no company to wait for. */
  flushShared(): void {
    if (this.#jobs.size === 1) this.#writer.flush()
    else this.#writer.flushSoon()
  }

  skip(job: Job): void {
    this.#over(job, 0, false)
    this.#owner.settled()
  }

  body(id: number, bytes: Uint8Array): void {
    this.#carry(FrameType.BODY, 0, id, bytes)
  }

  bodyEnd(id: number): void {
    this.#carry(FrameType.BODY_END, 0, id, NOTHING)
  }

  message(id: number, text: boolean, bytes: Uint8Array): void {
    this.#carry(FrameType.MESSAGE, text ? TEXT : 0, id, bytes)
  }

  webSocketClosed(id: number, code: number, reason: string): void {
    const bytes = Buffer.alloc(2 + Buffer.byteLength(reason))
    bytes.writeUInt16LE(code, 0)
    bytes.write(reason, 2)
    this.#carry(FrameType.CLOSE, 0, id, bytes)
  }

  #carry(type: number, flags: number, id: number, bytes: Uint8Array): void {
    if (this.#jobs.get(id) !== null) this.#writer.bytes(type, flags, id, bytes)
  }

  grant(id: number, bytes: number): void {
    if (this.#jobs.get(id) !== null) this.#writer.number(FrameType.WINDOW, id, bytes)
  }

  cancel(id: number): void {
    const job = this.#jobs.get(id)
    // One that is not sent yet is dropped where it would be.
    if (job === null || job.upload?.sent === false) return
    // How long the worker may take to let go of it counts from here.
    if (this.#streams) job.since = clock.now
    this.#writer.bare(FrameType.CANCEL, 0, id)
  }

  /** Asks whether it is alive. */
  ping(): void {
    if (this.unanswered !== 0) return
    this.unanswered = clock.now
    this.#writer.bare(FrameType.PING, 0, 0)
  }

  /** Answers FILE. */
  opened(id: number, refused: boolean): void {
    this.#writer.bare(FrameType.OPENED, refused ? 1 : 0, id)
  }

  /** Has the worker end after what it has in hand; WebSockets do not hold it up. */
  quit(): void {
    this.shut = true
    if (this.#quitting) return
    this.#quitting = true
    this.retire()
    this.#writer.bare(FrameType.QUIT, 0, 0)
  }

  /** Closes the WebSockets: their visitors come back to whoever serves then. */
  retire(): void {
    this.#retired = true
    this.#jobs.each((job) => job.webSocket?.retire())
  }

  get #streams(): boolean {
    return this.hello?.streams === true
  }

  /** Cuts the link; its jobs go to `lost` in a later turn, and none are added meanwhile. */
  destroy(): void {
    this.shut = true
    this.#socket.destroy()
  }

  // From the worker.

  read(bytes: Buffer, length: number): boolean {
    try {
      this.#reader.read(bytes, length)
    } catch {
      // What is no frame comes from no worker of ours.
      this.destroy()
      return true
    }
    if (this.#announced.length > 0) this.#begin()
    this.#owner.settled()
    return true
  }

  /**
   * Lets heads go that nothing has followed: an application may think long about the first part. What
   * the worker wrote in one piece has come in one, so no FILE is to be expected any more.
   */
  #begin(): void {
    const jobs = this.#announced
    this.#announced = []
    for (const job of jobs) if (job.link === this) job.begin()
  }

  ended(): void {
    this.destroy()
  }

  drained(): void {
    if (!this.#awaited) return
    this.#awaited = false
    this.#jobs.each((job) => {
      job.upload?.pass()
      job.webSocket?.pass()
    })
  }

  closed(): void {
    const jobs = this.#jobs.oldestFirst()
    for (const job of jobs) this.#jobs.delete(job)
    this.#owner.lost(this, jobs)
  }

  frame(type: number, flags: number, extra: number, id: number, payload: Buffer): void {
    if (this.hello === null) return this.#introduce(type, payload)
    if (type === FrameType.LEAVING) return this.quit()
    if (type === FrameType.PONG) {
      this.unanswered = 0
      return
    }
    const job = this.#jobs.get(id)
    // The answer to something that was given up meanwhile.
    if (job === null) return
    switch (type) {
      case FrameType.RESPONSE:
        return this.#response(job, flags, extra, payload)
      case FrameType.HEAD: {
        job.announced = decodeHead(flags, extra, payload)
        if (this.#streams) this.#announced.push(job)
        return
      }
      case FrameType.END:
        job.begin()
        if ((flags & FAILED) !== 0)
          job.fail(new PorticoError('APP_FAILED', 'its answer is cut short'))
        else job.end(payload.length > 4 ? trailerFields(payload.toString('latin1', 4)) : '')
        return this.#over(job, payload.readUInt32LE(0), (flags & FAILED) !== 0)
      case FrameType.FILE:
        return this.#file(job, payload)
      case FrameType.GRANT: {
        const bytes = payload.readUInt32LE(0)
        job.upload?.granted(bytes)
        job.webSocket?.granted(bytes)
        return
      }
      case FrameType.SEND:
        return webSocketOf(job).send((flags & TEXT) !== 0, payload)
      case FrameType.ACCEPT:
        return this.#accept(job, payload)
      case FrameType.SHUT:
        return webSocketOf(job).shut(payload.readUInt16LE(0), payload.toString('utf8', 2))
      case FrameType.INFORM:
        // 100 is ours to say, 101 means ACCEPT.
        if (!job.dropped && extra >= 102 && extra <= 199) {
          job.exchange.inform(extra, interimFields(payload.toString('latin1')))
        }
        return
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
    if (hello.streams) this.#understands = REQUEST_SPOOLED | REQUEST_WEBSOCKET
    this.#owner = owner
  }

  #response(job: Job, flags: number, status: number, payload: Buffer): void {
    const headLength = payload.readUInt32LE(0)
    const us = payload.readUInt32LE(4)
    const body = payload.subarray(RESPONSE_FIXED + headLength)
    if ((flags & FAILED) !== 0) {
      job.fail(new PorticoError('APP_FAILED', body.toString().trimEnd()))
      return this.#over(job, us, true)
    }
    const { head, length } = decodeHead(flags, status, payload)
    // The read buffer is the next reader's: larger bodies than the gateway copies are copied here.
    const kept = body.length > COPIED ? Buffer.from(body) : body
    job.respond(head, kept, length < 0 ? body.length : length)
    this.#over(job, us, status >= 500)
  }

  #accept(job: Job, payload: Buffer): void {
    if (job.dropped) return
    const webSocket = webSocketOf(job)
    webSocket.accept(payload.toString('latin1'))
    if (this.#retired) webSocket.retire()
  }

  #file(job: Job, payload: Buffer): void {
    // Its head has gone out already: the worker sends the bytes itself.
    if (job.announced === null) return this.opened(job.id, true)
    // Nor may it go out now: who opens the file needs it.
    this.#announced = this.#announced.filter((other) => other !== job)
    this.#owner.file(this, job, {
      offset: Number(payload.readBigUInt64LE(0)),
      length: Number(payload.readBigUInt64LE(8)),
      path: payload.toString('utf8', 16),
    })
  }

  #over(job: Job, us: number, failed: boolean): void {
    this.#jobs.delete(job)
    this.slow = false
    if (this.#writer.last === job) this.#writer.last = null
    job.link = null
    job.webSocket?.workerEnded(true)
    discardBody(job.body)
    this.#owner.served(this, us, failed, job)
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
    has: flags & 3,
    ...withoutOrders(text.slice(line + 2)),
  }
  return { head: heads.put(text, head, () => text), length }
}

function parseHello(text: string): Hello | null {
  const hello: unknown = JSON.parse(text)
  if (typeof hello !== 'object' || hello === null) return null
  const nobody = { app: '', slot: -1, pid: 0, capacity: 1, streams: false, http: '' }
  const { app, slot, pid, capacity, streams, http } = { ...nobody, ...hello }
  if (!Number.isInteger(slot) || slot < 0) return null
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > MOST_CAPACITY) return null
  return { app, slot, pid, capacity, streams: streams === true, http: String(http) }
}

function webSocketOf(job: Job): Bridge {
  if (job.webSocket === null) throw new Error('no WebSocket was asked for')
  return job.webSocket
}
