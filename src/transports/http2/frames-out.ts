/** What a connection to a backend has to say: the frames of one turn leave in one write. */
import type { Socket } from 'node:net'
import {
  Flag,
  FRAME_HEAD,
  FrameType,
  NUMBER_FRAME,
  PING_FRAME,
  writeFrameHead,
  writeNumberFrame,
} from '../../wire/http2.ts'

/** RFC 7541 §4.2: a dynamic table of no size. */
const NO_TABLE = Buffer.of(0x20)

export class FramesOut {
  readonly #socket: Socket
  #frames: Uint8Array[] = []
  #scheduled = false
  /** While something is read, all that it causes waits for the end of that. */
  held = false
  /** The next header block has to say that no table is used. */
  tableUpdate = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** A frame, or a part of one. Its bytes must not change. */
  put(frame: Uint8Array): void {
    this.#frames.push(frame)
    if (this.#scheduled || this.held) return
    this.#scheduled = true
    process.nextTick(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  flush(): void {
    const frames = this.#frames
    if (frames.length === 0) return
    this.#frames = []
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    this.#socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames))
  }

  /** RST_STREAM and WINDOW_UPDATE. */
  number(type: number, stream: number, value: number): void {
    const frame = Buffer.allocUnsafe(NUMBER_FRAME)
    writeNumberFrame(frame, 0, type, stream, value)
    this.put(frame)
  }

  /** The answer to a PING, whose payload is at `from`. */
  pong(bytes: Buffer, from: number): void {
    const frame = Buffer.allocUnsafe(PING_FRAME)
    const at = writeFrameHead(frame, 0, 8, FrameType.PING, Flag.ACK, 0)
    bytes.copy(frame, at, from, from + 8)
    this.put(frame)
  }

  data(stream: number, bytes: Uint8Array, end: boolean): void {
    this.#frame(FrameType.DATA, end ? Flag.END_STREAM : 0, stream, bytes)
  }

  /** A header block, in pieces of at most so many bytes. */
  headers(stream: number, fields: Buffer, end: boolean, mostFrame: number): void {
    const block = this.tableUpdate ? Buffer.concat([NO_TABLE, fields]) : fields
    this.tableUpdate = false
    let from = 0
    do {
      const to = Math.min(block.length, from + mostFrame)
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION
      const last = to === block.length ? Flag.END_HEADERS : 0
      const flags = last | (from === 0 && end ? Flag.END_STREAM : 0)
      this.#frame(type, flags, stream, block.subarray(from, to))
      from = to
    } while (from < block.length)
  }

  #frame(type: number, flags: number, stream: number, payload: Uint8Array): void {
    const head = Buffer.allocUnsafe(FRAME_HEAD)
    writeFrameHead(head, 0, payload.length, type, flags, stream)
    this.put(head)
    if (payload.length > 0) this.put(payload)
  }
}
