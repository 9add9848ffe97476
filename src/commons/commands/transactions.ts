/** Several commands as one: MULTI, EXEC, and WATCH for what they depend on. */
import { Failure, NO_ARRAY, OK, type Reply, sizeOfReply } from '../../wire/resp.ts'
import { ARGUMENT_COST } from '../../wire/resp-command.ts'
import type { Client, Transaction } from '../client.ts'
import type { Commons } from '../commons.ts'
import { type Command, LATER, type Registry } from '../registry.ts'
import { TOO_LARGE_REPLY } from '../words.ts'

/** Of the largest reply, for those of its commands: what cannot be told has a reply, too. */
const SHARE = 0.9
const MOST_WATCHED = 10_000

export function transactions(commons: Commons, registry: Registry): readonly Command[] {
  const exec = (client: Client): Reply => {
    const { transaction } = client
    if (transaction?.open !== true) return new Failure('ERR EXEC without MULTI')
    client.transaction = null
    if (transaction.spoilt) {
      return new Failure('EXECABORT Transaction discarded because of previous errors.')
    }
    if (!transaction.watched.every(isUnchanged)) return NO_ARRAY
    client.atomic = true
    let size = 0
    try {
      return transaction.commands.map((args) => {
        const reply = registry.run(client, args)
        if (reply === LATER) return null
        // All is done, however much of it can be told.
        size += sizeOfReply(reply)
        return size > SHARE * commons.limits.size ? TOO_LARGE_REPLY : reply
      })
    } finally {
      client.atomic = false
    }
  }

  return [
    {
      name: 'MULTI',
      arity: 1,
      run: (client) => {
        const transaction = begun(client)
        if (transaction.open) return new Failure('ERR MULTI calls can not be nested')
        transaction.open = true
        return OK
      },
    },
    { name: 'EXEC', arity: 1, run: exec },
    {
      name: 'DISCARD',
      arity: 1,
      run: (client) => {
        if (client.transaction?.open !== true) return new Failure('ERR DISCARD without MULTI')
        client.transaction = null
        return OK
      },
    },
    {
      name: 'WATCH',
      arity: -2,
      run: (client, args) => {
        const transaction = begun(client)
        const { open, watched } = transaction
        if (open) return new Failure('ERR WATCH inside MULTI is not allowed')
        const bytes = args.reduce((sum, arg) => sum + arg.length + ARGUMENT_COST, transaction.bytes)
        if (watched.length + args.length > MOST_WATCHED || bytes > registry.limits.whole) {
          return new Failure('ERR too many keys')
        }
        transaction.bytes = bytes
        const { space } = client
        for (const key of args.slice(1)) {
          watched.push({ space, key, version: space.get(key)?.version ?? 0 })
        }
        return OK
      },
    },
    {
      name: 'UNWATCH',
      arity: 1,
      run: (client) => {
        client.transaction = null
        return OK
      },
    },
  ]
}

function begun(client: Client): Transaction {
  client.transaction ??= { open: false, commands: [], bytes: 0, spoilt: false, watched: [] }
  return client.transaction
}

function isUnchanged({ space, key, version }: Transaction['watched'][number]): boolean {
  return (space.get(key)?.version ?? 0) === version
}
