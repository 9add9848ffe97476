/**
 * Gathers a whole request body before an application sees it: small ones in memory, large ones in a
 * file, so that a slow visitor keeps no worker and memory stays bounded.
 */
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PorticoError } from '../errors.ts'
import type { BodySink, Exchange } from './exchange.ts'

/** Bodies up to this size stay in memory. */
const IN_MEMORY = 65_536
/** The first block for a body that comes in pieces. */
const LEAST_BLOCK = 1024

/** A complete body: in memory, or with `path` in a file that the receiver removes. */
export interface WholeBody {
  readonly bytes: Buffer
  readonly path: string
  readonly length: number
}

/** No body. */
export const EMPTY_BODY: WholeBody = { bytes: Buffer.alloc(0), path: '', length: 0 }

let files = 0

const shared = new Set<string>()

/** Bodies in this folder are for another user to read, who alone gets into it. */
export function shareBodies(folder: string): void {
  shared.add(folder)
}

/**
 * Receives the body of `exchange`: either `done` gets it, or `failed` is called when there will be none
 * (the exchange has then been told, or is gone). `folder` is where large bodies go.
 */
export function gatherBody(
  exchange: Exchange,
  folder: string,
  done: (body: WholeBody) => void,
  failed: () => void,
): void {
  const { fields } = exchange
  if (!fields.chunked && fields.contentLength === 0) return done(EMPTY_BODY)
  exchange.receive(new Gatherer(exchange, folder, done, failed))
}

/** Removes a spooled body; one that is gone already is no error. */
export function discardBody(body: WholeBody): void {
  if (body.path !== '') void unlink(body.path).catch(() => {})
}

class Gatherer implements BodySink {
  readonly #exchange: Exchange
  readonly #folder: string
  readonly #done: (body: WholeBody) => void
  readonly #failed: () => void
  /** Full blocks, then `#block`, of which `#fill` bytes are used. */
  #full: Buffer[] = []
  #block: Buffer | null = null
  #fill = 0
  /** Bytes held in memory. */
  #held = 0
  #length = 0
  #path = ''
  #file: FileHandle | null = null
  #writing = false
  #ended = false
  /** There will be no body: what still comes is dropped. */
  #over = false

  constructor(
    exchange: Exchange,
    folder: string,
    done: (body: WholeBody) => void,
    failed: () => void,
  ) {
    this.#exchange = exchange
    this.#folder = folder
    this.#done = done
    this.#failed = failed
  }

  data(chunk: Uint8Array): boolean {
    if (this.#over) return true
    this.#length += chunk.length
    this.#held += chunk.length
    // Mostly the whole body comes at once.
    if (chunk.length === this.#exchange.fields.contentLength) this.#full.push(Buffer.from(chunk))
    else this.#append(chunk)
    if (this.#length <= IN_MEMORY) return true
    void this.#spill()
    return this.#held < IN_MEMORY
  }

  /** Gathers pieces in blocks that double: a visitor may send a body byte by byte. */
  #append(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#block === null) {
        const size = Math.min(IN_MEMORY, Math.max(chunk.length - at, this.#held, LEAST_BLOCK))
        // Not out of the common pool, which a small body that comes slowly would keep alive.
        this.#block = Buffer.allocUnsafeSlow(size)
        this.#fill = 0
      }
      const count = Math.min(chunk.length - at, this.#block.length - this.#fill)
      this.#block.set(chunk.subarray(at, at + count), this.#fill)
      this.#fill += count
      at += count
      if (this.#fill < this.#block.length) return
      this.#full.push(this.#block)
      this.#block = null
    }
  }

  /** All that is held, which is not held any more. */
  #take(): Buffer {
    const parts = this.#full
    if (this.#block !== null) parts.push(this.#block.subarray(0, this.#fill))
    this.#full = []
    this.#block = null
    this.#held = 0
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  end(): void {
    if (this.#over) return
    this.#ended = true
    if (this.#path !== '') return void this.#spill()
    this.#done({ bytes: this.#take(), path: '', length: this.#length })
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#take()
    if (!this.#writing) void this.#discard()
    this.#failed()
  }

  /** Moves what is held into the file; one write at a time. */
  async #spill(): Promise<void> {
    if (this.#writing) return
    this.#writing = true
    try {
      await this.#writeHeld()
    } catch (cause) {
      // Still writing, as far as anyone else can tell: nothing begins another file.
      this.#take()
      await this.#discard()
      if (this.#over) return
      this.#over = true
      this.#exchange.fail(new PorticoError('SPOOL_FAILED', reason(cause), { cause }))
      return this.#failed()
    }
    this.#writing = false
    if (this.#over) return this.#discard()
    if (!this.#ended) return
    if (this.#exchange.gone) {
      // The visitor left when all was here but not yet written: nobody was told, so we tell.
      this.#over = true
      await this.#discard()
      return this.#failed()
    }
    this.#done({ bytes: Buffer.from(this.#path), path: this.#path, length: this.#length })
  }

  async #writeHeld(): Promise<void> {
    if (this.#file === null) {
      this.#path = join(
        this.#folder,
        `body-${process.pid}-${process.hrtime.bigint().toString(36)}-${files++}`,
      )
      this.#file = await open(this.#path, 'wx', 0o600)
      if (shared.has(this.#folder)) await this.#file.chmod(0o644)
    }
    while (this.#held > 0 && !this.#over) {
      const bytes = this.#take()
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#file.write(bytes, at)).bytesWritten
      }
      if (!this.#ended) this.#exchange.resume()
    }
    if (!this.#ended || this.#over) return
    const file = this.#file
    this.#file = null
    await file.close()
  }

  async #discard(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close().catch(() => {})
    if (this.#path !== '') await unlink(this.#path).catch(() => {})
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
