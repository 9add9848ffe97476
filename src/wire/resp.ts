/**
 * RESP, the protocol of Redis, as far as replies go: RESP2, and RESP3 for who asked for it with HELLO 3.
 * Pure. https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Bytes are strings of latin-1 here, one character a byte: V8 keeps them compactly and they make Map keys.
 */

/** `+OK`: a short word of ours, never a user's bytes. */
export class Status {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** `-ERR …`: on one line, the first word in capitals. */
export class Failure {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Key, value, key, value …: a map in RESP3, the same flat in RESP2. */
export class Pairs {
  readonly items: readonly Reply[]

  constructor(items: readonly Reply[]) {
    this.items = items
  }
}

/** What nobody asked for now, such as a published message: a push in RESP3, an array in RESP2. */
export class Push {
  readonly items: readonly Reply[]

  constructor(items: readonly Reply[]) {
    this.items = items
  }
}

/** What RESP2 calls a null array (`*-1`), which is what a queue without an element answers. */
export class NoArray {}

/** Text is a bulk string (latin-1, one character a byte); null is its null. */
export type Reply =
  | string
  | number
  | bigint
  | null
  | readonly Reply[]
  | Status
  | Failure
  | Pairs
  | Push
  | NoArray

export const OK: Status = new Status('OK')
export const NO_ARRAY: NoArray = new NoArray()

export type Protocol = 2 | 3

/** The bytes of `reply`. */
export function encodeReply(reply: Reply, protocol: Protocol): string {
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`
  if (typeof reply === 'number' || typeof reply === 'bigint') return `:${reply}\r\n`
  if (reply === null) return protocol === 3 ? '_\r\n' : '$-1\r\n'
  if (reply instanceof Status) return `+${reply.text}\r\n`
  if (reply instanceof Failure) return `-${reply.text.replace(/[\r\n]/g, ' ')}\r\n`
  if (reply instanceof NoArray) return protocol === 3 ? '_\r\n' : '*-1\r\n'
  const items = itemsOf(reply)!
  return encodeAll(encodeHead(reply, items.length, protocol), items, protocol)
}

/**
 * How long `reply` is on the wire, nearly, bytes; elements count a little more, for the place that they
 * take here.
 */
export function sizeOfReply(reply: Reply): number {
  if (typeof reply === 'string') return reply.length + 16
  const items = itemsOf(reply)
  return items === null ? 16 : items.reduce<number>((sum, item) => sum + sizeOfReply(item), 16)
}

/** What `reply` consists of; null where it is one thing. */
export function itemsOf(reply: Reply): readonly Reply[] | null {
  if (reply instanceof Pairs || reply instanceof Push) return reply.items
  return Array.isArray(reply) ? (reply as readonly Reply[]) : null
}

/** How a reply of several items begins. */
export function encodeHead(reply: Reply, length: number, protocol: Protocol): string {
  if (protocol === 3 && reply instanceof Pairs) return `%${length / 2}\r\n`
  return `${protocol === 3 && reply instanceof Push ? '>' : '*'}${length}\r\n`
}

function encodeAll(head: string, items: readonly Reply[], protocol: Protocol): string {
  let text = head
  for (const item of items) text += encodeReply(item, protocol)
  return text
}

/** A command as clients send it. `args` are bytes (latin-1). */
export function encodeCommand(args: readonly string[]): string {
  let text = `*${args.length}\r\n`
  for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`
  return text
}

/** Text as the bytes of its UTF-8. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** The text whose UTF-8 the bytes are. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}

/** What breaks the protocol: the connection cannot go on. */
export class RespError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RespError'
  }
}
