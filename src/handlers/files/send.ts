/**
 * Sends parts of an open file as an answer's body. Large parts the kernel sends itself where the gateway
 * lets it; for the rest blocks are read on the thread pool into reused memory, one ahead of the visitor.
 * At most two blocks of memory a transfer, however slow the visitor is.
 *
 *     pump ─┬─ by kernel ──took some──▶ pump        took none: one block by hand, whose drain tells
 *           └─ read ─▶ ready ─▶ write ─┬─▶ pump     when the kernel has room again
 *                                      └─ full: wait for drain ─▶ pump
 */
import { close, read } from 'node:fs'
import { PorticoError } from '../../errors.ts'
import type { AnswerHead, Exchange } from '../../request/exchange.ts'
import type { Slice } from './ranges.ts'

/** Bytes read at once. */
const BLOCK = 131_072
/** What is left of a part is worth the kernel's help, bytes. */
const WORTH_SENDFILE = 262_144
/** Most that the kernel is given in one go, so that large files share the pool's threads. */
const MOST_SENDFILE = 4_194_304
/** Blocks kept for the next transfer, per thread: 4 MiB. */
const MOST_SPARE = 32

const EMPTY = Buffer.alloc(0)
const spare: Buffer[] = []

/** A part of the file, or bytes to send as they are. */
export type Piece = Slice | Uint8Array

/**
 * Answers with `length` bytes of the file from `offset`. Takes over `fd`, a regular file open for
 * reading, and closes it in every case. A file that turns out shorter cuts the connection.
 */
export function sendFile(
  exchange: Exchange,
  head: AnswerHead,
  fd: number,
  offset: number,
  length: number,
): void {
  sendPieces(exchange, head, fd, [{ from: offset, length }])
}

/** The same for several parts, with bytes between them. */
export function sendPieces(
  exchange: Exchange,
  head: AnswerHead,
  fd: number,
  pieces: readonly Piece[],
): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (length === 0 || exchange.line.method === 'HEAD' || exchange.gone) {
    close(fd, ignore)
    exchange.respond(head, EMPTY, length)
    return
  }
  exchange.start(head, length)
  new FileSender(exchange, fd, pieces).pump()
}

/** A block that was read and waits to be written; `block` is null for bytes that are not ours. */
interface Ready {
  readonly view: Uint8Array
  readonly block: Buffer | null
}

class FileSender {
  readonly #exchange: Exchange
  readonly #fd: number
  readonly #pieces: readonly Piece[]
  /** The piece to go on with and how much of it is read or sent. */
  #index = 0
  #done = 0
  #ready: Ready | null = null
  /** The pool is using the descriptor: it cannot be closed yet. */
  #busy = false
  #kernel: boolean
  /** The kernel had no room: the next block goes by hand. */
  #byHand = false
  /** What the gateway still holds while we wait for it to drain. */
  #held: Buffer | null = null
  #waiting = false
  #pumping = false
  #over = false

  constructor(exchange: Exchange, fd: number, pieces: readonly Piece[]) {
    this.#exchange = exchange
    this.#fd = fd
    this.#pieces = pieces
    this.#kernel = exchange.sendFile !== undefined
    exchange.onGone = () => this.#finish()
  }

  /** Goes on as far as the file and the visitor allow. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (this.#step());
    this.#pumping = false
  }

  /** False: wait for a callback, or it is over. */
  #step(): boolean {
    if (this.#over) return false
    if (this.#ready === null && !this.#busy) {
      const piece = this.#current()
      if (piece === undefined) {
        if (this.#waiting) return false
        this.#finish()
        this.#exchange.end()
        return false
      }
      if (!this.#wantsKernel(piece)) this.#read(piece)
      else if (this.#waiting) return false
      else this.#sendByKernel(piece)
    }
    const next = this.#ready
    if (next === null) return !this.#busy
    if (this.#waiting) return false
    this.#ready = null
    this.#byHand = false
    // While this block leaves, the pool reads the next one.
    const ahead = this.#current()
    if (ahead !== undefined && !this.#wantsKernel(ahead)) this.#read(ahead)
    if (this.#exchange.write(next.view, true)) recycle(next.block)
    else if (!this.#over) {
      this.#held = next.block
      this.#waiting = true
      this.#exchange.onDrain = this.#drained
    }
    return true
  }

  /** The first piece that is not done. */
  #current(): Piece | undefined {
    let piece = this.#pieces[this.#index]
    while (piece !== undefined && this.#done === piece.length) {
      piece = this.#pieces[++this.#index]
      this.#done = 0
    }
    return piece
  }

  #wantsKernel(piece: Piece): piece is Slice {
    if (!this.#kernel || this.#byHand || !('from' in piece)) return false
    return piece.length - this.#done >= WORTH_SENDFILE
  }

  #sendByKernel(piece: Slice): void {
    const length = Math.min(MOST_SENDFILE, piece.length - this.#done)
    this.#busy = true
    this.#exchange.sendFile?.(this.#fd, piece.from + this.#done, length, (count) => {
      this.#busy = false
      if (this.#over) return close(this.#fd, ignore)
      if (count > 0) this.#done += count
      else if (count === 0) this.#byHand = true
      else this.#kernel = false
      this.pump()
    })
  }

  #read(piece: Piece): void {
    if (!('from' in piece)) {
      this.#done = piece.length
      this.#ready = { view: piece, block: null }
      return
    }
    const block = spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK)
    const length = Math.min(BLOCK, piece.length - this.#done)
    this.#busy = true
    read(this.#fd, block, 0, length, piece.from + this.#done, (error, count) => {
      this.#busy = false
      if (this.#over) {
        recycle(block)
        close(this.#fd, ignore)
      } else if (error !== null || count === 0) {
        recycle(block)
        this.#finish()
        const detail = error === null ? 'the file shrank while it was being sent' : 'reading a file'
        this.#exchange.fail(new PorticoError('INTERNAL', detail, { cause: error }))
      } else {
        this.#done += count
        this.#ready = { view: block.subarray(0, count), block }
        this.pump()
      }
    })
  }

  readonly #drained = (): void => {
    this.#exchange.onDrain = null
    this.#waiting = false
    recycle(this.#held)
    this.#held = null
    this.pump()
  }

  /** No more reads and writes. What the gateway holds is left to it. */
  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#exchange.onDrain = null
    this.#exchange.onGone = null
    recycle(this.#ready?.block ?? null)
    this.#ready = null
    if (!this.#busy) close(this.#fd, ignore)
  }
}

function recycle(block: Buffer | null): void {
  if (block !== null && spare.length < MOST_SPARE) spare.push(block)
}

function ignore(): void {}
