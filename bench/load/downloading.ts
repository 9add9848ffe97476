/** Reads one large answer into the same buffer over and over, and tells how fast that went. */
import { connect } from 'node:net'
import { crc32 } from 'node:zlib'
import { options, ready, result } from './control.ts'

export interface DownloadingOptions {
  readonly port: number
  readonly path: string
  /** Work out the checksum of what came, which costs speed. */
  readonly checksum: boolean
}

export interface Downloaded {
  readonly status: number
  readonly bytes: number
  readonly seconds: number
  /** CRC-32 of the body; 0 when not asked for. */
  readonly checksum: number
}

const BUFFER_BYTES = 256 * 1024

const { port, path, checksum } = options<DownloadingOptions>()
let head = ''
let inBody = false
let expected = Number.POSITIVE_INFINITY
let received = 0
let sum = 0
let status = 0

const startedAt = performance.now()
const socket = connect({
  port,
  host: '127.0.0.1',
  onread: {
    buffer: Buffer.allocUnsafe(BUFFER_BYTES),
    callback(size: number, buffer: Uint8Array): boolean {
      take(Buffer.from(buffer.buffer, buffer.byteOffset, size))
      return true
    },
  },
})
socket.on('connect', () => {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  ready()
})
socket.on('error', report)
socket.on('close', report)

function take(chunk: Buffer): void {
  if (inBody) return takeBody(chunk)
  head += chunk.toString('latin1')
  const end = head.indexOf('\r\n\r\n')
  if (end < 0) return
  inBody = true
  status = Number(head.slice(9, 12))
  expected = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Number.NaN)
  takeBody(Buffer.from(head.slice(end + 4), 'latin1'))
}

function takeBody(chunk: Buffer): void {
  received += chunk.length
  if (checksum) sum = crc32(chunk, sum)
  if (received >= expected) socket.destroy()
}

let reported = false
function report(): void {
  if (reported) return
  reported = true
  const seconds = (performance.now() - startedAt) / 1000
  const downloaded: Downloaded = { status, bytes: received, seconds, checksum: sum }
  result(downloaded)
}
