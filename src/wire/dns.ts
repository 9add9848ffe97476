/** DNS messages (RFC 1035 §4): a question, and what answers it. Pure, strict and bounded. */

export const RecordTypes: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  ANY: 255,
}

/** RFC 1035 §4.1.1, RFC 2136 §2.2. */
export const ResponseCodes: readonly string[] = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
]

const HEAD = 12
const INTERNET = 1
const LONGEST_NAME = 253
const LONGEST_LABEL = 63
/** Pointers in one name: what points at itself ends here. */
const MOST_POINTERS = 16
const MOST_ANSWERS = 256

/** What cannot be a message. */
export class DnsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DnsError'
  }
}

export interface DnsAnswer {
  readonly name: string
  readonly type: number
  /** As people write it; '' for a type that is not known here. */
  readonly text: string
}

export interface DnsReply {
  readonly id: number
  /** 0 to 15: see ResponseCodes. */
  readonly code: number
  /** Cut short: the whole answer goes over TCP. */
  readonly truncated: boolean
  readonly answers: readonly DnsAnswer[]
}

/** One question of the class IN, which wants recursion. Throws a DnsError for what is no name. */
export function encodeQuestion(id: number, name: string, type: number): Buffer {
  const head = Buffer.alloc(HEAD)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(0x0100, 2)
  head.writeUInt16BE(1, 4)
  const tail = Buffer.alloc(4)
  tail.writeUInt16BE(type, 0)
  tail.writeUInt16BE(INTERNET, 2)
  return Buffer.concat([head, encodeName(name), tail])
}

function encodeName(name: string): Buffer {
  const plain = name.replace(/\.$/, '')
  if (plain.length > LONGEST_NAME) throw new DnsError('a name of more than 253 characters')
  const labels = plain === '' ? [] : plain.split('.')
  const parts = labels.map((label) => {
    if (!/^[\x21-\x7e]+$/.test(label) || label.length > LONGEST_LABEL) {
      throw new DnsError(`not a part of a name: ${JSON.stringify(label)}`)
    }
    return Buffer.from(`\0${label}`, 'latin1').fill(label.length, 0, 1)
  })
  return Buffer.concat([...parts, Buffer.alloc(1)])
}

/** The answer to `encodeQuestion(id, name, type)`. Throws a DnsError for anything else. */
export function decodeReply(message: Buffer, name: string, type: number): DnsReply {
  if (message.length < HEAD) throw new DnsError('cut short')
  const flags = message.readUInt16BE(2)
  if ((flags & 0x8000) === 0) throw new DnsError('not an answer')
  const questions = message.readUInt16BE(4)
  const count = message.readUInt16BE(6)
  if (count > MOST_ANSWERS) throw new DnsError(`${count} answers`)
  const code = flags & 0xf
  let at = HEAD
  // A server that could not read the question need not repeat it.
  if (questions > 1 || (questions === 0 && code === 0)) throw new DnsError(`${questions} questions`)
  if (questions === 1) {
    const asked = readName(message, at)
    at = asked.end + 4
    if (at > message.length) throw new DnsError('cut short')
    const same = asked.name.toLowerCase() === name.replace(/\.$/, '').toLowerCase()
    if (!same || message.readUInt16BE(asked.end) !== type) throw new DnsError('another question')
  }
  const answers: DnsAnswer[] = []
  for (let i = 0; i < count; i++) {
    const owner = readName(message, at)
    const data = owner.end + 10
    if (data > message.length) throw new DnsError('cut short')
    const kind = message.readUInt16BE(owner.end)
    const end = data + message.readUInt16BE(owner.end + 8)
    if (end > message.length) throw new DnsError('cut short')
    answers.push({ name: owner.name, type: kind, text: readData(message, kind, data, end) })
    at = end
  }
  return { id: message.readUInt16BE(0), code, truncated: (flags & 0x200) !== 0, answers }
}

function readData(message: Buffer, type: number, from: number, end: number): string {
  const nameAt = (at: number): string => {
    const { name, end: behind } = readName(message, at)
    if (behind > end) throw new DnsError('a name longer than its record')
    return name
  }
  switch (type) {
    case RecordTypes.A:
      if (end - from !== 4) throw new DnsError('an address of another length')
      return message.subarray(from, end).join('.')
    case RecordTypes.AAAA: {
      if (end - from !== 16) throw new DnsError('an address of another length')
      const words = Array.from({ length: 8 }, (_, i) => message.readUInt16BE(from + 2 * i))
      const url = new URL(`http://[${words.map((word) => word.toString(16)).join(':')}]`)
      return url.hostname.slice(1, -1)
    }
    case RecordTypes.NS:
    case RecordTypes.CNAME:
    case RecordTypes.PTR:
    case RecordTypes.SOA:
      return nameAt(from)
    case RecordTypes.MX:
      if (end - from < 3) throw new DnsError('cut short')
      return `${message.readUInt16BE(from)} ${nameAt(from + 2)}`
    case RecordTypes.TXT:
      return readTexts(message, from, end)
    default:
      return ''
  }
}

function readTexts(message: Buffer, from: number, end: number): string {
  let text = ''
  for (let at = from; at < end; ) {
    const to = at + 1 + message[at]!
    if (to > end) throw new DnsError('a text longer than its record')
    text += message.toString('latin1', at + 1, to)
    at = to
  }
  return text
}

/** `end`: behind the name where it stands, whatever it points to (RFC 1035 §4.1.4). */
function readName(message: Buffer, from: number): { name: string; end: number } {
  const labels: string[] = []
  let at = from
  let end = -1
  let length = 0
  for (let pointers = 0; ; ) {
    const size = message[at]
    if (size === undefined) throw new DnsError('cut short')
    if (size === 0) return { name: labels.join('.'), end: end < 0 ? at + 1 : end }
    if (size >= 0xc0) {
      if (at + 1 >= message.length) throw new DnsError('cut short')
      if (++pointers > MOST_POINTERS) throw new DnsError('a name that points at itself')
      if (end < 0) end = at + 2
      at = message.readUInt16BE(at) & 0x3fff
      continue
    }
    if (size > LONGEST_LABEL) throw new DnsError('a label of no known kind')
    if (at + 1 + size > message.length) throw new DnsError('cut short')
    length += size + 1
    if (length > LONGEST_NAME + 1) throw new DnsError('a name of more than 253 characters')
    labels.push(message.toString('latin1', at + 1, at + 1 + size))
    at += 1 + size
  }
}
