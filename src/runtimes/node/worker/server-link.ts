/** Hot: a worker's end of the link to one server thread: connected, made anew, left in order. */
import { connect, type Socket } from 'node:net'
import { writeFrameHead } from '../../../transports/worker-link/encode.ts'
import { FrameReader, type FrameSink } from '../../../transports/worker-link/frame-reader.ts'
import { FRAME_HEAD, FrameType } from '../../../wire/frames.ts'

const READ_BUFFER = 65_536
const ARENA = 65_536
/** Before the first and every later try to reach a server that is gone, ms. */
const FIRST_BACK_OFF_MS = 20
const LONGEST_BACK_OFF_MS = 1_000

/** Every link of the worker reads into this one buffer. */
const shared = Buffer.allocUnsafeSlow(READ_BUFFER)

/** What is made of a link's frames. */
export interface LinkUser {
  frame(link: ServerLink, type: number, flags: number, id: number, payload: Buffer): void
  /** What was in hand came over a connection that is gone. */
  lost(link: ServerLink): void
  /** The server wants the worker to finish what came over this link, and to send nothing more then. */
  quit(link: ServerLink): void
}

export class ServerLink implements FrameSink {
  readonly #path: string
  readonly #hello: Buffer
  readonly #user: LinkUser
  #socket: Socket | null = null
  #reader: FrameReader = new FrameReader(this)
  #backOffMs = FIRST_BACK_OFF_MS
  #arena: Buffer = Buffer.allocUnsafeSlow(ARENA)
  #filled = 0
  #flushPlanned = false
  #leaving = false
  /** The server has said QUIT, or there will never be one again. */
  over = false

  /** `hello`: the payload of the first frame. */
  constructor(path: string, hello: Buffer, user: LinkUser) {
    this.#path = path
    this.#hello = hello
    this.#user = user
    this.#connect()
  }

  #connect(): void {
    const onread = {
      buffer: shared,
      callback: (length: number): boolean => {
        this.#read(length)
        return true
      },
    }
    const socket = connect({ path: this.#path, onread })
    socket.on('connect', () => {
      this.#backOffMs = FIRST_BACK_OFF_MS
      this.#socket = socket
      this.#reader = new FrameReader(this)
      this.#filled = 0
      this.send(FrameType.HELLO, 0, 0, 0, this.#hello)
      if (this.#leaving) this.leave()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#closed(socket))
  }

  #closed(socket: Socket): void {
    if (this.#socket === socket) {
      this.#socket = null
      this.#user.lost(this)
    }
    if (this.over) return
    // No other server comes for a worker that is about to go.
    if (this.#leaving) {
      this.over = true
      return this.#user.quit(this)
    }
    setTimeout(() => this.#connect(), this.#backOffMs)
    this.#backOffMs = Math.min(this.#backOffMs * 2, LONGEST_BACK_OFF_MS)
  }

  #read(length: number): void {
    try {
      this.#reader.read(shared, length)
    } catch (error) {
      console.error(
        `portico: the link to the server broke: ${error instanceof Error ? error.message : error}`,
      )
      this.#socket?.destroy()
    }
  }

  frame(type: number, flags: number, _extra: number, id: number, payload: Buffer): void {
    if (type === FrameType.PING) return this.send(FrameType.PONG, 0, 0, id, null)
    if (type !== FrameType.QUIT) return this.#user.frame(this, type, flags, id, payload)
    this.over = true
    this.#user.quit(this)
  }

  /** No server sends DATA. */
  data(): void {
    throw new Error('DATA from the server')
  }

  /** Asks for no more requests; the answer is QUIT. */
  leave(): void {
    this.#leaving = true
    if (this.#socket !== null) this.send(FrameType.LEAVING, 0, 0, 0, null)
    // Never connected: nobody will miss it.
    else if (!this.over) {
      this.over = true
      this.#user.quit(this)
    }
  }

  /** Closes the connection; resolves when all that was written has left. */
  end(): Promise<void> {
    this.flush()
    const socket = this.#socket
    if (socket === null) return Promise.resolve()
    return new Promise((resolve) => {
      socket.once('close', () => resolve())
      socket.end(() => resolve())
    })
  }

  /** Room for `size` bytes in what is written next: where to put them. */
  reserve(size: number): { into: Buffer; at: number } {
    if (this.#arena.length - this.#filled < size) {
      this.flush()
      if (this.#arena.length < size) this.#arena = Buffer.allocUnsafeSlow(size)
    }
    const at = this.#filled
    this.#filled += size
    if (!this.#flushPlanned) {
      this.#flushPlanned = true
      setImmediate(this.#flushTurn)
    }
    return { into: this.#arena, at }
  }

  send(type: number, flags: number, extra: number, id: number, payload: Uint8Array | null): void {
    if (this.#socket === null) return
    const size = payload === null ? 0 : payload.length
    const { into, at } = this.reserve(FRAME_HEAD + size)
    const to = writeFrameHead(into, at, type, flags, id, size)
    into.writeUInt16LE(extra, at + 10)
    if (payload !== null) into.set(payload, to)
  }

  readonly #flushTurn = (): void => {
    this.#flushPlanned = false
    this.flush()
  }

  /** Writes what was gathered: answers of one turn share a write. */
  flush(): void {
    if (this.#filled === 0) return
    const bytes = this.#arena.subarray(0, this.#filled)
    this.#filled = 0
    const socket = this.#socket
    if (socket === null) return
    socket.write(bytes)
    // What the kernel did not take at once still refers to the arena.
    if (socket.writableLength > 0 || this.#arena.length > ARENA) {
      this.#arena = Buffer.allocUnsafeSlow(ARENA)
    }
  }
}
