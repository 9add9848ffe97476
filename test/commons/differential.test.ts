/** Ours against a real redis-server: the same commands, the same replies. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NoArray, type Reply } from '../../src/wire/resp.ts'
import { Client, type Ours, ours, type Running, redis } from './support.ts'

let mine: Ours
let real: Running

beforeAll(async () => {
  ;[mine, real] = await Promise.all([ours(), redis()])
})

afterAll(async () => {
  await mine[Symbol.asyncDispose]()
  await real[Symbol.asyncDispose]()
})

const key = fc.constantFrom('a', 'b', 'c', 'd\x00\xff', '{e}')
const number = fc.oneof(
  fc.integer({ min: -10, max: 10 }),
  fc.constantFrom(
    ...['0', '1', '-1', '007', '+1', ' 1', '', 'x', '1.5', '9223372036854775807'],
    ...['-9223372036854775808', '9223372036854775808', '9007199254740993', '-0'],
  ),
)
const value = fc.oneof(
  number,
  fc.constantFrom('', 'hello', 'a\r\nb', '\x00\xfe\xff', 'x'.repeat(300)),
)
const float = fc.constantFrom('1.5', '-0.25', '0.1', '3', '1e2', 'x', '', '5.0e3', '.5', '10.')
const index = fc.integer({ min: -6, max: 6 })
const many = fc.array(value, { minLength: 1, maxLength: 4 })
const field = fc.constantFrom('f', 'g', 'h')
const side = fc.constantFrom('LEFT', 'RIGHT', 'left', 'up')
const seconds = fc.constantFrom('100', '5000', '0', '-1', 'x', '1.5')
const pattern = fc.constantFrom(
  '*',
  'a*',
  '?',
  '[ab]',
  '[^a]',
  '[a-c]*',
  '\\a',
  '{*',
  'nothing',
  '',
)
const option = fc.constantFrom(
  ...[[], ['NX'], ['XX'], ['GET'], ['KEEPTTL'], ['EX', '100'], ['PX', '100000'], ['nx', 'GET']],
  ...[
    ['EX', '0'],
    ['EX', 'x'],
    ['EX'],
    ['NX', 'XX'],
    ['EX', '9', 'PX', '9'],
    ['EX', '9', 'KEEPTTL'],
  ],
  ...[['XX', 'GET'], ['EXAT', '9999999999'], ['BAD']],
)
const when = fc.constantFrom([], ['NX'], ['XX'], ['GT'], ['LT'], ['NX', 'XX'], ['GT', 'LT'], ['Z'])

type Part = string | number | readonly (string | number)[]

function command(name: string, ...parts: fc.Arbitrary<Part>[]): fc.Arbitrary<string[]> {
  return fc.tuple(...parts).map((all) => [name, ...all.flat().map(String)])
}

const pairs = fc
  .array(fc.tuple(key, value), { minLength: 1, maxLength: 3 })
  .map((all) => all.flat())
const fieldPairs = fc
  .array(fc.tuple(field, value), { minLength: 1, maxLength: 3 })
  .map((all) => all.flat())
const keys = fc.array(key, { minLength: 1, maxLength: 4 })
const fields = fc.array(field, { minLength: 1, maxLength: 4 })

const anyCommand = fc.oneof(
  command('SET', key, value, option),
  command('SET', key, value),
  ...['GET', 'GETDEL', 'STRLEN', 'INCR', 'DECR', 'TYPE', 'TTL', 'PERSIST'].map((name) =>
    command(name, key),
  ),
  ...['GETSET', 'SETNX', 'APPEND'].map((name) => command(name, key, value)),
  ...['INCRBY', 'DECRBY'].map((name) => command(name, key, number)),
  // Of their own: beside huge numbers, Redis's 80 bits are less exact than ours.
  command('INCRBYFLOAT', fc.constantFrom('n', 'm'), float),
  command('SET', fc.constant('n'), float),
  command('RPUSH', fc.constant('m'), float),
  command('SETEX', key, seconds, value),
  command('PSETEX', key, seconds, value),
  command('GETRANGE', key, index, index),
  command('MSET', pairs),
  command('MSETNX', pairs),
  command('MSET', key),
  ...['MGET', 'DEL', 'UNLINK', 'EXISTS', 'TOUCH'].map((name) => command(name, keys)),
  ...['EXPIRE', 'EXPIREAT'].map((name) => command(name, key, seconds, when)),
  command('KEYS', pattern),
  command('DBSIZE'),
  ...['LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX'].map((name) => command(name, key, many)),
  ...['LPOP', 'RPOP', 'LLEN'].map((name) => command(name, key)),
  ...['LPOP', 'RPOP', 'LINDEX'].map((name) => command(name, key, index)),
  ...['LRANGE', 'LTRIM'].map((name) => command(name, key, index, index)),
  command('LREM', key, index, value),
  command('LMOVE', key, key, side, side),
  command('RPOPLPUSH', key, key),
  ...['BLPOP', 'BRPOP'].map((name) => command(name, keys, fc.constantFrom('0.001', '-1', 'x'))),
  command('BLMOVE', key, key, side, side, fc.constant('0.001')),
  command('HSET', key, fieldPairs),
  command('HMSET', key, fieldPairs),
  command('HSET', key, field, value, field),
  command('HSETNX', key, field, value),
  ...['HGET', 'HEXISTS', 'HSTRLEN'].map((name) => command(name, key, field)),
  ...['HMGET', 'HDEL'].map((name) => command(name, key, fields)),
  ...['HGETALL', 'HKEYS', 'HVALS', 'HLEN'].map((name) => command(name, key)),
  command('HINCRBY', key, field, number),
  command('HINCRBYFLOAT', fc.constantFrom('h', 'n'), fc.constant('n'), float),
  command('HSET', fc.constant('h'), fc.constant('n'), float),
  ...['MULTI', 'EXEC', 'DISCARD', 'UNWATCH', 'PING'].map((name) => command(name)),
  command('WATCH', keys),
  command('ECHO', value),
  command('SELECT', fc.constantFrom('0', '1', '15', '16', '-1', 'x')),
  command('PUBLISH', key, value),
  command('FLUSHDB'),
  command('NOSUCH', number),
  command('GET'),
)

/** Redis's own order is nobody's; what it says behind OOM is its own. */
function comparable(args: readonly string[], reply: Reply): unknown {
  if (reply instanceof NoArray) return null
  if (args[0] === 'TTL' && typeof reply === 'number' && reply > 0) return Math.round(reply / 10)
  if (!Array.isArray(reply)) return reply
  if (['KEYS', 'HKEYS', 'HVALS'].includes(args[0]!)) return [...reply].sort()
  if (args[0] === 'HGETALL') {
    return Object.fromEntries(reply.flatMap((name, i) => (i % 2 ? [] : [[name, reply[i + 1]]])))
  }
  return reply
}

test('random sequences of commands get the same replies', { timeout: 60_000 }, async () => {
  const [us, them] = await Promise.all([Client.connect(mine.path), Client.connect(real.path)])
  await fc.assert(
    fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 40 }), async (commands) => {
      for (const client of [us, them]) {
        await client.ask('DISCARD')
        await client.ask('UNWATCH')
        await client.ask('FLUSHALL')
        await client.ask('SELECT', '0')
      }
      let inTransaction: string[][] = []
      for (const args of commands) {
        if (args[0] === 'MULTI') inTransaction = []
        const [own, theirs] = await Promise.all([us.ask(...args), them.ask(...args)])
        // Replies of EXEC are compared one by one, as the commands that they answer.
        const each = (reply: Reply): unknown =>
          args[0] === 'EXEC' && Array.isArray(reply)
            ? reply.map((one, i) => comparable(inTransaction[i] ?? [], one))
            : comparable(args, reply)
        inTransaction.push(args)
        expect(each(own), args.join(' ')).toEqual(each(theirs))
      }
    }),
    { numRuns: 400 },
  )
  expect(mine.complaints).toEqual([])
  await Promise.all([us.end(), them.end()])
})
