/** Commands about the connection and the server itself. */
import { Failure, NO_ARRAY, OK, Pairs, type Reply, Status } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import type { Commons } from '../commons.ts'
import type { Command, Registry } from '../registry.ts'
import { NOT_A_NUMBER, SYNTAX } from '../words.ts'

const PONG = new Status('PONG')
/** Clients are listed by them. */
const CLIENT_NAME = /^[!-~]{0,200}$/
const BAD_NAME = new Failure(
  'ERR Client names cannot contain spaces, newlines or special characters.',
)
/** Whose behaviour clients may count on. */
const AS_REDIS = '7.0.0'

export function basics(commons: Commons, registry: Registry): readonly Command[] {
  return [
    { name: 'PING', arity: -1, run: (client, args) => ping(client, args) },
    { name: 'ECHO', arity: 2, run: (_client, [, text]) => text! },
    { name: 'HELLO', arity: -1, run: (client, args) => hello(client, args) },
    { name: 'SELECT', arity: 2, run: (client, [, number]) => select(commons, client, number!) },
    { name: 'CLIENT', arity: -2, run: (client, args) => clientCommand(commons, client, args) },
    { name: 'COMMAND', arity: -1, run: (_client, args) => command(registry, args) },
    { name: 'INFO', arity: -1, run: () => info(commons) },
    {
      name: 'QUIT',
      arity: -1,
      run: (client) => {
        client.close()
        return OK
      },
    },
    // A page that a browser shows may send requests here, with commands in them: as Redis does, the
    // connection is closed at what only HTTP says.
    ...['POST', 'HOST:'].map((name) => ({
      name,
      arity: -1,
      run: (client: Client) => {
        client.close()
        return new Failure('ERR this is no web server')
      },
    })),
    {
      name: 'AUTH',
      arity: -2,
      run: () =>
        new Failure(
          'ERR Client sent AUTH, but no password is set. Did you mean AUTH <username> <password>?',
        ),
    },
  ]
}

function ping(client: Client, args: readonly string[]): Reply {
  if (args.length > 2) return new Failure("ERR wrong number of arguments for 'ping' command")
  const { channels, patterns } = client.subscriptions ?? {}
  const isListening = (channels?.size ?? 0) + (patterns?.size ?? 0) > 0
  if (isListening && client.protocol === 2) return ['pong', args[1] ?? '']
  return args[1] ?? PONG
}

function hello(client: Client, args: readonly string[]): Reply {
  let protocol = client.protocol
  let name: string | null = null
  if (args.length > 1) {
    const asked = Number(args[1])
    if (!Number.isInteger(asked)) {
      return new Failure('ERR Protocol version is not an integer or out of range')
    }
    if (asked !== 2 && asked !== 3) return new Failure('NOPROTO unsupported protocol version')
    protocol = asked
  }
  for (let i = 2; i < args.length; i++) {
    const option = args[i]!.toUpperCase()
    if (option === 'SETNAME' && i + 1 < args.length) {
      name = args[++i]!
      if (!CLIENT_NAME.test(name)) return BAD_NAME
    } else if (option === 'AUTH' && i + 2 < args.length) {
      return new Failure('WRONGPASS invalid username-password pair or user is disabled.')
    } else return new Failure(`ERR Syntax error in HELLO option '${args[i]}'`)
  }
  client.protocol = protocol
  if (name !== null) client.name = name
  return new Pairs([
    'server',
    'portico',
    'version',
    AS_REDIS,
    'proto',
    protocol,
    'id',
    client.id,
    'mode',
    'standalone',
    'role',
    'master',
    'modules',
    [],
  ])
}

function select(commons: Commons, client: Client, number: string): Reply {
  if (!/^-?\d{1,10}$/.test(number)) return NOT_A_NUMBER
  const space = commons.spaces[Number(number)]
  if (space === undefined) return new Failure('ERR DB index is out of range')
  client.space = space
  return OK
}

function clientCommand(commons: Commons, client: Client, args: readonly string[]): Reply {
  const [, word = '', value = ''] = args
  switch (word.toUpperCase()) {
    case 'ID':
      return client.id
    case 'SETNAME':
      if (args.length !== 3) break
      if (!CLIENT_NAME.test(value)) return BAD_NAME
      client.name = value
      return OK
    case 'GETNAME':
      return client.name === '' ? null : client.name
    case 'SETINFO':
      return args.length === 4 ? OK : SYNTAX
    case 'NO-EVICT':
    case 'NO-TOUCH':
      return OK
    case 'LIST':
      return [...commons.clients].map((one) => `id=${one.id} name=${one.name}\n`).join('')
    case 'REPLY':
      return reply(client, value.toUpperCase())
  }
  return new Failure(`ERR unknown subcommand '${word.slice(0, 128)}'. Try CLIENT HELP.`)
}

/** Only ON is answered. */
function reply(client: Client, how: string): Reply {
  if (how === 'ON') client.replies = 'on'
  else if (how === 'OFF') client.replies = 'off'
  else if (how !== 'SKIP') return SYNTAX
  else if (client.replies !== 'off') client.replies = 'skip-this'
  return OK
}

function command(registry: Registry, args: readonly string[]): Reply {
  const word = args[1]?.toUpperCase()
  if (word === 'COUNT') return [...registry.all()].length
  if (word === 'DOCS') return new Pairs([])
  if (word === 'INFO') {
    return args.slice(2).map((name) => {
      const found = registry.find(name)
      return found === undefined ? NO_ARRAY : facts(found)
    })
  }
  if (word !== undefined) return new Failure(`ERR unknown subcommand '${word.slice(0, 128)}'.`)
  return [...registry.all()].map(facts)
}

/** Name, arity, flags, first key, last key, step: enough for clients that look for a command. */
function facts({ name, arity }: Command): Reply {
  return [name.toLowerCase(), arity, [], 0, 0, 0]
}

function info(commons: Commons): string {
  const { memory, sieve, spaces, limits } = commons
  const total = (what: (space: (typeof spaces)[number]) => number): number =>
    spaces.reduce((sum, space) => sum + what(space), 0)
  const lines = [
    '# Server',
    `redis_version:${AS_REDIS}`,
    'server_name:portico',
    'redis_mode:standalone',
    `process_id:${process.pid}`,
    `uptime_in_seconds:${Math.floor((performance.now() - commons.startedAt) / 1000)}`,
    '',
    '# Clients',
    `connected_clients:${commons.clients.size}`,
    `maxclients:${limits.connections}`,
    '',
    '# Memory',
    `used_memory:${memory.used}`,
    `used_memory_rss:${process.memoryUsage.rss()}`,
    `maxmemory:${memory.limit}`,
    'maxmemory_policy:sieve',
    '',
    '# Stats',
    `total_connections_received:${commons.connections}`,
    `total_commands_processed:${commons.commands}`,
    `expired_keys:${total((space) => space.expired)}`,
    `evicted_keys:${sieve.evicted}`,
    `keyspace_hits:${commons.hits}`,
    `keyspace_misses:${commons.misses}`,
    '',
    '# Replication',
    'role:master',
    'connected_slaves:0',
    '',
    '# Keyspace',
    ...spaces
      .filter((space) => space.size > 0)
      .map((space) => `db${space.number}:keys=${space.size},expires=${space.expiring},avg_ttl=0`),
  ]
  return `${lines.join('\r\n')}\r\n`
}
