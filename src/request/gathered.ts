/**
 * A request whose body has been gathered, for backends that must know its length beforehand: to them
 * it is as if the visitor had told it.
 */
import { close, open, read, unlink } from 'node:fs'
import { PorticoError } from '../errors.ts'
import { gatherBody, type WholeBody } from './body.ts'
import type { AnswerHead, BodySink, Exchange } from './exchange.ts'
import { ExchangeThrough } from './through.ts'

/** Bytes read at once. */
const BLOCK = 65_536

/**
 * Gathers the body of `exchange`, then calls `serve` with an exchange that has it. Nobody is called
 * when there will be none: the visitor has been told, or is gone. `spool`: the folder for large bodies.
 */
export function gathered(
  exchange: Exchange,
  spool: string,
  serve: (exchange: Exchange) => void,
): void {
  gatherBody(
    exchange,
    spool,
    (body) => {
      if (body.path === '') return serve(new GatheredExchange(exchange, body, -1))
      open(body.path, 'r', (failed, fd) => {
        // Open it stays readable; whatever happens to us, nothing of it is left.
        unlink(body.path, ignore)
        if (failed !== null) {
          exchange.fail(new PorticoError('SPOOL_FAILED', failed.message, { cause: failed }))
        } else if (exchange.gone) close(fd, ignore)
        else serve(new GatheredExchange(exchange, body, fd))
      })
    },
    ignore,
  )
}

class GatheredExchange extends ExchangeThrough {
  readonly #body: WholeBody
  /** The file that has the body; -1: it is in memory, or the file is closed. */
  #fd: number
  #sink: BodySink | null = null
  #block: Buffer | null = null
  #at = 0
  #reading = false
  #paused = false
  /** Nobody wants more of the body. */
  #over = false
  #onGone: (() => void) | null = null

  constructor(visitor: Exchange, body: WholeBody, fd: number) {
    super(visitor, {
      ...visitor.fields,
      chunked: false,
      hasLength: true,
      contentLength: body.length,
      expectContinue: false,
      encoded: null,
    })
    this.#body = body
    this.#fd = fd
    visitor.onGone = () => {
      this.#release()
      this.#onGone?.()
    }
  }

  override get onGone(): (() => void) | null {
    return this.#onGone
  }

  override set onGone(call: (() => void) | null) {
    this.#onGone = call
  }

  get rereadable(): boolean {
    return this.#body.path === ''
  }

  override receive(sink: BodySink): void {
    this.#sink = sink
    this.#at = 0
    this.#paused = false
    this.#go()
  }

  override resume(): void {
    this.#paused = false
    this.#go()
  }

  override respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    this.#release()
    super.respond(head, body, length)
  }

  override end(trailers?: string): void {
    this.#release()
    super.end(trailers)
  }

  override fail(error: PorticoError): void {
    this.#release()
    super.fail(error)
  }

  /** Gives the sink what comes next, as far as it takes it. */
  #go(): void {
    if (this.#paused || this.#over || this.#sink === null) return
    if (this.#at === this.#body.length) {
      const sink = this.#sink
      this.#sink = null
      if (!this.rereadable) this.#release()
      sink.end('')
    } else if (this.#fd >= 0) this.#read()
    else this.#give(this.#body.bytes)
  }

  #give(bytes: Uint8Array): void {
    this.#at += bytes.length
    if (this.#sink?.data(bytes) === false) this.#paused = true
    else this.#go()
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK)
    const block = this.#block
    const length = Math.min(BLOCK, this.#body.length - this.#at)
    read(this.#fd, block, 0, length, this.#at, (failed, count) => {
      this.#reading = false
      if (this.#over) this.#close()
      else if (failed !== null || count === 0) {
        this.#release()
        this.#sink?.abort(new PorticoError('SPOOL_FAILED', failed?.message ?? 'cut short'))
      } else this.#give(block.subarray(0, count))
    })
  }

  #release(): void {
    this.#over = true
    if (!this.#reading) this.#close()
  }

  #close(): void {
    if (this.#fd >= 0) close(this.#fd, ignore)
    this.#fd = -1
    this.#block = null
  }
}

function ignore(): void {}
