/**
 * WebSocket frames (RFC 6455 §5): their names and numbers, and how to write them. Pure. What comes is
 * read by `websocket-decoder.ts`.
 */
import { unmask } from './websocket-mask.ts'

export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const

/** Codes of a close (RFC 6455 §7.4.1, and the IANA registry). */
export const CloseCode = {
  NORMAL: 1000,
  PROTOCOL_ERROR: 1002,
  /** Never sent: a close without a code. */
  NONE: 1005,
  /** Never sent: the connection was lost without a close. */
  LOST: 1006,
  NOT_UTF8: 1007,
  POLICY: 1008,
  TOO_LARGE: 1009,
  INTERNAL: 1011,
  RESTART: 1012,
  TRY_LATER: 1013,
} as const

/** Largest payload of a ping, pong or close (§5.5). */
export const MOST_CONTROL = 125

export const FIN = 0x80
export const MASKED = 0x80
const EMPTY = Buffer.alloc(0)

/** The other side broke the protocol: close with `code`. */
export class WebSocketFault extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.name = 'WebSocketFault'
    this.code = code
  }
}

/** True for a close code that may stand in a frame (§7.4, and the IANA registry). */
export function mayBeSent(code: number): boolean {
  return (
    (code >= 1000 && code <= 1003) ||
    (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999)
  )
}

export interface FrameOptions {
  /** False: more fragments follow. */
  readonly fin?: boolean
  /** A client's masking key; absent: a server's frame, without one. */
  readonly mask?: number
}

/** One frame, with a copy of `payload`. */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array,
  { fin = true, mask }: FrameOptions = {},
): Buffer {
  const { length } = payload
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const head = 2 + extended + (mask === undefined ? 0 : 4)
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = (fin ? FIN : 0) | opcode
  frame[1] =
    (mask === undefined ? 0 : MASKED) | (extended === 0 ? length : extended === 2 ? 126 : 127)
  if (extended === 2) frame.writeUInt16BE(length, 2)
  else if (extended === 8) {
    frame.writeUInt32BE(Math.floor(length / 0x1_0000_0000), 2)
    frame.writeUInt32BE(length % 0x1_0000_0000, 6)
  }
  frame.set(payload, head)
  if (mask !== undefined) {
    frame.writeInt32LE(mask | 0, head - 4)
    unmask(frame, head, head + length, mask | 0)
  }
  return frame
}

/** Where the last complete UTF-8 character of `bytes[from, to)` ends, if it is UTF-8 at all. */
export function wholeCharacters(bytes: Buffer, from: number, to: number): number {
  for (let back = 1; back <= 3 && to - back >= from; back++) {
    const byte = bytes[to - back]!
    if ((byte & 0xc0) === 0x80) continue
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return size > back ? to - back : to
  }
  return to
}

/** The payload of a close: `reason` is cut where it does not fit. NONE: no code. */
export function closePayload(code: number, reason: string): Buffer {
  if (code === CloseCode.NONE) return EMPTY
  const text = Buffer.from(reason)
  const most = MOST_CONTROL - 2
  const fits = text.length <= most ? text.length : wholeCharacters(text, 0, most)
  const payload = Buffer.allocUnsafe(2 + fits)
  payload.writeUInt16BE(code, 0)
  text.copy(payload, 2, 0, fits)
  return payload
}
