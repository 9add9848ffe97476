/**
 * uwsgi packets, pure and both ways: `u8 modifier1, u16le size, u8 modifier2`, then `size` bytes of
 * variables, each `u16le length, key, u16le length, value`. What follows a packet is the request's body.
 */
import { PorticoError } from '../errors.ts'
import { Gather } from './gather.ts'
import { wrongProtocol } from './wrong-protocol.ts'

/** Bytes before the variables. */
export const UWSGI_HEAD = 4
/** Bytes that all variables of a packet can have: their size is a u16. */
export const MOST_VARIABLES = 65_535

/** What a packet is about (`modifier1`). Requests for any language are requests. */
export const Modifier = {
  WSGI: 0,
  PSGI: 5,
  LUA: 6,
  RACK: 7,
  JVM: 8,
  CGI: 9,
  PHP: 14,
  MANAGE_PATH_INFO: 30,
  PING: 100,
} as const

/** The answer to a ping: a packet without variables, whose `modifier2` says yes. */
export const PONG: Uint8Array = Uint8Array.of(Modifier.PING, 0, 0, 1)

/**
 * A packet of variables: `pairs` is key, value, key, value … in latin-1. Throws TOO_LARGE_HEAD when
 * they do not fit, and BAD_FIELD for an empty key, at which uWSGI closes without a word.
 */
export function encodePacket(
  modifier1: number,
  modifier2: number,
  pairs: readonly string[],
): Buffer {
  let size = 0
  for (const text of pairs) size += 2 + text.length
  if (size > MOST_VARIABLES) {
    throw new PorticoError('TOO_LARGE_HEAD', `${size} bytes of uwsgi variables`)
  }
  const packet = Buffer.allocUnsafe(UWSGI_HEAD + size)
  packet[0] = modifier1
  packet.writeUInt16LE(size, 1)
  packet[3] = modifier2
  let at = UWSGI_HEAD
  for (let i = 0; i < pairs.length; i++) {
    const text = pairs[i]!
    if (text === '' && i % 2 === 0) throw new PorticoError('BAD_FIELD', 'an empty variable name')
    at = packet.writeUInt16LE(text.length, at)
    at += packet.write(text, at, text.length, 'latin1')
  }
  return packet
}

/**
 * The variables of a packet, given as latin-1 text: key, value, key, value … Values may be empty,
 * duplicates are kept. Throws BAD_PACKET for an empty key or lengths that do not fit.
 */
export function decodeVariables(text: string): string[] {
  const pairs: string[] = []
  const { length } = text
  let at = 0
  while (at < length) {
    const keyEnd = at + 2 + lengthAt(text, at)
    if (keyEnd === at + 2) throw new PorticoError('BAD_PACKET', 'an empty variable name')
    const valueEnd = keyEnd + 2 + lengthAt(text, keyEnd)
    // A NaN, from a length that is cut short, is not in order with anything.
    if (!(valueEnd <= length)) throw new PorticoError('BAD_PACKET', 'variables cut short')
    pairs.push(text.slice(at + 2, keyEnd), text.slice(keyEnd + 2, valueEnd))
    at = valueEnd
  }
  return pairs
}

function lengthAt(text: string, at: number): number {
  return text.charCodeAt(at) + text.charCodeAt(at + 1) * 256
}

/** Takes one packet out of whatever pieces it comes in. */
export class PacketDecoder {
  readonly #most: number
  readonly #known: ReadonlySet<number> | null
  readonly #head: Buffer = Buffer.allocUnsafeSlow(UWSGI_HEAD)
  readonly #variables = new Gather()
  #filled = 0
  modifier1 = 0
  modifier2 = 0
  /** Bytes of variables that the head announced. */
  size = 0

  /**
   * Packets with more than `most` bytes of variables are read over: `block` stays null. Those with a
   * modifier1 that is not `known` are refused before the rest of them has come.
   */
  constructor(most: number, known: ReadonlySet<number> | null = null) {
    this.#most = most
    this.#known = known
  }

  /** The packet is complete. */
  get done(): boolean {
    return this.#filled === UWSGI_HEAD && this.#variables.complete
  }

  /** Nothing of a packet has come yet. */
  get untouched(): boolean {
    return this.#filled === 0
  }

  /** The variables of a complete packet that was not too large; valid until `decode` returns to its caller's caller. */
  get block(): Buffer | null {
    return this.#variables.block
  }

  /** Takes from `bytes[from, to)` what belongs to the packet; returns where that ends. Throws BAD_PACKET. */
  decode(bytes: Buffer, from: number, to: number): number {
    let at = from
    while (this.#filled < UWSGI_HEAD) {
      if (at === to) return at
      this.#head[this.#filled++] = bytes[at++]!
      if (this.#filled < UWSGI_HEAD) continue
      this.modifier1 = this.#head[0]!
      this.size = this.#head.readUInt16LE(1)
      this.modifier2 = this.#head[3]!
      if (this.#known?.has(this.modifier1) === false) {
        throw wrongProtocol(this.modifier1, 'uwsgi', `modifier1 ${this.modifier1} is no request`)
      }
      this.#variables.expect(this.size, this.size <= this.#most)
    }
    return this.#variables.take(bytes, at, to)
  }

  /** Makes ready for the next packet. */
  reset(): void {
    this.#filled = 0
  }
}
