/** What memcached's commands do, and what they answer, line ends included. */
import type { MemcachedCommand } from '../wire/memcached.ts'
import { type Clock, never } from './clock.ts'
import type { Commons } from './commons.ts'
import type { Entry } from './entry.ts'
import type { Keyspace } from './keyspace.ts'

/** Whose behaviour clients may count on. */
const AS_MEMCACHED = '1.6.0'
const LONGEST_KEY = 250
/** A longer time is a date, seconds. */
const LONGEST_SPAN = 60 * 60 * 24 * 30
/** What one `get` is told, bytes, and one item. */
const MOST_TOLD = 16_777_216
const WRAP = 2n ** 64n

const BAD_LINE = 'CLIENT_ERROR bad command line format\r\n'
const NO_ROOM = 'SERVER_ERROR out of memory storing object\r\n'
const TOO_MUCH = 'SERVER_ERROR out of memory writing get response\r\n'
const TOO_LARGE = 'SERVER_ERROR object too large for cache\r\n'

export function run(commons: Commons, command: MemcachedCommand): string {
  const { words } = command
  switch (words[0]) {
    case 'get':
      return retrieve(commons, words.slice(1), false)
    case 'gets':
      return retrieve(commons, words.slice(1), true)
    case 'gat':
    case 'gats':
      return touchAndRetrieve(commons, words)
    case 'set':
    case 'add':
    case 'replace':
    case 'append':
    case 'prepend':
    case 'cas':
      return words.length < 5 ? 'ERROR\r\n' : store(commons, command)
    case 'delete':
      return remove(commons, words)
    case 'incr':
      return count(commons, words, 1n)
    case 'decr':
      return count(commons, words, -1n)
    case 'touch':
      return touch(commons, words)
    case 'flush_all':
      return flush(commons, words)
    case 'stats':
      return stats(commons, words[1] ?? '')
    case 'version':
      return `VERSION ${AS_MEMCACHED}\r\n`
    case 'verbosity':
      return words.length < 2 ? 'ERROR\r\n' : 'OK\r\n'
  }
  return 'ERROR\r\n'
}

function space(commons: Commons): Keyspace {
  return commons.spaces[0]!
}

type StringEntry = Entry & { readonly value: string }

function isString(entry: Entry | undefined): entry is StringEntry {
  return typeof entry?.value === 'string'
}

/** What memcached's clients can see. */
function find(commons: Commons, key: string): StringEntry | undefined {
  const entry = space(commons).get(key)
  return isString(entry) ? entry : undefined
}

function retrieve(commons: Commons, keys: readonly string[], withCas: boolean): string {
  if (keys.length === 0) return 'ERROR\r\n'
  let reply = ''
  for (const key of keys) {
    if (key.length > LONGEST_KEY) return BAD_LINE
    const entry = find(commons, key)
    if (entry === undefined) {
      commons.misses++
      continue
    }
    commons.hits++
    entry.visited = true
    const cas = withCas ? ` ${entry.version}` : ''
    if (reply.length > MOST_TOLD) return TOO_MUCH
    reply += `VALUE ${key} ${entry.flags} ${entry.value.length}${cas}\r\n${entry.value}\r\n`
  }
  return `${reply}END\r\n`
}

function touchAndRetrieve(commons: Commons, [name, time, ...keys]: readonly string[]): string {
  if (keys.length === 0) return 'ERROR\r\n'
  const end = expiry(commons.clock, time!)
  if (end === null) return 'CLIENT_ERROR invalid exptime argument\r\n'
  const reply = retrieve(commons, keys, name === 'gats')
  for (const key of keys) {
    const entry = find(commons, key)
    if (entry !== undefined) space(commons).expireAt(entry, end)
  }
  return reply
}

function store(commons: Commons, { words, data, wrong }: MemcachedCommand): string {
  const [name, key, flagsText, time, , cas] = words
  const flags = unsigned(flagsText!, 0xffff_ffff)
  const end = expiry(commons.clock, time!)
  const needsCas = name === 'cas'
  if (wrong === 'bad length' || key!.length > LONGEST_KEY || flags === null || end === null) {
    return BAD_LINE
  }
  if (wrong === 'bad end') return 'CLIENT_ERROR bad data chunk\r\n'
  const known = find(commons, key!)
  if (wrong === 'too large' || data === null) {
    // As memcached does: better none than an old one.
    if (known !== undefined && name === 'set') space(commons).remove(known)
    return TOO_LARGE
  }
  if (name === 'append' || name === 'prepend') return extend(commons, known, name, data)
  if (needsCas) {
    const wanted = unsigned(cas ?? '', Number.MAX_SAFE_INTEGER)
    if (wanted === null) return BAD_LINE
    if (known === undefined) return 'NOT_FOUND\r\n'
    if (known.version !== wanted) return 'EXISTS\r\n'
  }
  if (name === 'add' && known !== undefined) return 'NOT_STORED\r\n'
  if (name === 'replace' && known === undefined) return 'NOT_STORED\r\n'
  const entry = space(commons).put(key!, data, data.length)
  if (entry === null) return NO_ROOM
  entry.flags = flags
  if (end !== never) space(commons).expireAt(entry, end)
  return 'STORED\r\n'
}

function extend(
  commons: Commons,
  known: StringEntry | undefined,
  where: 'append' | 'prepend',
  data: string,
): string {
  if (known === undefined) return 'NOT_STORED\r\n'
  const pieces = where === 'append' ? known.value + data : data + known.value
  if (pieces.length > commons.limits.item) return TOO_LARGE
  // One piece: a string of V8 that is a tree of pieces costs more than it is counted for.
  const whole = Buffer.from(pieces, 'latin1').toString('latin1')
  return space(commons).change(known, whole) ? 'STORED\r\n' : NO_ROOM
}

function remove(commons: Commons, words: readonly string[]): string {
  const [, key, time] = words
  if (key === undefined) return 'ERROR\r\n'
  // Old clients send a time, which can only be 0.
  if (words.length > 2 && time !== '0' && time !== 'noreply') {
    return 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n'
  }
  if (key.length > LONGEST_KEY) return BAD_LINE
  const entry = find(commons, key)
  if (entry === undefined) return 'NOT_FOUND\r\n'
  space(commons).remove(entry)
  return 'DELETED\r\n'
}

/** In 64 bits without a sign: up it wraps, down it stops at 0. */
function count(commons: Commons, [, key, amount]: readonly string[], sign: 1n | -1n): string {
  if (key === undefined || amount === undefined) return 'ERROR\r\n'
  if (key.length > LONGEST_KEY) return BAD_LINE
  const by = wide(amount)
  if (by === null) return 'CLIENT_ERROR invalid numeric delta argument\r\n'
  const entry = find(commons, key)
  if (entry === undefined) return 'NOT_FOUND\r\n'
  const value = wide(entry.value.trimEnd())
  if (value === null) {
    return 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n'
  }
  const total = sign === 1n ? (value + by) % WRAP : value < by ? 0n : value - by
  if (!space(commons).change(entry, String(total))) return NO_ROOM
  return `${total}\r\n`
}

function touch(commons: Commons, [, key, time]: readonly string[]): string {
  if (key === undefined || time === undefined) return 'ERROR\r\n'
  if (key.length > LONGEST_KEY) return BAD_LINE
  const end = expiry(commons.clock, time)
  if (end === null) return 'CLIENT_ERROR invalid exptime argument\r\n'
  const entry = find(commons, key)
  if (entry === undefined) return 'NOT_FOUND\r\n'
  space(commons).expireAt(entry, end)
  return 'TOUCHED\r\n'
}

/** What is cached, and nothing else: lists and counters stay. */
function flush(commons: Commons, [, delay = '0']: readonly string[]): string {
  const seconds = delay === 'noreply' ? 0 : unsigned(delay, LONGEST_SPAN)
  if (seconds === null) return BAD_LINE
  if (seconds === 0) space(commons).clear('strings')
  else commons.flushLater(seconds)
  return 'OK\r\n'
}

function stats(commons: Commons, what: string): string {
  if (what === 'reset') return 'RESET\r\n'
  if (what !== '') return 'END\r\n'
  const { memory, sieve, limits, clients } = commons
  const facts: Readonly<Record<string, string | number>> = {
    pid: process.pid,
    uptime: Math.floor((performance.now() - commons.startedAt) / 1000),
    time: Math.floor(Date.now() / 1000),
    version: AS_MEMCACHED,
    pointer_size: 64,
    curr_connections: clients.size,
    max_connections: limits.connections,
    total_connections: commons.connections,
    get_hits: commons.hits,
    get_misses: commons.misses,
    cmd_get: commons.hits + commons.misses,
    bytes: memory.used,
    limit_maxbytes: memory.limit,
    curr_items: space(commons).size,
    evictions: sieve.evicted,
    threads: 1,
  }
  const lines = Object.entries(facts).map(([name, value]) => `STAT ${name} ${value}\r\n`)
  return `${lines.join('')}END\r\n`
}

/** On our clock; null: no number. 0 is never, a negative one now, one of more than 30 days a date. */
function expiry(clock: Clock, text: string): number | null {
  if (!/^-?\d{1,15}$/.test(text)) return null
  const seconds = Number(text)
  if (seconds === 0) return never
  if (seconds < 0) return clock.now
  const ms = seconds * 1000
  return clock.now + (seconds > LONGEST_SPAN ? ms - Date.now() : ms)
}

function unsigned(text: string, most: number): number | null {
  return /^\d{1,16}$/.test(text) && Number(text) <= most ? Number(text) : null
}

function wide(text: string): bigint | null {
  if (!/^\d{1,20}$/.test(text)) return null
  const value = BigInt(text)
  return value < WRAP ? value : null
}
