/** Keys, whatever they hold. */
import { Failure, OK, type Reply, Status } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import { never } from '../clock.ts'
import type { Commons } from '../commons.ts'
import { type Entry, typeName } from '../entry.ts'
import { invalidExpiry, onOurClock } from '../expiry.ts'
import { LONGEST_PATTERN, matches } from '../glob.ts'
import type { Keyspace } from '../keyspace.ts'
import type { Command } from '../registry.ts'
import { Scans } from '../scans.ts'
import { integer, NOT_A_NUMBER, SYNTAX, TOO_LONG_A_PATTERN } from '../words.ts'

/** KEYS holds everybody up while it looks; SCAN does not. */
const MOST_FOR_KEYS = 100_000
const LONGEST_LOOK_MS = 500

export function keys(commons: Commons): readonly Command[] {
  const scans = new Scans()

  const count = (client: Client, args: readonly string[], each: (entry: Entry) => void): number => {
    let found = 0
    for (let i = 1; i < args.length; i++) {
      const entry = client.space.get(args[i]!)
      if (entry === undefined) continue
      found++
      each(entry)
    }
    return found
  }

  const remove = (client: Client, args: readonly string[]): Reply =>
    count(client, args, (entry) => client.space.remove(entry))

  const visit = (client: Client, args: readonly string[]): Reply =>
    count(client, args, (entry) => {
      entry.visited = true
    })

  const expire = (
    client: Client,
    args: readonly string[],
    unit: number,
    absolute: boolean,
  ): Reply => {
    const [name, key, time, ...conditions] = args
    const when = expireCondition(conditions)
    if (when instanceof Failure) return when
    const value = integer(time!)
    if (value === null) return NOT_A_NUMBER
    if (Math.abs(value * unit) >= 2 ** 53) return invalidExpiry(name!)
    const entry = client.space.get(key!)
    if (entry === undefined) return 0
    const end = onOurClock(commons, value * unit, absolute)
    if (!when(entry.expires, end)) return 0
    if (end <= commons.clock.now) client.space.remove(entry)
    else client.space.expireAt(entry, end)
    return 1
  }

  const left = (client: Client, key: string, show: (ms: number) => number): Reply => {
    const entry = client.space.get(key)
    if (entry === undefined) return -2
    return entry.expires === never ? -1 : show(entry.expires - commons.clock.now)
  }

  const flush = (spaces: readonly Keyspace[], args: readonly string[]): Reply => {
    const how = args[1]?.toUpperCase()
    if (args.length > 2 || (how !== undefined && how !== 'SYNC' && how !== 'ASYNC')) return SYNTAX
    for (const space of spaces) space.clear('all')
    return OK
  }

  return [
    { name: 'DEL', arity: -2, run: remove },
    { name: 'UNLINK', arity: -2, run: remove },
    { name: 'EXISTS', arity: -2, run: visit },
    { name: 'TOUCH', arity: -2, run: visit },
    { name: 'EXPIRE', arity: -3, run: (client, args) => expire(client, args, 1000, false) },
    { name: 'PEXPIRE', arity: -3, run: (client, args) => expire(client, args, 1, false) },
    { name: 'EXPIREAT', arity: -3, run: (client, args) => expire(client, args, 1000, true) },
    { name: 'PEXPIREAT', arity: -3, run: (client, args) => expire(client, args, 1, true) },
    {
      name: 'TTL',
      arity: 2,
      run: (client, [, key]) => left(client, key!, (ms) => Math.floor((ms + 500) / 1000)),
    },
    { name: 'PTTL', arity: 2, run: (client, [, key]) => left(client, key!, Math.ceil) },
    {
      name: 'PERSIST',
      arity: 2,
      run: (client, [, key]) => {
        const entry = client.space.get(key!)
        if (entry === undefined || entry.expires === never) return 0
        client.space.expireAt(entry, never)
        return 1
      },
    },
    {
      name: 'TYPE',
      arity: 2,
      run: (client, [, key]) => new Status(typeName(client.space.get(key!)?.value)),
    },
    {
      name: 'KEYS',
      arity: 2,
      run: (client, [, pattern]) => {
        const { space } = client
        if (space.size > MOST_FOR_KEYS) {
          return new Failure(`ERR too many keys for KEYS (${space.size}); use SCAN`)
        }
        if (pattern!.length > LONGEST_PATTERN) return TOO_LONG_A_PATTERN
        const until = performance.now() + LONGEST_LOOK_MS
        const found: string[] = []
        let seen = 0
        for (const entry of space.entries()) {
          if (++seen % 16 === 0 && performance.now() > until) {
            return new Failure('ERR KEYS takes too long here; use SCAN')
          }
          if (!space.isExpired(entry) && matches(pattern!, entry.key)) found.push(entry.key)
        }
        return found
      },
    },
    { name: 'SCAN', arity: -2, run: (client, args) => scans.run(client.space, args) },
    { name: 'DBSIZE', arity: 1, run: (client) => client.space.size },
    { name: 'FLUSHDB', arity: -1, run: (client, args) => flush([client.space], args) },
    { name: 'FLUSHALL', arity: -1, run: (_client, args) => flush(commons.spaces, args) },
    {
      name: 'PORTICO.CLEAR',
      arity: 2,
      run: (client, [, prefix]) => client.space.clear('strings', prefix!),
    },
  ]
}

type Condition = (before: number, after: number) => boolean

function expireCondition(words: readonly string[]): Condition | Failure {
  const all = new Set(words.map((word) => word.toUpperCase()))
  for (const word of all) {
    if (!['NX', 'XX', 'GT', 'LT'].includes(word)) {
      return new Failure(
        `ERR Unsupported option ${words.find((one) => one.toUpperCase() === word)}`,
      )
    }
  }
  if (all.has('NX') && all.size > 1) {
    return new Failure('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (all.has('GT') && all.has('LT')) {
    return new Failure('ERR GT and LT options at the same time are not compatible')
  }
  return (before, after) =>
    !(all.has('NX') && before !== never) &&
    !(all.has('XX') && before === never) &&
    !(all.has('GT') && after <= before) &&
    !(all.has('LT') && after >= before)
}
