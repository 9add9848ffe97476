/**
 * FastCGI 1.0 records, pure and both ways. Every record begins with `u8 version, u8 type, u16be id,
 * u16be content length, u8 padding length, u8 reserved`. `fastcgi-params.ts` has the names and values,
 * `fastcgi-reader.ts` what takes records apart. https://fastcgi-archives.github.io/FastCGI_Specification.html
 */

/** Bytes that begin a record. */
export const RECORD_HEAD = 8
/** Content of one record; a multiple of 8, so that long streams need no padding. */
export const MOST_CONTENT = 65_528

/** §8: record types. From GET_VALUES on they are about the connection, with id 0. */
export const RecordType = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const

/** §5.1: what an application is asked to be. */
export const Role = { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 } as const
/** §5.1, flag of BEGIN_REQUEST: the connection is for more requests. */
export const KEEP_CONN = 1

/** §5.5: how a request ended. */
export const ProtocolStatus = {
  REQUEST_COMPLETE: 0,
  CANT_MPX_CONN: 1,
  OVERLOADED: 2,
  UNKNOWN_ROLE: 3,
} as const

/** Bytes that bring content of `length` bytes to a multiple of 8 (§3.3 recommends it). */
export function paddingOf(length: number): number {
  return -length & 7
}

/** Writes the head of a record at `at`; returns where its content begins. */
export function writeRecordHead(
  into: Buffer,
  at: number,
  type: number,
  id: number,
  length: number,
  padding: number,
): number {
  into[at] = 1
  into[at + 1] = type
  into[at + 2] = id >>> 8
  into[at + 3] = id
  into[at + 4] = length >>> 8
  into[at + 5] = length
  into[at + 6] = padding
  into[at + 7] = 0
  return at + RECORD_HEAD
}

/** The head alone of a record. */
export function recordHead(type: number, id: number, length: number, padding: number): Buffer {
  const head = Buffer.allocUnsafe(RECORD_HEAD)
  writeRecordHead(head, 0, type, id, length, padding)
  return head
}

/** Bytes that `writeStream` needs for so much content. */
export function streamSize(length: number): number {
  const records = Math.ceil(length / MOST_CONTENT)
  return records * RECORD_HEAD + length + paddingOf(length)
}

/** Writes content as records of a stream at `at`; returns where they end. No content, no record. */
export function writeStream(
  into: Buffer,
  at: number,
  type: number,
  id: number,
  content: Uint8Array,
): number {
  let to = at
  for (let from = 0; from < content.length; from += MOST_CONTENT) {
    const part = content.subarray(from, from + MOST_CONTENT)
    const padding = paddingOf(part.length)
    to = writeRecordHead(into, to, type, id, part.length, padding)
    into.set(part, to)
    to += part.length
    into.fill(0, to, to + padding)
    to += padding
  }
  return to
}

/** Content as records of a stream. The stream's end is `recordHead(type, id, 0, 0)` (§3.3). */
export function encodeStream(type: number, id: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(streamSize(content.length))
  writeStream(bytes, 0, type, id, content)
  return bytes
}

/** §5.1. */
export function encodeBeginRequest(id: number, role: number, flags: number): Buffer {
  const record = Buffer.alloc(RECORD_HEAD + 8)
  const at = writeRecordHead(record, 0, RecordType.BEGIN_REQUEST, id, 8, 0)
  record.writeUInt16BE(role, at)
  record[at + 2] = flags
  return record
}

/** Bytes of an END_REQUEST record. */
export const END_REQUEST_SIZE: number = RECORD_HEAD + 8

/** Writes END_REQUEST (§5.5) at `at`; returns where it ends. `appStatus` as of a process, 0 for well. */
export function writeEndRequest(
  into: Buffer,
  at: number,
  id: number,
  appStatus: number,
  protocolStatus: number,
): number {
  const to = writeRecordHead(into, at, RecordType.END_REQUEST, id, 8, 0)
  into.writeUInt32BE(appStatus, to)
  into.writeUInt32BE(protocolStatus * 0x1000000, to + 4)
  return to + 8
}

/** §4.2: the answer to a record about the connection that nobody knows. */
export function encodeUnknownType(type: number): Buffer {
  const record = Buffer.alloc(RECORD_HEAD + 8)
  const at = writeRecordHead(record, 0, RecordType.UNKNOWN_TYPE, 0, 8, 0)
  record[at] = type
  return record
}
