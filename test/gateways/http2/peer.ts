/** A visitor over HTTP/2 on a real socket, who says exactly what a test wants, frame by frame. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { HpackDecoder } from '../../../src/wire/hpack-decoder.ts'
import { mostFieldSize, writeField } from '../../../src/wire/hpack-encoder.ts'
import {
  encodeSettings,
  Flag,
  FrameType,
  PREFACE,
  readNumber,
  writeFrameHead,
  writeNumberFrame,
} from '../../../src/wire/http2.ts'
import { FrameReader } from '../../../src/wire/http2-reader.ts'

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** What came on one stream. */
export interface Told {
  /** Of every HEADERS, decoded. */
  readonly heads: Record<string, string>[]
  readonly body: Buffer
  readonly ended: boolean
  /** The code of RST_STREAM, -1 for none. */
  readonly reset: number
}

export type Fields = readonly (readonly [string, string])[]

/** GET of a path, unless `more` says otherwise. */
export function request(path: string, more: Readonly<Record<string, string>> = {}): Fields {
  const pseudo = { ':method': 'GET', ':scheme': 'http', ':path': path, ':authority': 'localhost' }
  return Object.entries({ ...pseudo, ...more })
}

/** Fields as a block without the dynamic table. */
export function encode(fields: Fields): Buffer {
  const bytes = Buffer.alloc(
    fields.reduce((sum, [name, value]) => sum + mostFieldSize(name, value), 0),
  )
  let at = 0
  for (const [name, value] of fields) at = writeField(bytes, at, name, value)
  return bytes.subarray(0, at)
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.set(payload, writeFrameHead(bytes, 0, payload.length, type, flags, stream))
  return bytes
}

export class Peer {
  readonly socket: Socket
  readonly frames: Frame[] = []
  /** The server has closed its side; the socket is gone. */
  ended = false
  closed = false
  readonly #decoder = new HpackDecoder()
  readonly #heads: { stream: number; fields: Record<string, string> }[] = []
  #changed: () => void = () => {}
  #window: boolean
  #block: Buffer[] = []

  private constructor(socket: Socket, window: boolean) {
    this.socket = socket
    this.#window = window
    const reader = new FrameReader((type, flags, stream, bytes, from, to) => {
      this.#take({ type, flags, stream, payload: Buffer.from(bytes.subarray(from, to)) })
      return true
    })
    socket.on('data', (bytes: Buffer) => {
      reader.read(bytes, 0, bytes.length)
      this.#changed()
    })
    socket.on('end', () => {
      this.ended = true
      this.#changed()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#changed()
    })
  }

  /** Connected, with nothing said. */
  static async silent(port: number, window = true): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    return new Peer(socket, window)
  }

  /** With preface and settings. `window`: what comes is acknowledged to flow control at once. */
  static async at(
    port: number,
    settings: readonly (readonly [number, number])[] = [],
    window = true,
  ): Promise<Peer> {
    const peer = await Peer.silent(port, window)
    peer.send(PREFACE, encodeSettings(settings))
    await peer.until(() => peer.of(FrameType.SETTINGS).length >= 2)
    return peer
  }

  #take(one: Frame): void {
    this.frames.push(one)
    const { type, flags, stream, payload } = one
    if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) {
      this.send(frame(FrameType.SETTINGS, Flag.ACK, 0))
    }
    if (type === FrameType.HEADERS || type === FrameType.CONTINUATION) {
      this.#block.push(payload)
      if ((flags & Flag.END_HEADERS) === 0) return
      const block = Buffer.concat(this.#block.splice(0))
      const fields: Record<string, string> = {}
      this.#decoder.decode(block, 0, block.length, (name, value) => {
        fields[name] = name in fields ? `${fields[name]}\n${value}` : value
      })
      this.#heads.push({ stream, fields })
    }
    if (type === FrameType.DATA && payload.length > 0 && this.#window) {
      this.send(
        update(0, payload.length),
        ...((flags & Flag.END_STREAM) === 0 ? [update(stream, payload.length)] : []),
      )
    }
  }

  send(...frames: readonly Uint8Array[]): this {
    this.socket.write(Buffer.concat(frames))
    return this
  }

  /** Opens a stream with a request. `end`: nothing comes behind it. */
  ask(stream: number, fields: Fields, end = true): this {
    const flags = Flag.END_HEADERS | (end ? Flag.END_STREAM : 0)
    return this.send(frame(FrameType.HEADERS, flags, stream, encode(fields)))
  }

  data(stream: number, text: string | Uint8Array, end = false): this {
    const payload = typeof text === 'string' ? Buffer.from(text) : text
    return this.send(frame(FrameType.DATA, end ? Flag.END_STREAM : 0, stream, payload))
  }

  reset(stream: number, code = 8): this {
    const bytes = Buffer.alloc(13)
    writeNumberFrame(bytes, 0, FrameType.RST_STREAM, stream, code)
    return this.send(bytes)
  }

  update(stream: number, bytes: number): this {
    return this.send(update(stream, bytes))
  }

  of(type: number): Frame[] {
    return this.frames.filter((one) => one.type === type)
  }

  told(stream: number): Told {
    const frames = this.frames.filter((one) => one.stream === stream)
    const of = (type: number): Frame[] => frames.filter((one) => one.type === type)
    const reset = of(FrameType.RST_STREAM)[0]
    return {
      heads: this.#heads.filter((head) => head.stream === stream).map(({ fields }) => fields),
      body: Buffer.concat(of(FrameType.DATA).map(({ payload }) => payload)),
      ended: frames.some(
        ({ type, flags }) =>
          (type === FrameType.DATA || type === FrameType.HEADERS) &&
          (flags & Flag.END_STREAM) !== 0,
      ),
      reset: reset === undefined ? -1 : readNumber(reset.payload, 0),
    }
  }

  /** The stream is over, one way or another. */
  async over(stream: number): Promise<Told> {
    await this.until(() => {
      const { ended, reset } = this.told(stream)
      return ended || reset >= 0 || this.closed
    })
    return this.told(stream)
  }

  /** The code of the last GOAWAY that has come, with its last stream; waits for `count` of them. */
  async goaway(count = 1): Promise<{ last: number; code: number; reason: string }> {
    await this.until(() => this.of(FrameType.GOAWAY).length >= count || this.closed)
    const payload = this.of(FrameType.GOAWAY).at(-1)?.payload
    if (payload === undefined) throw new Error('closed without GOAWAY')
    const [last, code] = [readNumber(payload, 0), readNumber(payload, 4)]
    return { last, code, reason: payload.toString('latin1', 8) }
  }

  async until(condition: () => boolean, ms = 8000): Promise<void> {
    const deadline = Date.now() + ms
    while (!condition()) {
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`it did not come to pass: ${this.#seen()}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 50))
        this.#changed = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  #seen(): string {
    const kinds = this.frames.map(({ type, flags, stream }) => `${type}/${flags}/${stream}`)
    return `${kinds.slice(-30).join(' ')}${this.closed ? ' closed' : ''}`
  }

  leave(): void {
    this.socket.destroy()
  }
}

function update(stream: number, bytes: number): Buffer {
  const one = Buffer.alloc(13)
  writeNumberFrame(one, 0, FrameType.WINDOW_UPDATE, stream, bytes)
  return one
}
