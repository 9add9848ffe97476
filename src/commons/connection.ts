/** Hot: one client that speaks RESP. */
import type { ByteStream } from '../listen/byte-stream.ts'
import {
  encodeHead,
  encodeReply,
  Failure,
  itemsOf,
  type Protocol,
  type Reply,
  RespError,
  sizeOfReply,
} from '../wire/resp.ts'
import { CommandDecoder, type CommandLimits } from '../wire/resp-command.ts'
import type { Client, Subscriptions, Transaction } from './client.ts'
import { ClientStream } from './client-stream.ts'
import type { Commons } from './commons.ts'
import type { Keyspace } from './keyspace.ts'
import { LATER, type Registry } from './registry.ts'
import { TOO_LARGE_REPLY } from './words.ts'

/** Longer replies leave in pieces, so that no huge text comes together. */
const PIECE = 65_536
/** A subscriber that does not read what it is told is let go of, bytes. */
const MOST_PUSHED = 8_388_608

export class RespConnection extends ClientStream implements Client {
  protocol: Protocol = 2
  space: Keyspace
  replies: Client['replies'] = 'on'
  subscriptions: Subscriptions | null = null
  transaction: Transaction | null = null
  atomic = false
  readonly #registry: Registry
  readonly #decoder: CommandDecoder
  #cancel: (() => void) | null = null
  readonly #leaving: (() => void)[] = []

  constructor(stream: ByteStream, commons: Commons, registry: Registry, limits: CommandLimits) {
    super(stream, commons)
    this.#registry = registry
    this.#decoder = new CommandDecoder(limits)
    this.space = commons.spaces[0]!
  }

  protected override step(bytes: Buffer, at: number, to: number): number {
    const end = this.#decoder.decode(bytes, at, to)
    const { command } = this.#decoder
    if (command === null) return -1
    // What it is made of may count anew, as what is kept.
    this.count()
    this.commons.commands++
    this.#answer(this.#registry.run(this, command))
    this.commons.settle()
    // Nobody keeps it: it may be large.
    this.#decoder.command = null
    return end
  }

  protected override get isWaiting(): boolean {
    return this.#cancel !== null
  }

  protected override failure(error: unknown): string {
    const isTheirs = error instanceof RespError
    if (!isTheirs) this.commons.complain(error)
    const reason = isTheirs ? error.message : 'internal error; see the log of the site'
    return encodeReply(new Failure(`ERR ${reason}`), this.protocol)
  }

  #answer(reply: Reply | typeof LATER): void {
    if (reply === LATER) return
    if (this.replies === 'on') this.#say(reply)
    else if (this.replies === 'skip-this') this.replies = 'skip-next'
    else if (this.replies === 'skip-next') this.replies = 'on'
  }

  #say(reply: Reply): void {
    const items = itemsOf(reply)
    if (items === null) this.out += encodeReply(reply, this.protocol)
    else if (sizeOfReply(reply) <= this.commons.limits.size) this.#sayAll(reply, items)
    else this.out += encodeReply(TOO_LARGE_REPLY, this.protocol)
  }

  #sayAll(reply: Reply, items: readonly Reply[]): void {
    this.out += encodeHead(reply, items.length, this.protocol)
    for (const item of items) {
      if (this.stream.destroyed) return
      const inner = itemsOf(item)
      if (inner === null) this.out += encodeReply(item, this.protocol)
      else this.#sayAll(item, inner)
      if (this.out.length > PIECE) this.flush()
    }
  }

  protected override get holding(): number {
    const { transaction } = this
    return this.#decoder.pending + (transaction === null ? 0 : transaction.bytes)
  }

  wait(cancel: () => void): (reply: Reply) => void {
    this.#cancel = cancel
    return (reply) => {
      if (this.#cancel !== cancel) return
      this.#cancel = null
      this.#answer(reply)
      if (this.running) return
      this.flush()
      // Not from here: what runs then may free the next one that waits, and so on, ever deeper.
      queueMicrotask(() => this.goOn())
    }
  }

  push(reply: Reply): void {
    if (this.over) return
    this.out += encodeReply(reply, this.protocol)
    if (this.running) return
    this.flush()
    if (this.stream.writableLength > MOST_PUSHED) this.stream.destroy()
  }

  onLeave(then: () => void): void {
    this.#leaving.push(then)
  }

  protected override left(): void {
    const cancel = this.#cancel
    this.#cancel = null
    cancel?.()
    for (const then of this.#leaving.splice(0)) then()
    this.commons.settle()
  }
}
