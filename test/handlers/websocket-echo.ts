/** A server that speaks just enough RFC 6455 to echo what it is sent. */
import { createHash } from 'node:crypto'
import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CLOSE = 8

/** Makes `server` echo on every WebSocket. */
export function echoWebSockets(server: Server): void {
  server.on('upgrade', (req, socket: Duplex, first: Buffer) => {
    const accept = createHash('sha1')
      .update(`${req.headers['sec-websocket-key']}${GUID}`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    let held = first
    const take = (): void => {
      for (let frame = readFrame(held); frame !== null; frame = readFrame(held)) {
        held = held.subarray(frame.length)
        socket.write(writeFrame(frame.opcode, frame.payload))
        if (frame.opcode === CLOSE) socket.end()
      }
    }
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      take()
    })
    socket.on('error', () => {})
    take()
  })
}

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  /** Of the frame with its head, bytes. */
  readonly length: number
}

/** A client's frame: masked (RFC 6455 §5.3). Null: not complete yet. */
function readFrame(bytes: Buffer): Frame | null {
  if (bytes.length < 2) return null
  let size = bytes[1]! & 0x7f
  let at = 2
  if (size === 126) {
    if (bytes.length < 4) return null
    size = bytes.readUInt16BE(2)
    at = 4
  } else if (size === 127) {
    if (bytes.length < 10) return null
    size = Number(bytes.readBigUInt64BE(2))
    at = 10
  }
  const length = at + 4 + size
  if (bytes.length < length) return null
  const payload = Buffer.from(bytes.subarray(at + 4, length))
  for (let i = 0; i < size; i++) payload[i]! ^= bytes[at + (i & 3)]!
  return { opcode: bytes[0]! & 0x0f, payload, length }
}

function writeFrame(opcode: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10)
  head[0] = 0x80 | opcode
  if (head.length === 2) head[1] = payload.length
  else if (head.length === 4) {
    head[1] = 126
    head.writeUInt16BE(payload.length, 2)
  } else {
    head[1] = 127
    head.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  return Buffer.concat([head, payload])
}
