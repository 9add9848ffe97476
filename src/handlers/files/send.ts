/**
 * Sends parts of an open file as an answer's body: read on the thread pool into reused blocks, one block
 * ahead of the visitor. At most two blocks of memory a transfer, however slow the visitor is.
 */
import { close, read } from 'node:fs'
import { PorticoError } from '../../errors.ts'
import type { AnswerHead, Exchange } from '../../request/exchange.ts'
import type { Slice } from './ranges.ts'

/** Bytes read at once. */
const BLOCK = 131_072
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
  /** The piece to read next and how much of it has been read. */
  #index = 0
  #done = 0
  #ready: Ready | null = null
  #reading = false
  /** What the gateway still holds while we wait for it to drain. */
  #held: Buffer | null = null
  #waiting = false
  #over = false

  constructor(exchange: Exchange, fd: number, pieces: readonly Piece[]) {
    this.#exchange = exchange
    this.#fd = fd
    this.#pieces = pieces
    exchange.onGone = () => this.#finish()
  }

  /** Reads ahead and writes as far as both sides allow. */
  pump(): void {
    while (!this.#over) {
      if (this.#ready === null) this.#readNext()
      const next = this.#ready
      if (this.#waiting) return
      if (next === null) {
        if (this.#reading) return
        this.#finish()
        this.#exchange.end()
        return
      }
      this.#ready = null
      // While this block leaves, the pool reads the next one.
      this.#readNext()
      if (this.#exchange.write(next.view, true)) recycle(next.block)
      else {
        this.#held = next.block
        this.#waiting = true
        this.#exchange.onDrain = this.#drained
      }
    }
  }

  readonly #drained = (): void => {
    this.#exchange.onDrain = null
    this.#waiting = false
    recycle(this.#held)
    this.#held = null
    this.pump()
  }

  #readNext(): void {
    if (this.#reading || this.#over) return
    let piece = this.#pieces[this.#index]
    while (piece !== undefined && this.#done === piece.length) {
      piece = this.#pieces[++this.#index]
      this.#done = 0
    }
    if (piece === undefined) return
    if (!('from' in piece)) {
      this.#done = piece.length
      this.#ready = { view: piece, block: null }
      return
    }
    const block = spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK)
    const length = Math.min(BLOCK, piece.length - this.#done)
    this.#reading = true
    read(this.#fd, block, 0, length, piece.from + this.#done, (error, count) => {
      this.#reading = false
      // The descriptor could not be closed while the pool was using it.
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

  /** No more reads and writes. What the gateway holds is left to it. */
  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#exchange.onDrain = null
    this.#exchange.onGone = null
    recycle(this.#ready?.block ?? null)
    this.#ready = null
    if (!this.#reading) close(this.#fd, ignore)
  }
}

function recycle(block: Buffer | null): void {
  if (block !== null && spare.length < MOST_SPARE) spare.push(block)
}

function ignore(): void {}
