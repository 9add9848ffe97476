/** Hot: one client that speaks RESP. */
import type { ByteStream } from '../listen/byte-stream.ts'
import { encodeReply, Failure, type Protocol, type Reply, RespError } from '../wire/resp.ts'
import { CommandDecoder, type CommandLimits } from '../wire/resp-command.ts'
import type { Client, Subscriptions, Transaction } from './client.ts'
import { ClientStream } from './client-stream.ts'
import type { Commons } from './commons.ts'
import type { Keyspace } from './keyspace.ts'
import { LATER, type Registry } from './registry.ts'

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
    this.commons.commands++
    this.#answer(this.#registry.run(this, command))
    this.commons.settle()
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
    if (this.replies === 'on') this.out += encodeReply(reply, this.protocol)
    else if (this.replies === 'skip-this') this.replies = 'skip-next'
    else if (this.replies === 'skip-next') this.replies = 'on'
  }

  wait(cancel: () => void): (reply: Reply) => void {
    this.#cancel = cancel
    return (reply) => {
      if (this.#cancel !== cancel) return
      this.#cancel = null
      this.#answer(reply)
      if (this.running) return
      this.flush()
      this.goOn()
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
