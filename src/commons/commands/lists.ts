/** Lists: the queues of applications. They are never given up for want of memory. */
import { Failure, NO_ARRAY, OK, type Reply } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import type { Commons } from '../commons.ts'
import { Deque } from '../deque.ts'
import type { Entry } from '../entry.ts'
import type { Keyspace } from '../keyspace.ts'
import { ELEMENT_COST } from '../memory.ts'
import { Queues } from '../queues.ts'
import type { Command, LATER } from '../registry.ts'
import { integer, NO_ROOM, NOT_A_NUMBER, SYNTAX, WRONG_TYPE } from '../words.ts'

type End = 'LEFT' | 'RIGHT'

const MUST_BE_POSITIVE = new Failure('ERR value is out of range, must be positive')
const NOT_A_TIMEOUT = new Failure('ERR timeout is not a float or out of range')
const NEGATIVE_TIMEOUT = new Failure('ERR timeout is negative')

export function lists(commons: Commons): readonly Command[] {
  const queues = new Queues(commons)

  const push = (client: Client, args: readonly string[], end: End, must: boolean): Reply => {
    const { space } = client
    const key = args[1]!
    const values = args.slice(2)
    const found = listAt(space, key)
    if (found instanceof Failure) return found
    if (must && found === null) return 0
    const length = add(space, key, values, end)
    if (length === null) return NO_ROOM
    queues.filled(space, key)
    return length
  }

  const pop = (client: Client, args: readonly string[], end: End): Reply => {
    const [, key, amount] = args
    if (args.length > 3) {
      return new Failure(`ERR wrong number of arguments for '${args[0]!.toLowerCase()}' command`)
    }
    const most = amount === undefined ? 1 : integer(amount)
    if (most === null || most < 0) return MUST_BE_POSITIVE
    const found = listAt(client.space, key!)
    if (found instanceof Failure) return found
    if (found === null) return amount === undefined ? null : NO_ARRAY
    if (amount === undefined) return take(found, end)
    const values: string[] = []
    while (values.length < most && found.value.length > 0) values.push(take(found, end))
    return values
  }

  const blockingPop = (client: Client, args: readonly string[], end: End): Reply | typeof LATER => {
    const seconds = timeout(args.at(-1)!)
    if (seconds instanceof Failure) return seconds
    return queues.take(client, args.slice(1, -1), seconds, (key) => {
      const found = listAt(client.space, key)
      if (found instanceof Failure) return found
      return found === null ? undefined : [key, take(found, end)]
    })
  }

  /** From one list to another, or to the other end of the same. */
  const move = (
    space: Keyspace,
    from: string,
    to: string,
    out: End,
    into: End,
  ): Reply | undefined => {
    const source = listAt(space, from)
    if (source === null || source instanceof Failure) return source ?? undefined
    const target = listAt(space, to)
    if (target instanceof Failure) return target
    // What has gone by then leaves room for it.
    if (target === null && !commons.memory.hasRoom(NEW_LIST + to.length)) return NO_ROOM
    const value = take(source, out)
    if (add(space, to, [value], into) === null) {
      add(space, from, [value], out)
      return NO_ROOM
    }
    queues.filled(space, to)
    return value
  }

  const blockingMove = (
    client: Client,
    [from, to, out, into]: readonly [string, string, string, string],
    time: string,
  ): Reply | typeof LATER => {
    const [first, second] = [endOf(out), endOf(into)]
    if (first === null || second === null) return SYNTAX
    const seconds = timeout(time)
    if (seconds instanceof Failure) return seconds
    const { space } = client
    return queues.take(client, [from], seconds, () => move(space, from, to, first, second), null)
  }

  return [
    { name: 'LPUSH', arity: -3, run: (client, args) => push(client, args, 'LEFT', false) },
    { name: 'RPUSH', arity: -3, run: (client, args) => push(client, args, 'RIGHT', false) },
    { name: 'LPUSHX', arity: -3, run: (client, args) => push(client, args, 'LEFT', true) },
    { name: 'RPUSHX', arity: -3, run: (client, args) => push(client, args, 'RIGHT', true) },
    { name: 'LPOP', arity: -2, run: (client, args) => pop(client, args, 'LEFT') },
    { name: 'RPOP', arity: -2, run: (client, args) => pop(client, args, 'RIGHT') },
    { name: 'BLPOP', arity: -3, run: (client, args) => blockingPop(client, args, 'LEFT') },
    { name: 'BRPOP', arity: -3, run: (client, args) => blockingPop(client, args, 'RIGHT') },
    {
      name: 'LLEN',
      arity: 2,
      run: (client, [, key]) => {
        const found = listAt(client.space, key!)
        return found instanceof Failure ? found : (found?.value.length ?? 0)
      },
    },
    {
      name: 'LRANGE',
      arity: 4,
      run: (client, [, key, first, last]) => {
        const [from, to] = [integer(first!), integer(last!)]
        if (from === null || to === null) return NOT_A_NUMBER
        const found = listAt(client.space, key!)
        if (found instanceof Failure) return found
        if (found === null) return []
        const list = found.value
        const begin = from < 0 ? Math.max(0, list.length + from) : from
        const end = Math.min(list.length - 1, to < 0 ? list.length + to : to)
        const values: string[] = []
        for (let i = begin; i <= end; i++) values.push(list.at(i)!)
        return values
      },
    },
    {
      name: 'LINDEX',
      arity: 3,
      run: (client, [, key, index]) => {
        const place = integer(index!)
        if (place === null) return NOT_A_NUMBER
        const found = listAt(client.space, key!)
        return found instanceof Failure ? found : (found?.value.at(place) ?? null)
      },
    },
    {
      name: 'LTRIM',
      arity: 4,
      run: (client, [, key, first, last]) => {
        const [from, to] = [integer(first!), integer(last!)]
        if (from === null || to === null) return NOT_A_NUMBER
        const found = listAt(client.space, key!)
        if (found instanceof Failure) return found
        if (found === null) return OK
        const { length } = found.value
        const begin = from < 0 ? Math.max(0, length + from) : from
        const end = Math.min(length - 1, to < 0 ? length + to : to)
        if (begin > end) client.space.remove(found)
        else {
          for (let i = 0; i < begin; i++) take(found, 'LEFT')
          for (let i = end + 1; i < length; i++) take(found, 'RIGHT')
        }
        return OK
      },
    },
    {
      name: 'LREM',
      arity: 4,
      run: (client, [, key, amount, value]) => {
        const count = integer(amount!)
        if (count === null) return NOT_A_NUMBER
        const found = listAt(client.space, key!)
        if (found instanceof Failure) return found
        return found === null ? 0 : without(found, value!, count)
      },
    },
    {
      name: 'LMOVE',
      arity: 5,
      run: (client, [, from, to, out, into]) => {
        const [first, second] = [endOf(out!), endOf(into!)]
        if (first === null || second === null) return SYNTAX
        return move(client.space, from!, to!, first, second) ?? null
      },
    },
    {
      name: 'RPOPLPUSH',
      arity: 3,
      run: (client, [, from, to]) => move(client.space, from!, to!, 'RIGHT', 'LEFT') ?? null,
    },
    {
      name: 'BLMOVE',
      arity: 6,
      run: (client, [, from, to, out, into, time]) =>
        blockingMove(client, [from!, to!, out!, into!], time!),
    },
    {
      name: 'BRPOPLPUSH',
      arity: 4,
      run: (client, [, from, to, time]) =>
        blockingMove(client, [from!, to!, 'RIGHT', 'LEFT'], time!),
    },
  ]
}

/** What a key costs that holds a list of one. */
const NEW_LIST = 512

/** An entry that holds a list. */
type ListEntry = Entry & { readonly value: Deque }

function isList(entry: Entry): entry is ListEntry {
  return entry.value instanceof Deque
}

function listAt(space: Keyspace, key: string): ListEntry | null | Failure {
  const entry = space.get(key)
  if (entry === undefined) return null
  return isList(entry) ? entry : WRONG_TYPE
}

function costOf(value: string): number {
  return ELEMENT_COST + value.length
}

/** The length afterwards; null when there is no room for all of them. */
function add(space: Keyspace, key: string, values: readonly string[], end: End): number | null {
  const cost = values.reduce((sum, value) => sum + costOf(value), 0)
  const known = space.get(key)
  const list = known === undefined ? new Deque() : (known.value as Deque)
  const fits = known === undefined ? space.put(key, list, cost) : space.charge(known, cost)
  if (!fits) return null
  for (const value of values) {
    if (end === 'LEFT') list.pushFront(value)
    else list.pushBack(value)
  }
  return list.length
}

/** Its first or last element; a list without one is no more. */
function take(entry: ListEntry, end: End): string {
  const list = entry.value
  const value = (end === 'LEFT' ? list.popFront() : list.popBack())!
  entry.space.charge(entry, -costOf(value))
  if (list.length === 0) entry.space.remove(entry)
  return value
}

/** Removes `value`, at most `count` times: from the front, from the back if negative, everywhere if 0. */
function without(entry: ListEntry, value: string, count: number): number {
  const list = entry.value
  const most = count === 0 ? list.length : Math.abs(count)
  const [out, into]: [End, End] = count < 0 ? ['RIGHT', 'LEFT'] : ['LEFT', 'RIGHT']
  let removed = 0
  // Once around: what stays goes out at one end and in at the other.
  for (let left = list.length; left > 0; left--) {
    const next = (out === 'LEFT' ? list.popFront() : list.popBack())!
    if (next === value && removed < most) {
      removed++
      entry.space.charge(entry, -costOf(value))
    } else if (into === 'LEFT') list.pushFront(next)
    else list.pushBack(next)
  }
  if (list.length === 0) entry.space.remove(entry)
  return removed
}

function endOf(word: string): End | null {
  const end = word.toUpperCase()
  return end === 'LEFT' || end === 'RIGHT' ? end : null
}

function timeout(text: string): number | Failure {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return NOT_A_TIMEOUT
  const seconds = Number(text)
  if (seconds < 0) return NEGATIVE_TIMEOUT
  return seconds > 2 ** 43 ? NOT_A_TIMEOUT : seconds
}
