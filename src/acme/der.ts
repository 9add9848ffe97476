/** ASN.1's distinguished encoding (X.690), as much of it as certificates need. Pure. */

const Tag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OID: 0x06,
  UTF8: 0x0c,
  UTC_TIME: 0x17,
  TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

/** One value: `tag`, how long it is, what it holds. */
export function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), encodeLength(body.length), body])
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  const digits = bytes.subarray(bytes.findIndex((byte) => byte !== 0))
  return Buffer.concat([Buffer.from([0x80 | digits.length]), digits])
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(Tag.SEQUENCE, ...parts)
}

export function set(...parts: readonly Uint8Array[]): Buffer {
  return tagged(Tag.SET, ...parts)
}

/** `[number]`, around values. */
export function context(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return tagged(0xa0 | number, ...parts)
}

/** `[number]`, in place of a string's own tag. */
export function implicit(number: number, bytes: Uint8Array): Buffer {
  return tagged(0x80 | number, bytes)
}

/** Never negative. */
export function integer(value: number | Uint8Array): Buffer {
  const bytes = typeof value === 'number' ? Buffer.from([value]) : Buffer.from(value)
  const from = bytes.findIndex((byte) => byte !== 0)
  const digits = from < 0 ? Buffer.alloc(1) : bytes.subarray(from)
  const sign = (digits[0] ?? 0) >= 0x80 ? [Buffer.alloc(1)] : []
  return tagged(Tag.INTEGER, ...sign, digits)
}

export function yes(): Buffer {
  return tagged(Tag.BOOLEAN, Buffer.from([0xff]))
}

export function nothing(): Buffer {
  return tagged(Tag.NULL)
}

export function utf8(text: string): Buffer {
  return tagged(Tag.UTF8, Buffer.from(text))
}

export function octets(bytes: Uint8Array): Buffer {
  return tagged(Tag.OCTET_STRING, bytes)
}

/** `unused`: bits at the end that do not count. */
export function bits(bytes: Uint8Array, unused = 0): Buffer {
  return tagged(Tag.BIT_STRING, Buffer.from([unused]), bytes)
}

/** Of `1.2.840.10045.4.3.2`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second, ...rest].flatMap((part) => {
    const digits = [part & 0x7f]
    for (let more = part >>> 7; more > 0; more >>>= 7) digits.unshift((more & 0x7f) | 0x80)
    return digits
  })
  return tagged(Tag.OID, Buffer.from(bytes))
}

/** RFC 5280 §4.1.2.5: two digits of the year until 2049. */
export function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  const early = at.getUTCFullYear() < 2050
  return tagged(early ? Tag.UTC_TIME : Tag.TIME, Buffer.from(early ? digits.slice(2) : digits))
}

/** A value that was read. */
export interface Value {
  readonly tag: number
  readonly body: Buffer
}

/** The values that follow one another in `bytes`. Throws where they are cut short. */
export function values(bytes: Uint8Array): Value[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: Value[] = []
  for (let at = 0; at < all.length; ) {
    const tag = all[at]!
    const { length, from } = readLength(all, at + 1)
    if (from + length > all.length) throw new RangeError('a value that is cut short')
    found.push({ tag, body: all.subarray(from, from + length) })
    at = from + length
  }
  return found
}

function readLength(bytes: Buffer, at: number): { length: number; from: number } {
  const first = bytes[at]
  if (first === undefined) throw new RangeError('a value without its length')
  if (first < 0x80) return { length: first, from: at + 1 }
  const count = first & 0x7f
  if (count === 0 || count > 4 || at + 1 + count > bytes.length) {
    throw new RangeError('a length that is none')
  }
  return { length: bytes.readUIntBE(at + 1, count), from: at + 1 + count }
}
