/** The commons: what the applications of a site share. Listens, and gives each connection its protocol. */

import type { JobsOffice } from '../jobs/office.ts'
import { type Acceptor, accept } from '../listen/accept.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import type { CommandLimits } from '../wire/resp-command.ts'
import { basics } from './commands/basics.ts'
import { hashes } from './commands/hashes.ts'
import { jobs } from './commands/jobs.ts'
import { keys } from './commands/keys.ts'
import { lists } from './commands/lists.ts'
import { locks } from './commands/locks.ts'
import { metrics } from './commands/metrics.ts'
import { pubsub } from './commands/pubsub.ts'
import { signals } from './commands/signals.ts'
import { strings } from './commands/strings.ts'
import { transactions } from './commands/transactions.ts'
import { Commons, type CommonsLimits } from './commons.ts'
import { RespConnection } from './connection.ts'
import { MemcachedConnection } from './memcached.ts'
import type { Speaks } from './protocol.ts'
import { type Command, Registry } from './registry.ts'
import { Sweep } from './sweep.ts'

/** Each makes the commands of one file below `commands/`. */
const groups: readonly ((commons: Commons, registry: Registry) => readonly Command[])[] = [
  basics,
  strings,
  keys,
  lists,
  hashes,
  pubsub,
  transactions,
  locks,
  metrics,
  signals,
]

/** A command's arguments together, in longest items. */
const ITEMS_AT_ONCE = 8

export class CommonsServer {
  readonly commons: Commons
  readonly #registry: Registry
  readonly #limits: CommandLimits
  readonly #sweep: Sweep
  readonly #acceptors: Acceptor[] = []

  constructor(
    limits: CommonsLimits,
    complain: (error: unknown) => void,
    office: JobsOffice | null = null,
  ) {
    this.commons = new Commons(limits, complain)
    this.#limits = { argument: limits.item, whole: ITEMS_AT_ONCE * limits.item }
    this.#sweep = new Sweep(this.commons)
    this.#registry = new Registry(this.#limits)
    for (const group of groups) this.#registry.add(group(this.commons, this.#registry))
    if (office !== null) this.#registry.add(jobs(office))
  }

  /** Resolves when clients are accepted. */
  listen(
    speaks: Speaks,
    on: { readonly fd: number; readonly backlog?: number } | { readonly path: string },
  ): Promise<void> {
    return new Promise((ready, failed) => {
      const acceptor = accept({
        on,
        admit: () => true,
        connect: (stream) => this.connect(speaks, stream),
        ready,
        failed,
      })
      this.#acceptors.push(acceptor)
    })
  }

  connect(speaks: Speaks, stream: ByteStream): Connection {
    if (this.commons.clients.size >= this.commons.limits.connections) {
      return turnedAway(speaks, stream)
    }
    if (speaks === 'memcached') return new MemcachedConnection(stream, this.commons)
    return new RespConnection(stream, this.commons, this.#registry, this.#limits)
  }

  close(): void {
    this.#sweep.stop()
    for (const acceptor of this.#acceptors) acceptor.close()
    for (const client of this.commons.clients) client.close()
  }
}

/** A client too many hears why, in the words of either protocol. */
function turnedAway(speaks: Speaks, stream: ByteStream): Connection {
  const why =
    speaks === 'resp'
      ? '-ERR max number of clients reached: raise cache.connections in the site file\r\n'
      : 'ERROR Too many open connections\r\n'
  stream.write(Buffer.from(why))
  stream.destroySoon()
  return { read: () => true, ended() {}, closed() {}, drained() {} }
}
