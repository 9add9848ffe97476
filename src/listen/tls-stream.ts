/**
 * Hot: a connection over TLS on libuv's handle itself, see tls-handle.ts. What differs from a plain one:
 * TLS takes one write at a time and says only in the next turn that it is over, though the bytes have
 * mostly left by then. What is written meanwhile is gathered here, and leaves together.
 */
import { getSystemErrorName } from 'node:util'
import type { Connection } from './byte-stream.ts'
import type { LightStream } from './light-stream.ts'
import { readPeerCertificate } from './peer-certificate.ts'
import type { PeerCertificate, SecureOptions, SecureStream, Securing } from './secure-stream.ts'
import {
  END_OF_FILE,
  type HandleUser,
  internals,
  newRequest,
  onRead,
  type StreamHandle,
} from './stream-handle.ts'
import type { TlsHandle } from './tls-handle.ts'
import { unsent } from './unsent.ts'

/** Encrypted at a time: eight records, which TLS gives to the kernel in one write. */
const PIECE = 131_072

const State = { OPEN: 0, ENDING: 1, CLOSED: 2 } as const

export class TlsStream implements SecureStream, HandleUser {
  trouble = ''
  writableLength = 0
  readonly fd = -1
  readonly #plain: LightStream
  readonly #handle: StreamHandle
  readonly #tls: TlsHandle
  readonly #shared: Buffer
  /** Null when the handshake is over. */
  #by: Securing | null
  #connection: Connection | null = null
  #state: number = State.OPEN
  #reading = false
  #readEnded = false
  #writeEnded = false
  /** TLS has a write in hand. */
  #writing = false
  /** Waits for that, but for `#offset` bytes of the first part. */
  #queue: Uint8Array[] = []
  #offset = 0
  #corked = false
  /** Somebody saw that not everything had left. */
  #awaited = false
  #shut = false
  #closeWhenSent = false

  /** `handle`: what `plain` released. Reads come into `shared`, which is every stream's. */
  constructor(
    plain: LightStream,
    handle: StreamHandle,
    tls: TlsHandle,
    shared: Buffer,
    options: SecureOptions,
    by: Securing,
  ) {
    this.#plain = plain
    this.#handle = handle
    this.#tls = tls
    this.#shared = shared
    this.#by = by
    // It is the handle that keeps us alive.
    handle.stream = this
    tls.stream = this
    tls.onread = onRead
    tls.onhandshakestart = nothing
    tls.onhandshakedone = () => this.#secured()
    tls.onerror = (error) => this.#broken(error)
    if (options.asksCertificate) tls.setVerifyMode(true, false)
    if (options.protocols !== null) tls.setALPNProtocols(options.protocols)
    if (options.ocsp !== null) this.#staple(options.ocsp)
    tls.useUserBuffer(shared)
  }

  #staple(response: Uint8Array): void {
    const tls = this.#tls
    tls.oncertcb = ({ OCSPRequest }) => {
      if (OCSPRequest === true) tls.setOCSPResponse(response)
      tls.certCbDone()
    }
    tls.enableCertCb()
  }

  /** Begins the handshake. */
  start(): void {
    this.#tls.receive(this.#by!.begun(this))
    this.resume()
  }

  /** OpenSSL is in the middle of its work here: nothing may be torn down, and nothing written. */
  #secured(): void {
    const by = this.#by
    if (by === null || this.#state === State.CLOSED) return
    this.#by = null
    this.#writing = true
    this.#connection = by.done(this)
    process.nextTick(() => this.sent(0, 0))
  }

  /** TLS cannot go on: what came makes no sense, or was an alert. It has sent its own. */
  #broken(error: NodeJS.ErrnoException): void {
    if (this.#state === State.CLOSED) return
    this.trouble = error.code ?? error.message
    const by = this.#by
    this.#by = null
    by?.failed(error)
    this.destroy()
  }

  // What is known of the connection.

  get destroyed(): boolean {
    return this.#state === State.CLOSED
  }

  get queueSize(): number {
    return this.#state === State.CLOSED ? 0 : this.writableLength + this.#handle.writeQueueSize
  }

  get remoteAddress(): string | undefined {
    return this.#plain.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#plain.remotePort
  }

  get localAddress(): string | undefined {
    return this.#plain.localAddress
  }

  get localPort(): number | undefined {
    return this.#plain.localPort
  }

  get protocol(): string {
    return this.destroyed ? '' : this.#tls.getProtocol()
  }

  get cipher(): string {
    return this.destroyed ? '' : (this.#tls.getCipher()?.name ?? '')
  }

  get alpn(): string {
    return this.destroyed ? '' : this.#tls.getALPNNegotiatedProtocol() || ''
  }

  get resumed(): boolean {
    return !this.destroyed && this.#tls.isSessionReused()
  }

  get peerCertificate(): PeerCertificate | null {
    if (this.destroyed) return null
    return readPeerCertificate(
      this.#tls.getPeerCertificate(true),
      this.#tls.verifyError()?.code ?? '',
    )
  }

  // Reading.

  resume(): void {
    if (this.#reading || this.#readEnded || this.#state === State.CLOSED) return
    this.#reading = true
    const failed = this.#tls.readStart()
    if (failed !== 0) this.#fail(failed)
  }

  /** `count` bytes were decrypted; some may be of a read before the last pause. */
  received(count: number): void {
    if (this.#state === State.CLOSED) return
    const connection = this.#connection
    if (count > 0) {
      if (connection === null || connection.read(this.#shared, count)) return
      // It may have been resumed, and paused, and closed meanwhile.
      if (!this.#reading || this.destroyed) return
      this.#reading = false
      this.#tls.readStop()
    } else if (count === END_OF_FILE) {
      this.#reading = false
      // `close_notify` and the FIN behind it are one end.
      if (this.#readEnded) return
      this.#readEnded = true
      if (connection === null) return this.destroy()
      connection.ended()
      this.#closeWhenOver()
    } else if (count < 0) this.#fail(count)
  }

  // Writing.

  write(bytes: Uint8Array): void {
    if (this.#state !== State.OPEN || bytes.length === 0) return
    this.#owe(bytes.length)
    const waits = this.#corked || this.#writing || this.#queue.length > 0
    if (waits || bytes.length > PIECE) {
      this.#queue.push(bytes)
      if (!this.#corked) this.#sendNow()
      return
    }
    this.#give(bytes, null, bytes.length)
    if (this.writableLength > 0) this.#awaited = true
  }

  cork(): void {
    this.#corked = true
  }

  uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#sendNow()
  }

  #sendNow(): void {
    if (!this.#writing) this.#send()
    if (this.writableLength > 0) this.#awaited = true
  }

  /** Gives TLS as much of the queue as it is to encrypt at a time. */
  #send(): void {
    if (this.#state === State.CLOSED || this.#queue.length === 0) return
    const parts = this.#take()
    let length = 0
    for (const part of parts) length += part.length
    this.#give(parts[0]!, parts.length === 1 ? null : parts, length)
  }

  /** `parts`: null where there is one alone. */
  #give(first: Uint8Array, parts: readonly Uint8Array[] | null, length: number): void {
    const request = newRequest()
    request.stream = this
    request.length = length
    this.#writing = true
    const failed =
      parts === null
        ? this.#tls.writeBuffer(request, first)
        : this.#tls.writev(request, parts, true)
    if (failed !== 0) return process.nextTick(() => this.#fail(failed))
    // Encrypted and gone: it is only TLS that is not done with it. (It may have failed at once.)
    if (this.#writing && this.#handle.writeQueueSize === 0) {
      request.length = 0
      this.#owe(-length)
    }
  }

  #take(): Uint8Array[] {
    const queue = this.#queue
    const [first] = queue
    if (queue.length === 1 && this.#offset === 0 && first!.length <= PIECE) {
      this.#queue = []
      return queue
    }
    const parts: Uint8Array[] = []
    let room = PIECE
    let used = 0
    for (const part of queue) {
      const taken = part.subarray(this.#offset, this.#offset + room)
      parts.push(taken)
      room -= taken.length
      this.#offset += taken.length
      if (this.#offset < part.length) break
      this.#offset = 0
      used++
      if (room === 0) break
    }
    queue.splice(0, used)
    return parts
  }

  #owe(length: number): void {
    this.writableLength += length
    unsent.bytes += length
  }

  /** TLS is done with a write, of which `length` bytes had not left at once. */
  sent(length: number, status: number): void {
    if (this.#state === State.CLOSED) return
    this.#writing = false
    this.#owe(-length)
    if (status < 0) return this.#fail(status)
    if (!this.#corked) this.#send()
    if (this.#awaited && this.writableLength === 0) {
      this.#awaited = false
      this.#connection?.drained()
    }
    this.#conclude()
  }

  // Ends.

  end(): void {
    if (this.#state !== State.OPEN) return
    this.uncork()
    this.#state = State.ENDING
    this.#conclude()
  }

  /** What ends the connection waits for what was written before. */
  #conclude(): void {
    if (this.#writing || this.#queue.length > 0) return
    if (this.#state === State.ENDING && !this.#shut) this.#shutdown()
    if (this.#closeWhenSent) this.destroy()
  }

  /** Says `close_notify`, and a FIN behind it. */
  #shutdown(): void {
    this.#shut = true
    const request = new internals!.ShutdownWrap()
    request.oncomplete = () => {
      this.#writeEnded = true
      this.#closeWhenOver()
    }
    const failed = this.#tls.shutdown(request)
    if (failed !== 0) process.nextTick(() => this.#fail(failed))
  }

  /** Both sides have said all: nothing can come any more. */
  #closeWhenOver(): void {
    if (this.#readEnded && this.#writeEnded) this.destroy()
  }

  destroySoon(): void {
    if (this.#state === State.CLOSED) return
    this.uncork()
    this.#closeWhenSent = true
    this.#conclude()
  }

  destroy(): void {
    if (this.#state === State.CLOSED) return
    this.#state = State.CLOSED
    this.#handle.close(() => this.#closed())
  }

  resetAndDestroy(): void {
    if (this.#state === State.CLOSED) return
    const { reset } = this.#handle
    if (reset === undefined) return this.destroy()
    const failed = reset.call(this.#handle, () => this.#closed())
    if (failed === 0) this.#state = State.CLOSED
    else this.destroy()
  }

  #fail(error: number): void {
    if (this.#state === State.CLOSED) return
    this.trouble = getSystemErrorName(error)
    this.destroy()
  }

  #closed(): void {
    this.#owe(-this.writableLength)
    this.#queue = []
    // Only now: never while OpenSSL is at work.
    this.#tls.destroySSL()
    this.#plain.lost()
  }
}

function nothing(): void {}
