/**
 * Locks, which Redis has none of.
 *
 *     PORTICO.LOCK name ttl [WAIT ms] [OWNER text] [KEEP]    the fencing number, or null: another holds it
 *     PORTICO.UNLOCK name [OWNER text]                       1, or 0: it was not held by this one
 *     PORTICO.LOCKS                                          name, number, ms left, how many wait; of each
 *
 * `ttl` in ms; 0: as long as the connection lives. It is released when the connection closes, unless KEEP.
 * An OWNER may take it again, which begins its time anew, and give it back over another connection.
 */
import { Failure, type Reply } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import type { Commons } from '../commons.ts'
import { Locks, type Wish } from '../locks.ts'
import { type Command, LATER } from '../registry.ts'
import { integer, NO_ROOM, NOT_A_NUMBER, SYNTAX } from '../words.ts'

const LONGEST_WAIT_MS = 2 ** 31 - 1

export function locks(commons: Commons): readonly Command[] {
  const all = new Locks(commons.clock, commons.memory)

  const lock = (client: Client, args: readonly string[]): Reply | typeof LATER => {
    const name = args[1]!
    const wish = read(client, args)
    if (wish instanceof Failure) return wish
    const fence = all.take(name, wish)
    if (fence === undefined) return NO_ROOM
    if (fence !== null || wish.waitMs === 0 || client.atomic) return fence
    const leave = (): void => {
      clearTimeout(timer)
      giveUp()
    }
    const reply = client.wait(leave)
    const giveUp = all.wait(name, wish, (got) => {
      clearTimeout(timer)
      reply(got)
    })
    const timer = setTimeout(
      () => {
        commons.clock.read()
        leave()
        reply(null)
      },
      Math.min(wish.waitMs, LONGEST_WAIT_MS),
    )
    return LATER
  }

  return [
    { name: 'PORTICO.LOCK', arity: -3, run: lock },
    {
      name: 'PORTICO.UNLOCK',
      arity: -2,
      run: (client, [, name, word, owner = '']) => {
        if (word !== undefined && (word.toUpperCase() !== 'OWNER' || owner === '')) return SYNTAX
        return all.release(name!, client, owner) ? 1 : 0
      },
    },
    { name: 'PORTICO.LOCKS', arity: 1, run: () => all.list() },
  ]
}

function read(client: Client, args: readonly string[]): (Wish & { waitMs: number }) | Failure {
  const ttlMs = integer(args[2]!)
  if (ttlMs === null || ttlMs < 0) return NOT_A_NUMBER
  let [waitMs, owner, keep] = [0, '', false]
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toUpperCase()
    if (word === 'KEEP') keep = true
    else if (word === 'OWNER' && args[i + 1] !== undefined) owner = args[++i]!
    else if (word === 'WAIT' && args[i + 1] !== undefined) {
      const ms = integer(args[++i]!)
      if (ms === null || ms < 0) return NOT_A_NUMBER
      waitMs = ms
    } else return SYNTAX
  }
  if (keep && (ttlMs === 0 || owner === '')) {
    return new Failure('ERR KEEP needs an OWNER and a ttl: nobody else could ever release it')
  }
  return { client, owner, ttlMs, keep, waitMs }
}
