/**
 * HTTP/2's frames (RFC 9113 §4, §6): their names, how small ones are written, and what is wrong with one
 * whatever its stream is about. Pure; for both ends of a connection.
 */

/** What a client says first (§3.4). */
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
export const FRAME_HEAD = 9
/** Payload of a frame that everybody takes (§4.2), bytes. */
export const DEFAULT_FRAME_SIZE = 16_384
export const MOST_FRAME_SIZE = 16_777_215
/** Of streams and connections that nobody has set (§6.9.2), bytes. */
export const DEFAULT_WINDOW = 65_535
export const MOST_WINDOW = 2_147_483_647
export const MOST_STREAM = 2_147_483_647

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
  /** RFC 9218 §7.1. */
  PRIORITY_UPDATE: 16,
} as const

export const Flag = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  /** RFC 8441 §3. */
  ENABLE_CONNECT_PROTOCOL: 8,
  /** RFC 9218 §2.1. */
  NO_RFC7540_PRIORITIES: 9,
} as const

/** §7. */
export const Http2Code = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const

/** What the other side did wrong: an error of the connection (§5.4.1), or of one stream (§5.4.2). */
export class Http2Fault extends Error {
  override readonly name = 'Http2Fault'
  /** One of Http2Code. */
  readonly code: number
  /** 0: of the connection. */
  readonly stream: number

  constructor(code: number, message: string, stream = 0) {
    super(message)
    this.code = code
    this.stream = stream
  }
}

/** Writes the nine bytes that begin a frame; returns where they end. */
export function writeFrameHead(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): number {
  into[at] = length >>> 16
  into[at + 1] = length >>> 8
  into[at + 2] = length
  into[at + 3] = type
  into[at + 4] = flags
  return writeNumber(into, at + 5, stream)
}

/** Writes 32 bits; returns where they end. */
export function writeNumber(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24
  into[at + 1] = value >>> 16
  into[at + 2] = value >>> 8
  into[at + 3] = value
  return at + 4
}

/** Reads 31 bits: the highest one is reserved wherever these are used. */
export function readNumber(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  )
}

/** Bytes of a RST_STREAM or WINDOW_UPDATE frame. */
export const NUMBER_FRAME: number = FRAME_HEAD + 4
/** Bytes of a PING frame. */
export const PING_FRAME: number = FRAME_HEAD + 8

/** Writes a RST_STREAM or WINDOW_UPDATE frame, whose payload is a number; returns where it ends. */
export function writeNumberFrame(
  into: Uint8Array,
  at: number,
  type: number,
  stream: number,
  value: number,
): number {
  return writeNumber(into, writeFrameHead(into, at, 4, type, 0, stream), value)
}

/** A SETTINGS frame of identifiers and values. */
export function encodeSettings(settings: readonly (readonly [number, number])[]): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD + settings.length * 6)
  let at = writeFrameHead(frame, 0, settings.length * 6, FrameType.SETTINGS, 0, 0)
  for (const [id, value] of settings) {
    frame.writeUInt16BE(id, at)
    at = writeNumber(frame, at + 2, value)
  }
  return frame
}

/** A GOAWAY frame. `reason`: for people, in ASCII. */
export function encodeGoaway(lastStream: number, code: number, reason = ''): Buffer {
  const length = 8 + reason.length
  const frame = Buffer.alloc(FRAME_HEAD + length)
  let at = writeFrameHead(frame, 0, length, FrameType.GOAWAY, 0, 0)
  at = writeNumber(frame, at, lastStream)
  at = writeNumber(frame, at, code)
  frame.write(reason, at, 'latin1')
  return frame
}

/** Calls `visit` for each setting of the payload `bytes[from, to)`. Throws what §6.5.2 says of wrong values. */
export function readSettings(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (id: number, value: number) => void,
): void {
  for (let at = from; at < to; at += 6) {
    const id = (bytes[at]! << 8) | bytes[at + 1]!
    const value = readNumber(bytes, at + 2) + (bytes[at + 2]! >= 0x80 ? 0x80000000 : 0)
    const flag = id === Setting.ENABLE_PUSH || id === Setting.ENABLE_CONNECT_PROTOCOL
    if (flag && value > 1) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, `setting ${id}: ${value}`)
    if (id === Setting.INITIAL_WINDOW_SIZE && value > MOST_WINDOW) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'initial window too large')
    }
    if (id === Setting.MAX_FRAME_SIZE && (value < DEFAULT_FRAME_SIZE || value > MOST_FRAME_SIZE)) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, `frame size ${value}`)
    }
    visit(id, value)
  }
}
