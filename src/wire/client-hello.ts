/**
 * The first message of a TLS connection, as far as it tells where the connection is to go: the server name
 * (RFC 6066 §3) and the protocols (RFC 7301 §3.1) that the client asks for. Nothing is decrypted, and
 * nothing answered. Pure.
 */
import { PorticoError } from '../errors.ts'

export interface ClientHello {
  /** In lower case, without a dot at its end; '' where the client names none. */
  readonly serverName: string
  /** As they came, latin-1; empty where the client names none. */
  readonly protocols: readonly string[]
}

/** RFC 8446 §5.1 */
const HANDSHAKE = 22
const RECORD_HEAD = 5
const LONGEST_RECORD = 16_384
/** RFC 8446 §4 */
const CLIENT_HELLO = 1
const MESSAGE_HEAD = 4
/** Real ones are below 2 KB, 18 KB with every key share of post-quantum cryptography there is. */
const LONGEST_HELLO = 32_768
/** What a hello may come to with its records' heads. */
const MOST_BYTES = 65_536
/** Some split the name over two, so that nobody can read it. */
const MOST_RECORDS = 64

const SERVER_NAME = 0
const HOST_NAME = 0
const ALPN = 16
/** RFC 1035 §2.3.4; what a name is made of, RFC 1123 §2.1 and the underscore. */
const NAME = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/
const LONGEST_NAME = 253

/**
 * Reads the hello at the beginning of `bytes`, which may be split over records. Null: it is not complete
 * yet. Throws BAD_CLIENT_HELLO as soon as it can be none.
 */
export function readClientHello(bytes: Buffer): ClientHello | null {
  const message = gather(bytes)
  return message === null ? null : parse(message)
}

/** The handshake message out of its records. */
function gather(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = []
  let had = 0
  let needed = MESSAGE_HEAD
  for (let at = 0; had < needed; ) {
    if (at > MOST_BYTES || parts.length === MOST_RECORDS) throw bad('too many records')
    const left = bytes.length - at
    if (left > 0 && bytes[at] !== HANDSHAKE) throw bad('no handshake')
    // 3.0 in hellos of old, 3.1 and 3.3 in all others.
    if (left > 1 && bytes[at + 1] !== 3) throw bad('version')
    if (left < RECORD_HEAD) return null
    const size = bytes.readUInt16BE(at + 3)
    if (size === 0 || size > LONGEST_RECORD) throw bad(`a record of ${size} bytes`)
    const part = bytes.subarray(at + RECORD_HEAD, at + RECORD_HEAD + size)
    if (had === 0 && part.length > 0 && part[0] !== CLIENT_HELLO) throw bad('another message')
    parts.push(part)
    had += part.length
    if (needed === MESSAGE_HEAD && had >= MESSAGE_HEAD) {
      const head = parts.length === 1 ? part : Buffer.concat(parts)
      needed = MESSAGE_HEAD + head.readUIntBE(1, 3)
      if (needed > LONGEST_HELLO) throw bad(`a hello of ${needed} bytes`)
    }
    if (part.length < size && had < needed) return null
    at += RECORD_HEAD + size
  }
  const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  return whole.subarray(MESSAGE_HEAD, needed)
}

/** RFC 8446 §4.1.2: version, random, session id, cipher suites, compression methods, extensions. */
function parse(message: Buffer): ClientHello {
  const all = new Cursor(message)
  if (all.number(2) >> 8 !== 3) throw bad('version')
  all.skip(32)
  all.vector(1, 0, 32)
  all.vector(2, 2, 65_534)
  all.vector(1, 1, 255)
  let serverName = ''
  let protocols: readonly string[] = []
  // A client of TLS 1.0 may have no extensions at all.
  if (all.over) return { serverName, protocols }
  const extensions = all.vector(2, 0, 65_535)
  all.end()
  const seen = new Set<number>()
  while (!extensions.over) {
    const type = extensions.number(2)
    const body = extensions.vector(2, 0, 65_535)
    // RFC 8446 §4.2: no two of a type.
    if (seen.has(type)) throw bad('an extension twice')
    seen.add(type)
    if (type === SERVER_NAME) serverName = readServerName(body)
    else if (type === ALPN) protocols = readProtocols(body)
  }
  return { serverName, protocols }
}

function readServerName(body: Cursor): string {
  const list = body.vector(2, 1, 65_535)
  body.end()
  let found: string | null = null
  while (!list.over) {
    const type = list.number(1)
    const name = list.vector(2, 1, 65_535)
    // RFC 6066 §3: no two names of a type.
    if (type !== HOST_NAME) continue
    if (found !== null) throw bad('two server names')
    found = hostName(name.rest())
  }
  return found ?? ''
}

function hostName(bytes: Buffer): string {
  const name = bytes.toString('latin1').toLowerCase().replace(/\.$/, '')
  if (name.length > LONGEST_NAME || !NAME.test(name)) throw bad('server name')
  return name
}

function readProtocols(body: Cursor): string[] {
  const list = body.vector(2, 2, 65_535)
  body.end()
  const protocols: string[] = []
  while (!list.over) protocols.push(list.vector(1, 1, 255).rest().toString('latin1'))
  return protocols
}

/** Reads numbers and vectors (RFC 8446 §3), never beyond the end. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get over(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Big-endian, of so many bytes. */
  number(size: 1 | 2): number {
    this.#need(size)
    const value = this.#bytes.readUIntBE(this.#at, size)
    this.#at += size
    return value
  }

  skip(count: number): void {
    this.#need(count)
    this.#at += count
  }

  /** A vector whose length stands before it. */
  vector(size: 1 | 2, least: number, most: number): Cursor {
    const length = this.number(size)
    if (length < least || length > most) throw bad('the length of a vector')
    this.#need(length)
    const part = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return new Cursor(part)
  }

  rest(): Buffer {
    const part = this.#bytes.subarray(this.#at)
    this.#at = this.#bytes.length
    return part
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.over) throw bad('more than there is to be')
  }

  #need(count: number): void {
    if (this.#at + count > this.#bytes.length) throw bad('cut short')
  }
}

function bad(what: string): PorticoError {
  return new PorticoError('BAD_CLIENT_HELLO', what)
}
