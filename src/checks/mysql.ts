/**
 * A MySQL or MariaDB greets and judges a login. Whoever leaves right after the greeting counts as a broken
 * handshake, and after `max_connect_errors` of them the server blocks that host: so we log in as a user
 * that need not exist. That it is refused is an answer of a server that is well, and counts for nothing.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
 */
import type { MysqlCheckPlan } from '../site/check-plan.ts'
import { type Check, Unwell } from './check.ts'
import { type Talk, talk } from './talk.ts'

const LONGEST_PACKET = 16_384
/** Rounds of authentication before we give up: plugins switch once. */
const MOST_ROUNDS = 3

const PROTOCOL_41 = 0x200
const SECURE_CONNECTION = 0x8000
const PLUGIN_AUTH = 0x80000
const MAX_PACKET = 2 ** 24
const UTF8 = 33

const OK = 0x00
const MORE = 0x01
const SWITCH = 0xfe
const ERROR = 0xff
const QUIT = Buffer.of(1, 0, 0, 0, 1)

/** It could judge the login, and has: access denied, no such database, no TLS, password expired. */
const JUDGED = new Set([
  1044, 1045, 1049, 1251, 1275, 1396, 1524, 1698, 1820, 1862, 3118, 3159, 4151,
])

interface Packet {
  readonly number: number
  readonly body: Buffer
}

export function mysql({ user }: MysqlCheckPlan): Check {
  return {
    name: 'mysql',
    probe: (peer, signal) =>
      talk(peer, signal, async (talk) => {
        const { number, body } = await read(talk)
        if (body[0] === ERROR) throw new Unwell(complaint(body))
        if (body[0] !== 10 && body[0] !== 9) throw new Unwell('does not speak MySQL')
        talk.write(packet(number + 1, login(user)))
        await judgement(talk)
        return undefined
      }),
  }
}

async function judgement(talk: Talk): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const { number, body } = await read(talk)
    switch (body[0]) {
      case OK:
        talk.write(QUIT)
        return
      case ERROR:
        if (body.length >= 3 && JUDGED.has(body.readUInt16LE(1))) return
        throw new Unwell(complaint(body))
      case SWITCH:
      case MORE:
        // An empty password, whatever the plugin.
        talk.write(packet(number + 1, Buffer.alloc(0)))
        continue
      default:
        throw new Unwell('does not speak MySQL')
    }
  }
  throw new Unwell('does not come to an end with a login')
}

async function read(talk: Talk): Promise<Packet> {
  const head = await talk.bytes(4)
  const length = head.readUIntLE(0, 3)
  if (length === 0 || length > LONGEST_PACKET) throw new Unwell('does not speak MySQL')
  return { number: head[3]!, body: await talk.bytes(length) }
}

function packet(number: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = number & 0xff
  return Buffer.concat([head, body])
}

/** HandshakeResponse41 with an empty password. */
function login(user: string): Buffer {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH, 0)
  head.writeUInt32LE(MAX_PACKET, 4)
  head[8] = UTF8
  // The user, the length of the password, the plugin that would have hidden it.
  return Buffer.concat([head, Buffer.from(`${user}\0\0mysql_native_password\0`)])
}

/** `#08004Too many connections`: in the greeting the state may be missing. */
function complaint(body: Buffer): string {
  const code = body.length >= 3 ? body.readUInt16LE(1) : 0
  const text = body.toString('utf8', 3).replace(/^#.{5}/, '')
  return `${text.slice(0, 200)} (${code})`
}
