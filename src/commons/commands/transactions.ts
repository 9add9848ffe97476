/** Several commands as one: MULTI, EXEC, and WATCH for what they depend on. */
import { Failure, NO_ARRAY, OK, type Reply } from '../../wire/resp.ts'
import type { Client, Transaction } from '../client.ts'
import type { Commons } from '../commons.ts'
import { type Command, LATER, type Registry } from '../registry.ts'

const MOST_WATCHED = 10_000

export function transactions(_commons: Commons, registry: Registry): readonly Command[] {
  const exec = (client: Client): Reply => {
    const { transaction } = client
    if (transaction?.open !== true) return new Failure('ERR EXEC without MULTI')
    client.transaction = null
    if (transaction.spoilt) {
      return new Failure('EXECABORT Transaction discarded because of previous errors.')
    }
    if (!transaction.watched.every(isUnchanged)) return NO_ARRAY
    client.atomic = true
    try {
      return transaction.commands.map((args) => {
        const reply = registry.run(client, args)
        return reply === LATER ? null : reply
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
        const { open, watched } = begun(client)
        if (open) return new Failure('ERR WATCH inside MULTI is not allowed')
        if (watched.length + args.length > MOST_WATCHED) return new Failure('ERR too many keys')
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
