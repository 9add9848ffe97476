/** A visitor with a WebSocket that says exactly what a test wants, frame by frame. */
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { CloseCode, closePayload, encodeFrame, Opcode } from '../../../src/wire/websocket.ts'
import { WebSocketDecoder } from '../../../src/wire/websocket-decoder.ts'
import { acceptKey } from '../../../src/wire/websocket-handshake.ts'
import { type Reply, Visitor } from '../../flows/support/visitor.ts'
import { until } from '../../supervisor/site.ts'

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const MASK = 0x0bad_cafe

export const handshake = (path = '/chat', more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`

export class WebSocketVisitor {
  readonly socket: Socket
  /** Fields of the 101. */
  readonly head: string
  readonly messages: string[] = []
  readonly pings: string[] = []
  readonly pongs: string[] = []
  close: { code: number; reason: string } | null = null
  /** The server has ended the connection. */
  ended = false

  private constructor(socket: Socket, head: string, rest: Buffer) {
    this.socket = socket
    this.head = head
    const decoder = new WebSocketDecoder(
      {
        message: (_, payload) => this.messages.push(payload.toString()) > 0,
        ping: (payload) => this.pings.push(payload.toString()),
        pong: (payload) => this.pongs.push(payload.toString()),
        close: (code, reason) => {
          this.close = { code, reason }
        },
      },
      { masked: false, most: 1 << 25 },
    )
    decoder.decode(rest, 0, rest.length)
    socket.on('data', (chunk: Buffer) => decoder.decode(chunk, 0, chunk.length))
    socket.on('end', () => {
      this.ended = true
    })
    socket.resume()
  }

  /** Asks; `accept` has the worker answer meanwhile. */
  static async open(
    port: number,
    accept: () => Promise<unknown>,
    more = '',
  ): Promise<WebSocketVisitor> {
    const visitor = await Visitor.to(port)
    visitor.send(handshake('/chat', more))
    await accept()
    let bytes: Buffer = Buffer.alloc(0)
    while (!bytes.includes('\r\n\r\n')) {
      const part = await visitor.read()
      if (part === null) throw new Error('no 101')
      bytes = Buffer.concat([bytes, part])
    }
    const end = bytes.indexOf('\r\n\r\n') + 4
    const head = bytes.toString('latin1', 0, end)
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(head)
    if (!head.includes(`Sec-WebSocket-Accept: ${acceptKey(KEY)}\r\n`)) throw new Error(head)
    visitor.socket.removeAllListeners('readable')
    // The socket takes note of that in a moment, and flows then.
    await setImmediate()
    return new WebSocketVisitor(visitor.socket, head, bytes.subarray(end))
  }

  say(...messages: readonly string[]): this {
    return this.raw(
      Buffer.concat(
        messages.map((message) => encodeFrame(Opcode.TEXT, Buffer.from(message), { mask: MASK })),
      ),
    )
  }

  frame(opcode: number, payload: string | Buffer = '', fin = true): this {
    return this.raw(encodeFrame(opcode, Buffer.from(payload), { mask: MASK, fin }))
  }

  sayClose(code: number = CloseCode.NORMAL, reason = ''): this {
    return this.frame(Opcode.CLOSE, closePayload(code, reason))
  }

  raw(bytes: Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  /** The server ends the connection. */
  async end(): Promise<void> {
    await until('the end of the connection', () => this.ended)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** An answer in place of a WebSocket. */
export async function refused(
  port: number,
  request: string,
  answer?: () => Promise<unknown>,
): Promise<Reply> {
  using visitor = await Visitor.to(port)
  visitor.send(request)
  await answer?.()
  return await visitor.reply()
}
