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

/** A complete body: in memory, or with `path` in a file that the receiver removes. */
export interface WholeBody {
  readonly bytes: Buffer
  readonly path: string
  readonly length: number
}

const EMPTY: WholeBody = { bytes: Buffer.alloc(0), path: '', length: 0 }

let files = 0

/**
 * Receives the body of `exchange`; `done` gets it, or `failed` the reason why there is none (the
 * exchange has then been told). `folder` is where large bodies go.
 */
export function gatherBody(
  exchange: Exchange,
  folder: string,
  done: (body: WholeBody) => void,
  failed: () => void,
): void {
  const { fields } = exchange
  if (!fields.chunked && fields.contentLength === 0) return done(EMPTY)
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
  #parts: Buffer[] = []
  /** Bytes in `#parts`. */
  #held = 0
  #length = 0
  #path = ''
  #file: FileHandle | null = null
  #writing = false
  #ended = false
  #aborted = false

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
    this.#parts.push(Buffer.from(chunk))
    this.#held += chunk.length
    this.#length += chunk.length
    if (this.#length <= IN_MEMORY) return true
    void this.#spill()
    return this.#held < IN_MEMORY
  }

  end(): void {
    this.#ended = true
    if (this.#path !== '') return void this.#spill()
    this.#done({
      bytes: this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts),
      path: '',
      length: this.#length,
    })
  }

  abort(): void {
    this.#aborted = true
    this.#parts = []
    if (!this.#writing) void this.#discard()
    this.#failed()
  }

  /** Moves what is held into the file; one write at a time. */
  async #spill(): Promise<void> {
    if (this.#writing) return
    this.#writing = true
    try {
      if (this.#file === null) {
        this.#path = join(
          this.#folder,
          `body-${process.pid}-${process.hrtime.bigint().toString(36)}-${files++}`,
        )
        this.#file = await open(this.#path, 'wx', 0o600)
      }
      while (this.#parts.length > 0 && !this.#aborted) {
        const parts = this.#parts
        this.#parts = []
        this.#held = 0
        await this.#writeAll(this.#file, Buffer.concat(parts))
        if (!this.#ended) this.#exchange.resume()
      }
    } catch (cause) {
      this.#writing = false
      await this.#discard()
      if (this.#aborted) return
      this.#aborted = true
      this.#exchange.fail(new PorticoError('SPOOL_FAILED', reason(cause), { cause }))
      return this.#failed()
    }
    this.#writing = false
    if (this.#aborted) return this.#discard()
    if (!this.#ended) return
    await this.#file.close()
    this.#done({ bytes: Buffer.from(this.#path), path: this.#path, length: this.#length })
  }

  async #writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten
  }

  async #discard(): Promise<void> {
    await this.#file?.close().catch(() => {})
    this.#file = null
    if (this.#path !== '') await unlink(this.#path).catch(() => {})
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
