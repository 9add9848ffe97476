/** Strings: what a cache holds. */
import { Failure, OK, type Reply } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import { never } from '../clock.ts'
import type { Commons } from '../commons.ts'
import { addDecimals } from '../decimal.ts'
import { type Expiry, expiryOf } from '../expiry.ts'
import type { Command } from '../registry.ts'
import {
  integer,
  NO_ROOM,
  NOT_A_FLOAT,
  NOT_A_NUMBER,
  SYNTAX,
  sum,
  TOO_LONG,
  WRONG_TYPE,
  wideInteger,
} from '../words.ts'

const NO_INTEGER_SUM = new Failure('ERR increment or decrement would overflow')

export function strings(commons: Commons): readonly Command[] {
  const get = (client: Client, key: string): string | null | undefined => {
    const entry = client.space.get(key)
    if (entry === undefined) {
      commons.misses++
      return null
    }
    commons.hits++
    entry.visited = true
    return typeof entry.value === 'string' ? entry.value : undefined
  }

  const set = (client: Client, key: string, value: string, expires = never): Reply => {
    const entry = client.space.put(key, value, value.length)
    if (entry === null) return NO_ROOM
    if (expires !== never) client.space.expireAt(entry, expires)
    return OK
  }

  /** The string under `key`, or a Failure. Without one: null. */
  const old = (client: Client, key: string): string | null | Failure => {
    const value = client.space.get(key)?.value
    if (value === undefined) return null
    return typeof value === 'string' ? value : WRONG_TYPE
  }

  /** The same end, another value. */
  const change = (client: Client, key: string, value: string): Failure | null => {
    if (value.length > commons.limits.item) return TOO_LONG
    const entry = client.space.get(key)
    if (entry === undefined) return client.space.put(key, value, value.length) ? null : NO_ROOM
    return client.space.change(entry, value) ? null : NO_ROOM
  }

  const add = (client: Client, key: string, by: number | bigint): Reply => {
    const text = old(client, key)
    if (text instanceof Failure) return text
    const value = text === null ? 0 : wideInteger(text)
    if (value === null) return NOT_A_NUMBER
    const total = sum(value, by)
    if (total === null) return NO_INTEGER_SUM
    return change(client, key, String(total)) ?? total
  }

  const addBy = (client: Client, [, key, amount]: readonly string[], sign: 1n | -1n): Reply => {
    const by = wideInteger(amount!)
    if (by === null) return NOT_A_NUMBER
    if (sign === 1n) return add(client, key!, by)
    const less = -BigInt(by)
    if (less > 2n ** 63n - 1n) return new Failure('ERR decrement would overflow')
    return add(client, key!, Number.isSafeInteger(Number(less)) ? Number(less) : less)
  }

  const setWithEnd = (client: Client, args: readonly string[], unit: number): Reply => {
    const [name, key, time, value] = args
    const end = expiryOf(commons, name!, time!, unit)
    return end instanceof Failure ? end : set(client, key!, value!, end)
  }

  const setCommand = (client: Client, args: readonly string[]): Reply => {
    const [, key, value] = args
    if (args.length === 3) return set(client, key!, value!)
    const how = options(commons, args)
    if (how instanceof Failure) return how
    const before = client.space.get(key!)
    const isString = before === undefined || typeof before.value === 'string'
    if (how.get && !isString) return WRONG_TYPE
    const last = (before?.value as string | undefined) ?? null
    if (how.when !== null && (how.when === 'NX') !== (before === undefined)) {
      return how.get ? last : null
    }
    const kept = how.keep ? (before?.expires ?? never) : never
    const done = set(client, key!, value!, how.end ?? kept)
    return how.get && done === OK ? last : done
  }

  const setAll = (client: Client, args: readonly string[]): Reply => {
    if (args.length % 2 === 0) {
      return new Failure(`ERR wrong number of arguments for '${args[0]!.toLowerCase()}' command`)
    }
    for (let i = 1; i < args.length; i += 2) {
      const done = set(client, args[i]!, args[i + 1]!)
      if (done !== OK) return done
    }
    return OK
  }

  return [
    {
      name: 'GET',
      arity: 2,
      run: (client, args) => {
        const value = get(client, args[1]!)
        return value === undefined ? WRONG_TYPE : value
      },
    },
    { name: 'SET', arity: -3, run: setCommand },
    { name: 'SETEX', arity: 4, run: (client, args) => setWithEnd(client, args, 1000) },
    { name: 'PSETEX', arity: 4, run: (client, args) => setWithEnd(client, args, 1) },
    {
      name: 'SETNX',
      arity: 3,
      run: (client, [, key, value]) => {
        if (client.space.get(key!) !== undefined) return 0
        const done = set(client, key!, value!)
        return done === OK ? 1 : done
      },
    },
    {
      name: 'MGET',
      arity: -2,
      run: (client, args) => args.slice(1).map((key) => get(client, key) ?? null),
    },
    { name: 'MSET', arity: -3, run: setAll },
    {
      name: 'MSETNX',
      arity: -3,
      run: (client, args) => {
        const isThere = args.some((key, i) => i % 2 === 1 && client.space.get(key) !== undefined)
        if (args.length % 2 === 1 && isThere) return 0
        const done = setAll(client, args)
        return done === OK ? 1 : done
      },
    },
    {
      name: 'GETSET',
      arity: 3,
      run: (client, [, key, value]) => {
        const before = old(client, key!)
        if (before instanceof Failure) return before
        const done = set(client, key!, value!)
        return done === OK ? before : done
      },
    },
    {
      name: 'GETDEL',
      arity: 2,
      run: (client, [, key]) => {
        const entry = client.space.get(key!)
        if (entry === undefined) return null
        if (typeof entry.value !== 'string') return WRONG_TYPE
        client.space.remove(entry)
        return entry.value
      },
    },
    { name: 'INCR', arity: 2, run: (client, [, key]) => add(client, key!, 1) },
    { name: 'DECR', arity: 2, run: (client, [, key]) => add(client, key!, -1) },
    { name: 'INCRBY', arity: 3, run: (client, args) => addBy(client, args, 1n) },
    { name: 'DECRBY', arity: 3, run: (client, args) => addBy(client, args, -1n) },
    {
      name: 'INCRBYFLOAT',
      arity: 3,
      run: (client, [, key, by]) => {
        const text = old(client, key!)
        if (text instanceof Failure) return text
        const total = addDecimals(text ?? '0', by!)
        if (total === null) return NOT_A_FLOAT
        return change(client, key!, total) ?? total
      },
    },
    {
      name: 'APPEND',
      arity: 3,
      run: (client, [, key, more]) => {
        const text = old(client, key!)
        if (text instanceof Failure) return text
        // One piece: a string of V8 that is a tree of pieces costs more than it is counted for.
        const whole = Buffer.from((text ?? '') + more!, 'latin1').toString('latin1')
        return change(client, key!, whole) ?? whole.length
      },
    },
    {
      name: 'STRLEN',
      arity: 2,
      run: (client, [, key]) => {
        const text = old(client, key!)
        return text instanceof Failure ? text : (text?.length ?? 0)
      },
    },
    {
      name: 'GETRANGE',
      arity: 4,
      run: (client, [, key, first, last]) => {
        const [from, to] = [integer(first!), integer(last!)]
        if (from === null || to === null) return NOT_A_NUMBER
        const text = old(client, key!)
        if (text instanceof Failure) return text
        if (text === null || (from < 0 && to < 0 && from > to)) return ''
        const end = to < 0 ? Math.max(0, text.length + to) : to
        return text.slice(from < 0 ? Math.max(0, text.length + from) : from, end + 1)
      },
    },
  ]
}

interface SetOptions {
  readonly when: 'NX' | 'XX' | null
  readonly get: boolean
  readonly keep: boolean
  readonly end: Expiry | null
}

/** Behind key and value. */
function options(commons: Commons, args: readonly string[]): SetOptions | Failure {
  let when: SetOptions['when'] = null
  let [get, keep] = [false, false]
  let end: Expiry | null = null
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toUpperCase()
    switch (word) {
      case 'NX':
      case 'XX':
        if (when !== null && when !== word) return SYNTAX
        when = word
        break
      case 'GET':
        get = true
        break
      case 'KEEPTTL':
        if (end !== null) return SYNTAX
        keep = true
        break
      case 'EX':
      case 'PX':
      case 'EXAT':
      case 'PXAT': {
        const time = args[++i]
        if (time === undefined || keep || end !== null) return SYNTAX
        const unit = word.startsWith('E') ? 1000 : 1
        const found = expiryOf(commons, 'set', time, unit, word.endsWith('AT'))
        if (found instanceof Failure) return found
        end = found
        break
      }
      default:
        return SYNTAX
    }
  }
  return { when, get, keep, end }
}
