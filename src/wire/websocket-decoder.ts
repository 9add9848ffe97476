/**
 * Reads WebSocket frames (RFC 6455 §5) as they come. Pure and strict: what the RFC forbids throws a
 * WebSocketFault with the code to close with. No extensions.
 *
 * Hot: a message that came whole, in one frame and one read, is unmasked where it lies and handed on as
 * a view; only what comes in pieces is gathered, in memory that grows with what has really come.
 */
import { isUtf8 } from 'node:buffer'
import {
  CloseCode,
  FIN,
  MASKED,
  MOST_CONTROL,
  mayBeSent,
  Opcode,
  WebSocketFault,
  wholeCharacters,
} from './websocket.ts'
import { unmask } from './websocket-mask.ts'

const LARGEST_HEAD = 14
const EMPTY = Buffer.alloc(0)

/** Receives what a decoder finds. Payloads are valid only during the call. */
export interface WebSocketSink {
  /** A whole message; `text`: it is valid UTF-8. False: `decode` stops behind it. */
  message(text: boolean, payload: Buffer): boolean
  ping(payload: Buffer): void
  pong(payload: Buffer): void
  /** The last frame. `code` is NONE where none was given. */
  close(code: number, reason: string): void
}

export interface DecoderOptions {
  /** The other side is a client, which masks its frames, or a server, which must not (§5.1). */
  readonly masked: boolean
  /** Largest message, bytes. */
  readonly most: number
}

export class WebSocketDecoder {
  readonly #sink: WebSocketSink
  readonly #masked: boolean
  readonly #most: number
  /** A frame's head that is not complete. Few connections ever need it. */
  #head: Buffer = EMPTY
  #headFilled = 0

  // The frame at hand, once its head is known.
  #inFrame = false
  #first = 0
  #left = 0
  #mask = 0

  /** Opcode of the message at hand, 0 for none. */
  #message = 0
  /** What has come of it, or of a control frame. */
  #gathered: Buffer = EMPTY
  #filled = 0
  /** How much of a text is known to be UTF-8. */
  #valid = 0
  /** The payload of a control frame that came in pieces, amid a message. */
  #control: Buffer = EMPTY
  #controlFilled = 0
  /** A close has come: nothing may follow. */
  done = false

  constructor(sink: WebSocketSink, options: DecoderOptions) {
    this.#sink = sink
    this.#masked = options.masked
    this.#most = options.most
  }

  /** Bytes that are kept of a message that is not complete. */
  get held(): number {
    return this.#gathered.length
  }

  /** Lets go of them: nothing is decoded any more. */
  stop(): void {
    this.done = true
    this.#gathered = EMPTY
    this.#filled = 0
  }

  /**
   * Takes `bytes[at, end)`, unmasking them where they lie; returns where it stopped: at `end`, or behind
   * a message after which the sink wanted no more. Throws WebSocketFault.
   */
  decode(bytes: Buffer, at: number, end: number): number {
    let from = at
    while (from < end && !this.done) {
      if (!this.#inFrame) {
        from = this.#readHead(bytes, from, end)
        // The head ends what has come; a frame without a payload is complete all the same.
        if (!this.#inFrame || (from === end && this.#left > 0)) return from
      }
      const to = Math.min(end, from + this.#left)
      const part = bytes.subarray(from, to)
      if (this.#masked) this.#mask = unmask(bytes, from, to, this.#mask)
      this.#left -= to - from
      from = to
      const complete = this.#left === 0
      if (complete) this.#inFrame = false
      if ((this.#first & 0x08) !== 0) this.#takeControl(part, complete)
      else if (!this.#takeData(part, complete)) return from
    }
    return this.done ? end : from
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    if (this.#headFilled === 0) {
      const length = headLength(bytes, at, end)
      if (end - at >= length) {
        this.#parseHead(bytes, at)
        return at + length
      }
    }
    if (this.#head.length === 0) this.#head = Buffer.alloc(LARGEST_HEAD)
    let from = at
    while (from < end) {
      this.#head[this.#headFilled++] = bytes[from++]!
      // What is wrong with the first bytes is said at once.
      if (this.#headFilled <= 2) this.#checkHead(this.#head, 0, this.#headFilled)
      if (this.#headFilled === headLength(this.#head, 0, this.#headFilled)) {
        this.#headFilled = 0
        this.#parseHead(this.#head, 0)
        break
      }
    }
    return from
  }

  /** What the first one or two bytes can tell. */
  #checkHead(bytes: Buffer, at: number, known: number): void {
    const first = bytes[at]!
    const opcode = first & 0x0f
    if ((first & 0x70) !== 0) throw broken('a reserved bit')
    if ((opcode & 0x07) > 2) throw broken(`opcode ${opcode}`)
    if (opcode >= Opcode.CLOSE) {
      if ((first & FIN) === 0) throw broken('a control frame in fragments')
    } else if ((opcode === Opcode.CONTINUATION) !== (this.#message !== 0)) {
      throw broken(
        opcode === 0 ? 'a continuation of nothing' : 'a message within another one’s fragments',
      )
    }
    if (known < 2) return
    const second = bytes[at + 1]!
    if (((second & MASKED) !== 0) !== this.#masked) {
      throw broken(this.#masked ? 'a frame without a mask' : 'a frame with a mask')
    }
    if (opcode >= Opcode.CLOSE && (second & 0x7f) > MOST_CONTROL) {
      throw broken('a control frame that is too long')
    }
    if (opcode === Opcode.CLOSE && (second & 0x7f) === 1) throw broken('half a close code')
  }

  #parseHead(bytes: Buffer, at: number): void {
    this.#checkHead(bytes, at, 2)
    const first = bytes[at]!
    let length = bytes[at + 1]! & 0x7f
    let from = at + 2
    if (length === 126) {
      length = bytes.readUInt16BE(from)
      if (length < 126) throw broken('a length that is longer than need be')
      from += 2
    } else if (length === 127) {
      const high = bytes.readUInt32BE(from)
      if (high > 0x7fff_ffff) throw broken('a negative length')
      length = high * 0x1_0000_0000 + bytes.readUInt32BE(from + 4)
      if (length < 65_536) throw broken('a length that is longer than need be')
      from += 8
    }
    if ((first & 0x08) === 0) {
      if (this.#filled + length > this.#most) {
        throw new WebSocketFault(CloseCode.TOO_LARGE, `a message over ${this.#most} bytes`)
      }
      if ((first & 0x0f) !== Opcode.CONTINUATION) this.#message = first & 0x0f
    }
    this.#first = first
    this.#left = length
    if (this.#masked) this.#mask = bytes.readInt32LE(from)
    this.#inFrame = true
  }

  /** False: the sink wants no more. */
  #takeData(part: Buffer, complete: boolean): boolean {
    const text = this.#message === Opcode.TEXT
    const last = complete && (this.#first & FIN) !== 0
    if (last && this.#filled === 0) {
      // All of it is here.
      this.#message = 0
      if (text && !isUtf8(part)) throw notUtf8()
      return this.#sink.message(text, part)
    }
    this.#gather(part)
    if (text) this.#validate()
    if (!last) return true
    const whole = this.#gathered.subarray(0, this.#filled)
    if (text && this.#valid < whole.length) throw notUtf8()
    this.#message = 0
    this.#gathered = EMPTY
    this.#filled = 0
    this.#valid = 0
    return this.#sink.message(text, whole)
  }

  /** Keeps a part of a message, in memory that doubles: what a head promises may never come. */
  #gather(part: Buffer): void {
    const filled = this.#filled + part.length
    if (filled > this.#gathered.length) {
      const expected = filled + this.#left
      const size = Math.min(expected, Math.max(filled, this.#gathered.length * 2, 1024))
      const larger = Buffer.allocUnsafeSlow(size)
      this.#gathered.copy(larger, 0, 0, this.#filled)
      this.#gathered = larger
    }
    this.#gathered.set(part, this.#filled)
    this.#filled = filled
  }

  /** Checks what has come since, but for a character that may still be completed. */
  #validate(): void {
    const end = wholeCharacters(this.#gathered, this.#valid, this.#filled)
    if (!isUtf8(this.#gathered.subarray(this.#valid, end))) throw notUtf8()
    this.#valid = end
  }

  #takeControl(part: Buffer, complete: boolean): void {
    let payload = part
    if (!complete || this.#controlFilled > 0) {
      if (this.#control.length === 0) this.#control = Buffer.alloc(MOST_CONTROL)
      this.#control.set(part, this.#controlFilled)
      this.#controlFilled += part.length
      if (!complete) return
      payload = this.#control.subarray(0, this.#controlFilled)
      this.#controlFilled = 0
    }
    switch (this.#first & 0x0f) {
      case Opcode.PING:
        return this.#sink.ping(payload)
      case Opcode.PONG:
        return this.#sink.pong(payload)
      default:
        return this.#takeClose(payload)
    }
  }

  #takeClose(payload: Buffer): void {
    this.done = true
    if (payload.length === 0) return this.#sink.close(CloseCode.NONE, '')
    const code = payload.readUInt16BE(0)
    if (!mayBeSent(code)) throw broken(`close code ${code}`)
    const reason = payload.subarray(2)
    if (!isUtf8(reason)) throw notUtf8()
    this.#sink.close(code, reason.toString())
  }
}

/** Bytes of the frame's head at `at`, as far as `end` lets see it. */
function headLength(bytes: Buffer, at: number, end: number): number {
  if (end - at < 2) return LARGEST_HEAD
  const second = bytes[at + 1]!
  const size = second & 0x7f
  return 2 + (size === 127 ? 8 : size === 126 ? 2 : 0) + ((second & MASKED) === 0 ? 0 : 4)
}

function broken(message: string): WebSocketFault {
  return new WebSocketFault(CloseCode.PROTOCOL_ERROR, message)
}

function notUtf8(): WebSocketFault {
  return new WebSocketFault(CloseCode.NOT_UTF8, 'text that is no UTF-8')
}
