/**
 * Hot: one client that speaks RESP. Commands run one after another as they come; the replies to all that
 * came in one read leave in one write.
 */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { encodeReply, Failure, type Protocol, type Reply, RespError } from '../wire/resp.ts'
import { CommandDecoder, type CommandLimits } from '../wire/resp-command.ts'
import type { Client, Subscriptions, Transaction } from './client.ts'
import type { Commons } from './commons.ts'
import type { Keyspace } from './keyspace.ts'
import { LATER, type Registry } from './registry.ts'
import { writeText } from './write-text.ts'

/** Unsent replies from which on no further command of this client runs, bytes. */
const MOST_UNSENT = 1_048_576
/** A subscriber that does not read what it is told is let go of, bytes. */
const MOST_PUSHED = 8_388_608
/** Commands that may stand behind one that waits, bytes. */
const MOST_HELD = 1_048_576
/** Replies are written when they have grown to this, so that no huge text comes together. */
const FLUSH_AT = 262_144

const nothing: Buffer = Buffer.alloc(0)

let ids = 0

export class RespConnection implements Connection, Client {
  readonly id: number = ++ids
  name = ''
  protocol: Protocol = 2
  space: Keyspace
  replies: Client['replies'] = 'on'
  subscriptions: Subscriptions | null = null
  transaction: Transaction | null = null
  atomic = false
  readonly #stream: ByteStream
  readonly #commons: Commons
  readonly #registry: Registry
  readonly #decoder: CommandDecoder
  /** Replies that have not been written. */
  #out = ''
  /** Came while no command could run. */
  #held = nothing
  #cancel: (() => void) | null = null
  #leaving: (() => void)[] = []
  #running = false
  /** Reads no more, because the client does not read its replies. */
  #full = false
  #closing = false
  #over = false

  constructor(stream: ByteStream, commons: Commons, registry: Registry, limits: CommandLimits) {
    this.#stream = stream
    this.#commons = commons
    this.#registry = registry
    this.#decoder = new CommandDecoder(limits)
    this.space = commons.spaces[0]!
    commons.clients.add(this)
    commons.connections++
  }

  // What comes.

  read(bytes: Buffer, length: number): boolean {
    if (this.#over) return true
    this.#commons.clock.read()
    if (this.#cancel !== null || this.#full) this.#hold(bytes, 0, length)
    else this.#run(bytes, length)
    return !this.#full
  }

  #run(bytes: Buffer, length: number): void {
    this.#running = true
    try {
      let at = 0
      while (at < length && !this.#closing && !this.#over) {
        at = this.#decoder.decode(bytes, at, length)
        const { command } = this.#decoder
        if (command === null) break
        this.#commons.commands++
        this.#answer(this.#registry.run(this, command))
        this.#commons.settle()
        if (this.#cancel !== null || this.#isFull()) {
          this.#hold(bytes, at, length)
          break
        }
      }
    } catch (error) {
      if (!(error instanceof RespError)) this.#commons.complain(error)
      const reason = error instanceof RespError ? error.message : 'internal error; see the log'
      this.#out += encodeReply(new Failure(`ERR ${reason}`), this.protocol)
      this.#closing = true
    }
    this.#running = false
    this.#flush()
    if (this.#closing) this.close()
  }

  #isFull(): boolean {
    if (this.#out.length < FLUSH_AT) return false
    this.#flush()
    this.#full = this.#stream.writableLength > MOST_UNSENT
    return this.#full
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    if (from === to) return
    const held = this.#held.length + to - from
    if (held > MOST_HELD + this.#commons.limits.item) return this.#stream.destroy()
    this.#held = Buffer.concat([this.#held, bytes.subarray(from, to)])
  }

  #goOn(): void {
    if (this.#over || this.#running) return
    const held = this.#held
    this.#held = nothing
    if (held.length > 0) this.#run(held, held.length)
  }

  // What goes.

  #answer(reply: Reply | typeof LATER): void {
    if (reply === LATER) return
    if (this.replies === 'on') this.#out += encodeReply(reply, this.protocol)
    else if (this.replies === 'skip-this') this.replies = 'skip-next'
    else if (this.replies === 'skip-next') this.replies = 'on'
  }

  wait(cancel: () => void): (reply: Reply) => void {
    this.#cancel = cancel
    return (reply) => {
      if (this.#cancel !== cancel) return
      this.#cancel = null
      this.#answer(reply)
      if (this.#running) return
      this.#flush()
      this.#goOn()
    }
  }

  push(reply: Reply): void {
    if (this.#over) return
    this.#out += encodeReply(reply, this.protocol)
    if (this.#running) return
    this.#flush()
    if (this.#stream.writableLength > MOST_PUSHED) this.#stream.destroy()
  }

  #flush(): void {
    if (this.#out === '' || this.#stream.destroyed) return
    const text = this.#out
    this.#out = ''
    writeText(this.#stream, text)
  }

  drained(): void {
    if (!this.#full) return
    this.#full = false
    this.#commons.clock.read()
    this.#goOn()
    if (!this.#full) this.#stream.resume()
  }

  // The end.

  onLeave(then: () => void): void {
    this.#leaving.push(then)
  }

  ended(): void {
    // Who closes its sending side has left: nobody speaks RESP in one direction only.
    this.close()
  }

  close(): void {
    if (this.#running) {
      this.#closing = true
      return
    }
    if (this.#over) return
    this.#over = true
    this.#flush()
    this.#stream.destroySoon()
    this.#leave()
  }

  closed(): void {
    this.#over = true
    this.#leave()
  }

  #leave(): void {
    const cancel = this.#cancel
    this.#cancel = null
    cancel?.()
    for (const then of this.#leaving.splice(0)) then()
    this.#commons.clients.delete(this)
  }
}
