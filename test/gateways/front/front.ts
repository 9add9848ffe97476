/** A web server in front, as a test plays it: makes requests in each protocol, reads answers. */
import {
  encodeBeginRequest,
  encodeStream,
  KEEP_CONN,
  RecordType,
  Role,
  recordHead,
} from '../../../src/wire/fastcgi.ts'
import { encodePairs } from '../../../src/wire/fastcgi-params.ts'
import { RecordReader } from '../../../src/wire/fastcgi-reader.ts'
import { encodeScgi } from '../../../src/wire/scgi.ts'
import { encodePacket } from '../../../src/wire/uwsgi.ts'

export interface Asked {
  readonly method?: string
  readonly path?: string
  readonly body?: string | Uint8Array
  /** CONTENT_LENGTH, where it is not the body's; '' for none. */
  readonly length?: string
  readonly variables?: Readonly<Record<string, string>>
}

export interface Told {
  readonly status: number
  /** Without the status line, or Status. */
  readonly head: string
  readonly body: Buffer
}

/** How one protocol says things. */
export interface Speech {
  request(asked: Asked): Buffer
  /** Without its body. */
  opening(asked: Asked): Buffer
  body(bytes: string | Uint8Array): Buffer
  /** The answer in what was received. Throws when it is not complete. */
  read(received: Buffer): Told
}

function variablesOf(asked: Asked): string[] {
  const { method = 'GET', path = '/', body = '', length, variables = {} } = asked
  const all: Record<string, string> = {
    REQUEST_METHOD: method,
    REQUEST_URI: path,
    SERVER_PROTOCOL: 'HTTP/1.1',
    HTTP_HOST: 'a',
    REMOTE_ADDR: '192.0.2.1',
    CONTENT_LENGTH: length ?? (body.length === 0 ? '' : String(Buffer.byteLength(body))),
    ...variables,
  }
  return Object.entries(all).flat()
}

function headAndBody(received: Buffer, statusLine: RegExp): Told {
  const end = received.indexOf('\r\n\r\n')
  const text = received.toString('latin1', 0, end + 2)
  const match = statusLine.exec(text)
  if (end < 0 || match === null) throw new Error(`no answer: ${received.toString('latin1')}`)
  return {
    status: Number(match[1]),
    head: text.slice(match[0].length),
    body: received.subarray(end + 4),
  }
}

export const uwsgiSpeech: Speech = {
  opening: (asked: Asked): Buffer => encodePacket(0, 0, variablesOf(asked)),
  request: (asked: Asked): Buffer =>
    Buffer.concat([uwsgiSpeech.opening(asked), uwsgiSpeech.body(asked.body ?? '')]),
  body: (bytes: string | Uint8Array): Buffer => Buffer.from(bytes),
  read: (received: Buffer): Told => headAndBody(received, /^HTTP\/1\.1 (\d{3}) [^\r]*\r\n/),
}

export const scgiSpeech: Speech = {
  opening: (asked: Asked): Buffer => {
    const pairs = variablesOf(asked)
    const at = pairs.indexOf('CONTENT_LENGTH')
    const [, length] = pairs.splice(at, 2)
    return encodeScgi(Number(length), pairs)
  },
  request: (asked: Asked): Buffer =>
    Buffer.concat([scgiSpeech.opening(asked), scgiSpeech.body(asked.body ?? '')]),
  body: (bytes: string | Uint8Array): Buffer => Buffer.from(bytes),
  read: (received: Buffer): Told => headAndBody(received, /^Status: (\d{3}) [^\r]*\r\n/),
}

export const ID = 1

export function fastcgiOpening(asked: Asked, keep: boolean, id: number = ID): Buffer {
  return Buffer.concat([
    encodeBeginRequest(id, Role.RESPONDER, keep ? KEEP_CONN : 0),
    encodeStream(RecordType.PARAMS, id, encodePairs(variablesOf(asked))),
    recordHead(RecordType.PARAMS, id, 0, 0),
  ])
}

export function fastcgiRequest(asked: Asked, keep: boolean, id: number = ID): Buffer {
  return Buffer.concat([
    fastcgiOpening(asked, keep, id),
    encodeStream(RecordType.STDIN, id, Buffer.from(asked.body ?? '')),
    recordHead(RecordType.STDIN, id, 0, 0),
  ])
}

/** What records came: `END_REQUEST` with its statuses, others by number; STDOUT joined per request. */
export function records(received: Buffer): { ends: string[]; others: string[]; out: Buffer[] } {
  const ends: string[] = []
  const others: string[] = []
  const out: Buffer[] = []
  let parts: Buffer[] = []
  const reader = new RecordReader({
    record: (type, id, content) => {
      if (type === RecordType.END_REQUEST) {
        ends.push(`${id}: ${content.readUInt32BE(0)} ${content[4]}`)
        out.push(Buffer.concat(parts))
        parts = []
      } else others.push(`${type} ${id} ${content.toString('latin1')}`)
      return true
    },
    data: (_, __, bytes) => {
      parts.push(Buffer.from(bytes))
      return true
    },
    end: () => true,
  })
  reader.read(received, 0, received.length)
  return { ends, others, out }
}

export const fastcgiSpeech: Speech = {
  opening: (asked: Asked): Buffer => fastcgiOpening(asked, false),
  request: (asked: Asked): Buffer => fastcgiRequest(asked, false),
  body: (bytes: string | Uint8Array): Buffer =>
    encodeStream(RecordType.STDIN, ID, Buffer.from(bytes)),
  read: (received: Buffer): Told => {
    const { ends, out } = records(received)
    if (ends[0] !== `${ID}: 0 0`) throw new Error(`it did not end: ${ends}`)
    return headAndBody(out[0]!, /^Status: (\d{3}) [^\r]*\r\n/)
  },
}
