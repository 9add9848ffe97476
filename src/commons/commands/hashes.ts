/** Hashes: counters and small records. They are never given up for want of memory. */
import { Failure, OK, Pairs, type Reply } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import type { Commons } from '../commons.ts'
import { addDecimals } from '../decimal.ts'
import type { Entry } from '../entry.ts'
import type { Keyspace } from '../keyspace.ts'
import { FIELD_COST } from '../memory.ts'
import type { Command } from '../registry.ts'
import { NO_ROOM, NOT_A_NUMBER, sum, TOO_LONG, WRONG_TYPE, wideInteger } from '../words.ts'

type Fields = Map<string, string>
type HashEntry = Entry & { readonly value: Fields }

export function hashes(commons: Commons): readonly Command[] {
  const read = (client: Client, key: string): Fields | Failure => {
    const found = hashAt(client.space, key)
    if (found instanceof Failure) return found
    return found?.value ?? none
  }

  const set = (client: Client, args: readonly string[]): Reply => {
    if (args.length % 2 === 1) {
      return new Failure(`ERR wrong number of arguments for '${args[0]!.toLowerCase()}' command`)
    }
    return put(client.space, args[1]!, args.slice(2))
  }

  const all = (client: Client, key: string, what: (fields: Fields) => Reply): Reply => {
    const fields = read(client, key)
    return fields instanceof Failure ? fields : what(fields)
  }

  /** Adds to a field, which begins as 0. */
  const add = (
    client: Client,
    [, key, field]: readonly string[],
    total: (before: string) => Reply,
  ): Reply => {
    const fields = read(client, key!)
    if (fields instanceof Failure) return fields
    const after = total(fields.get(field!) ?? '0')
    if (after instanceof Failure) return after
    const text = String(after)
    if (text.length > commons.limits.item) return TOO_LONG
    const done = put(client.space, key!, [field!, text])
    return done instanceof Failure ? done : after
  }

  return [
    { name: 'HSET', arity: -4, run: set },
    {
      name: 'HMSET',
      arity: -4,
      run: (client, args) => {
        const done = set(client, args)
        return done instanceof Failure ? done : OK
      },
    },
    {
      name: 'HSETNX',
      arity: 4,
      run: (client, [, key, field, value]) =>
        all(client, key!, (fields) =>
          fields.has(field!) ? 0 : put(client.space, key!, [field!, value!]),
        ),
    },
    {
      name: 'HGET',
      arity: 3,
      run: (client, [, key, field]) => all(client, key!, (fields) => fields.get(field!) ?? null),
    },
    {
      name: 'HMGET',
      arity: -3,
      run: (client, args) =>
        all(client, args[1]!, (fields) => args.slice(2).map((field) => fields.get(field) ?? null)),
    },
    {
      name: 'HGETALL',
      arity: 2,
      run: (client, [, key]) => all(client, key!, (fields) => new Pairs([...fields].flat())),
    },
    {
      name: 'HKEYS',
      arity: 2,
      run: (client, [, key]) => all(client, key!, (fields) => [...fields.keys()]),
    },
    {
      name: 'HVALS',
      arity: 2,
      run: (client, [, key]) => all(client, key!, (fields) => [...fields.values()]),
    },
    {
      name: 'HLEN',
      arity: 2,
      run: (client, [, key]) => all(client, key!, (fields) => fields.size),
    },
    {
      name: 'HSTRLEN',
      arity: 3,
      run: (client, [, key, field]) =>
        all(client, key!, (fields) => fields.get(field!)?.length ?? 0),
    },
    {
      name: 'HEXISTS',
      arity: 3,
      run: (client, [, key, field]) => all(client, key!, (fields) => (fields.has(field!) ? 1 : 0)),
    },
    {
      name: 'HDEL',
      arity: -3,
      run: (client, args) => {
        const entry = hashAt(client.space, args[1]!)
        if (entry instanceof Failure) return entry
        return entry === null ? 0 : remove(entry, args.slice(2))
      },
    },
    {
      name: 'HINCRBY',
      arity: 4,
      run: (client, args) => {
        const by = wideInteger(args[3]!)
        if (by === null) return NOT_A_NUMBER
        return add(client, args, (before) => {
          const value = wideInteger(before)
          if (value === null) return new Failure('ERR hash value is not an integer')
          return sum(value, by) ?? new Failure('ERR increment or decrement would overflow')
        })
      },
    },
    {
      name: 'HINCRBYFLOAT',
      arity: 4,
      run: (client, args) => {
        const by = args[3]!
        if (addDecimals('0', by) === null) return new Failure('ERR value is not a valid float')
        return add(
          client,
          args,
          (before) => addDecimals(before, by) ?? new Failure('ERR hash value is not a float'),
        )
      },
    },
  ]
}

const none: Fields = new Map()

function isHash(entry: Entry): entry is HashEntry {
  return entry.value instanceof Map
}

function hashAt(space: Keyspace, key: string): HashEntry | null | Failure {
  const entry = space.get(key)
  if (entry === undefined) return null
  return isHash(entry) ? entry : WRONG_TYPE
}

/** Field, value, field, value …; how many fields are new. */
function put(space: Keyspace, key: string, pairs: readonly string[]): Reply {
  const found = hashAt(space, key)
  if (found instanceof Failure) return found
  const before = found?.value ?? none
  const after = new Map<string, string>()
  for (let i = 0; i < pairs.length; i += 2) after.set(pairs[i]!, pairs[i + 1]!)
  let cost = 0
  let added = 0
  for (const [field, value] of after) {
    const old = before.get(field)
    if (old === undefined) added++
    cost += value.length - (old?.length ?? -(FIELD_COST + field.length))
  }
  if (found === null) return space.put(key, after, cost) === null ? NO_ROOM : added
  if (!space.charge(found, cost)) return NO_ROOM
  for (const [field, value] of after) found.value.set(field, value)
  return added
}

function remove(entry: HashEntry, fields: readonly string[]): number {
  let removed = 0
  for (const field of fields) {
    const value = entry.value.get(field)
    if (value === undefined) continue
    entry.value.delete(field)
    entry.space.charge(entry, -(FIELD_COST + field.length + value.length))
    removed++
  }
  if (entry.value.size === 0) entry.space.remove(entry)
  return removed
}
