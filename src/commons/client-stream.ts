/**
 * Hot: what clients of both protocols have in common. What came in one read is run command by command, and
 * the replies to all of it leave in one write. Who does not read its replies is not read from either.
 */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import type { Commons } from './commons.ts'
import { writeText } from './write-text.ts'

/** Unsent replies from which on no further command of this client runs, bytes. */
const MOST_UNSENT = 1_048_576
/** What all clients together may leave unread, beside as much as may be kept, bytes. */
const MORE_UNSENT = 67_108_864
/** Commands that may stand behind one that waits, bytes, and one item. */
const MOST_HELD = 1_048_576
/** Replies are written when they have grown to this, so that no huge text comes together. */
const FLUSH_AT = 262_144

/** What a client may hold of our memory before it counts, bytes. */
const FREE = 16_384
/** Others wait while one client's commands run: so long at a time, ms. */
const LONGEST_TURN_MS = 10
const BETWEEN_LOOKS = 4

const nothing: Buffer = Buffer.alloc(0)

let ids = 0

export abstract class ClientStream implements Connection {
  readonly id: number = ++ids
  name = ''
  protected readonly commons: Commons
  protected readonly stream: ByteStream
  /** Replies that have not been written. */
  protected out = ''
  /** Commands are being run: what they say leaves when they are over. */
  protected running = false
  #closing = false
  protected over = false
  /** Came while no command could run. */
  #held = nothing
  /** Reads no more, because the client does not read its replies. */
  #full = false
  /** Others have their turn. */
  #resting = false
  /** Of our memory, in `commons.held`. */
  #counted = 0
  /** Of replies that the kernel has not taken, in `commons.unsent`. */
  #unsent = 0

  constructor(stream: ByteStream, commons: Commons) {
    this.stream = stream
    this.commons = commons
    commons.clients.add(this)
    commons.connections++
  }

  /** Runs at most one command of `bytes[at, to)`; returns where it ends, -1 when it is not all there. */
  protected abstract step(bytes: Buffer, at: number, to: number): number
  /** A command is being run whose reply comes later. */
  protected abstract readonly isWaiting: boolean
  /** What it holds of our memory, beside what came and could not run yet, bytes. */
  protected abstract get holding(): number
  /** What to say when `step` has thrown. */
  protected abstract failure(error: unknown): string
  /** It has left, and this is the last that it hears of. */
  protected abstract left(): void

  read(bytes: Buffer, length: number): boolean {
    if (this.over) return true
    this.commons.clock.read()
    if (this.isWaiting || this.#full || this.#resting) this.#hold(bytes, 0, length)
    else this.#run(bytes, length)
    return !this.#full && !this.#resting
  }

  #run(bytes: Buffer, length: number): void {
    this.running = true
    try {
      let at = 0
      let steps = 0
      const until = performance.now() + LONGEST_TURN_MS
      while (at < length && !this.#closing && !this.over) {
        at = this.step(bytes, at, length)
        if (at < 0) break
        if (this.isWaiting || this.#isFull()) {
          this.#hold(bytes, at, length)
          break
        }
        if (++steps % BETWEEN_LOOKS === 0 && at < length && performance.now() > until) {
          this.#rest()
          this.#hold(bytes, at, length)
          break
        }
      }
      this.count()
    } catch (error) {
      this.out += this.failure(error)
      this.#closing = true
    }
    this.running = false
    this.flush()
    if (this.#closing) this.close()
  }

  #rest(): void {
    this.#resting = true
    setImmediate(() => {
      this.#resting = false
      if (this.over || this.#full) return
      this.commons.clock.read()
      this.goOn()
      if (!this.#full && !this.#resting) this.stream.resume()
    })
  }

  /** Makes what it holds count, and lets go of whoever holds most where all hold too much together. */
  protected count(): void {
    if (this.over) return
    const held = this.holding + this.#held.length
    if (held <= FREE && this.#counted === 0) return
    this.#countAs(held <= FREE ? 0 : held)
    this.commons.keepBounds()
  }

  #countAs(bytes: number): void {
    this.commons.held += bytes - this.#counted
    this.#counted = bytes
  }

  get holds(): number {
    return this.#counted
  }

  letGo(): void {
    this.stream.destroy()
    this.closed()
  }

  #isFull(): boolean {
    if (this.out.length < FLUSH_AT && this.#unsent < MOST_UNSENT) return false
    this.flush()
    this.#full = this.stream.writableLength > MOST_UNSENT
    return this.#full
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    if (from === to) return
    const held = this.#held.length + to - from
    if (held > MOST_HELD + this.commons.limits.item) return this.stream.destroy()
    this.#held = Buffer.concat([this.#held, bytes.subarray(from, to)])
    this.count()
  }

  /** What it waited for has come: runs what stood behind that. */
  protected goOn(): void {
    if (this.over || this.running || this.#resting) return
    const held = this.#held
    this.#held = nothing
    if (held.length > 0) this.#run(held, held.length)
  }

  protected flush(): void {
    if (this.out === '' || this.stream.destroyed) return
    const text = this.out
    this.out = ''
    writeText(this.stream, text)
    this.#countUnsent()
  }

  /** Together they may leave unread so much and no more: whoever goes over that is let go of. */
  #countUnsent(): void {
    const { commons } = this
    const unsent = this.over ? 0 : this.stream.writableLength
    commons.unsent += unsent - this.#unsent
    this.#unsent = unsent
    if (unsent > 0 && commons.unsent > commons.limits.size + MORE_UNSENT) this.stream.destroy()
  }

  drained(): void {
    this.#countUnsent()
    if (!this.#full) return
    this.#full = false
    this.commons.clock.read()
    this.goOn()
    if (!this.#full && !this.#resting) this.stream.resume()
  }

  ended(): void {
    // Who closes its sending side has left: nobody speaks these protocols in one direction only.
    this.close()
  }

  /** Closes when all replies have left. */
  close(): void {
    if (this.running) {
      this.#closing = true
      return
    }
    if (this.over) return
    this.flush()
    this.over = true
    this.stream.destroySoon()
    this.#leave()
  }

  closed(): void {
    this.over = true
    this.#leave()
  }

  #leave(): void {
    if (!this.commons.clients.delete(this)) return
    this.#countAs(0)
    this.#held = nothing
    this.#countUnsent()
    this.left()
  }
}
