/** Signals: what is published reaches whoever listens at that moment, and nobody else. */
import { Failure, Pairs, Push, type Reply } from '../../wire/resp.ts'
import type { Client, Subscriptions } from '../client.ts'
import type { Commons } from '../commons.ts'
import { LONGEST_PATTERN, matches } from '../glob.ts'
import { ELEMENT_COST } from '../memory.ts'
import { type Command, LATER } from '../registry.ts'
import { NO_ROOM, TOO_LONG_A_PATTERN } from '../words.ts'

type Kind = keyof Subscriptions
type Listeners = Map<string, Set<Client>>

/** Each message is held against each pattern. */
const MOST_PATTERNS = 1000
const LONGEST_CHANNEL = 4096
const TOO_LONG_A_CHANNEL = new Failure('ERR the name of the channel is too long')

const NOT_IN_TRANSACTION = new Failure('ERR subscribing is not allowed in a transaction')

export function pubsub(commons: Commons): readonly Command[] {
  const listeners: Readonly<Record<Kind, Listeners>> = { channels: new Map(), patterns: new Map() }

  const begin = (client: Client): Subscriptions => {
    if (client.subscriptions === null) {
      const made: Subscriptions = { channels: new Set(), patterns: new Set() }
      client.subscriptions = made
      client.onLeave(() => {
        for (const kind of ['channels', 'patterns'] as const) {
          for (const name of made[kind]) leave(client, kind, name)
        }
      })
    }
    return client.subscriptions
  }

  const leave = (client: Client, kind: Kind, name: string): void => {
    if (client.subscriptions?.[kind].delete(name) !== true) return
    commons.memory.used -= cost(name)
    const all = listeners[kind].get(name)
    all?.delete(client)
    if (all?.size === 0) listeners[kind].delete(name)
  }

  const subscribe = (client: Client, args: readonly string[], kind: Kind): Reply | typeof LATER => {
    if (client.atomic) return NOT_IN_TRANSACTION
    const own = begin(client)
    for (const name of args.slice(1)) {
      if (kind === 'patterns' && name.length > LONGEST_PATTERN) return TOO_LONG_A_PATTERN
      if (name.length > LONGEST_CHANNEL) return TOO_LONG_A_CHANNEL
      if (!own[kind].has(name)) {
        const isNew = !listeners[kind].has(name)
        if (kind === 'patterns' && isNew && listeners.patterns.size >= MOST_PATTERNS) {
          return new Failure('ERR too many patterns')
        }
        if (!commons.memory.hasRoom(cost(name))) return NO_ROOM
        commons.memory.used += cost(name)
        own[kind].add(name)
        const all = listeners[kind].get(name)
        if (all === undefined) listeners[kind].set(name, new Set([client]))
        else all.add(client)
      }
      client.push(new Push([args[0]!.toLowerCase(), name, subscriptions(client)]))
    }
    return LATER
  }

  const unsubscribe = (
    client: Client,
    args: readonly string[],
    kind: Kind,
  ): Reply | typeof LATER => {
    if (client.atomic) return NOT_IN_TRANSACTION
    const names = args.length > 1 ? args.slice(1) : [...(client.subscriptions?.[kind] ?? [])]
    const word = args[0]!.toLowerCase()
    for (const name of names) {
      leave(client, kind, name)
      client.push(new Push([word, name, subscriptions(client)]))
    }
    if (names.length === 0) client.push(new Push([word, null, subscriptions(client)]))
    return LATER
  }

  const publish = (channel: string, message: string): number | Failure => {
    if (channel.length > LONGEST_CHANNEL) return TOO_LONG_A_CHANNEL
    let heard = 0
    for (const client of listeners.channels.get(channel) ?? []) {
      heard++
      client.push(new Push(['message', channel, message]))
    }
    for (const [pattern, clients] of listeners.patterns) {
      if (!matches(pattern, channel)) continue
      for (const client of clients) {
        heard++
        client.push(new Push(['pmessage', pattern, channel, message]))
      }
    }
    return heard
  }

  return [
    { name: 'SUBSCRIBE', arity: -2, run: (client, args) => subscribe(client, args, 'channels') },
    { name: 'PSUBSCRIBE', arity: -2, run: (client, args) => subscribe(client, args, 'patterns') },
    {
      name: 'UNSUBSCRIBE',
      arity: -1,
      run: (client, args) => unsubscribe(client, args, 'channels'),
    },
    {
      name: 'PUNSUBSCRIBE',
      arity: -1,
      run: (client, args) => unsubscribe(client, args, 'patterns'),
    },
    { name: 'PUBLISH', arity: 3, run: (_client, [, channel, text]) => publish(channel!, text!) },
    {
      name: 'PUBSUB',
      arity: -2,
      run: (_client, [, word, ...names]) => {
        switch (word!.toUpperCase()) {
          case 'CHANNELS':
            if ((names[0]?.length ?? 0) > LONGEST_PATTERN) return TOO_LONG_A_PATTERN
            return [...listeners.channels.keys()].filter((name) => matches(names[0] ?? '*', name))
          case 'NUMSUB':
            return new Pairs(
              names.flatMap((name) => [name, listeners.channels.get(name)?.size ?? 0]),
            )
          case 'NUMPAT':
            return listeners.patterns.size
        }
        return new Failure(`ERR unknown subcommand '${word!.slice(0, 128)}'. Try PUBSUB HELP.`)
      },
    },
  ]
}

function cost(name: string): number {
  return name.length + 2 * ELEMENT_COST
}

function subscriptions({ subscriptions: own }: Client): number {
  return own === null ? 0 : own.channels.size + own.patterns.size
}
