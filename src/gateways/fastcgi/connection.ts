/** Hot: a FastCGI connection. Records of requests that are over, or were never taken, are read over. */
import { PorticoError } from '../../errors.ts'
import { type AnswerHead, COPIED } from '../../request/exchange.ts'
import { type CgiRequest, CgiRequestReader } from '../../wire/cgi-request.ts'
import {
  END_REQUEST_SIZE,
  encodeUnknownType,
  KEEP_CONN,
  MOST_CONTENT,
  ProtocolStatus,
  paddingOf,
  RECORD_HEAD,
  RecordType,
  Role,
  recordHead,
  writeEndRequest,
  writeRecordHead,
} from '../../wire/fastcgi.ts'
import { decodePairs, encodePairs } from '../../wire/fastcgi-params.ts'
import { RecordReader, type RecordSink } from '../../wire/fastcgi-reader.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import { FrontConnection } from '../front/connection.ts'
import { cgiHead } from '../front/encode.ts'
import type { FrontExchange } from '../front/exchange.ts'

const requests = new CgiRequestReader(decodePairs)
/** Fields of requests whose body is as long as its stream; shared by requests with the same block. */
const streamed = new WeakMap<RequestFields, RequestFields>()

const EMPTY = Buffer.alloc(0)
const PADDING = Buffer.alloc(8)
/** Of version 0: no record at all. */
const NO_RECORD = Buffer.alloc(RECORD_HEAD)
/** The empty record that ends STDOUT, and END_REQUEST. */
const TAIL = RECORD_HEAD + END_REQUEST_SIZE

export class FastcgiConnection extends FrontConnection implements RecordSink {
  readonly #reader: RecordReader = new RecordReader(this)
  /** Of the request in hand; 0: none. */
  #id = 0
  /** PARAMS so far; null once they are complete. */
  #params: Buffer[] | null = null
  #paramsSize = 0
  /** Complete but for whether it has a body: only the first record of STDIN tells. */
  #undecided: CgiRequest | null = null
  /** The end of STDIN has come. */
  #inputEnded = false
  /** Bytes of a body for which nobody was ready. */
  #held: Buffer | null = null

  protected take(bytes: Buffer, from: number, to: number): number {
    if (this.#held !== null && this.exchange?.receiving === true) {
      const held = this.#held
      this.#held = null
      this.exchange.feed(held, 0, held.length)
    }
    return from < to && this.#goOn() ? this.#reader.read(bytes, from, to) : from
  }

  /** Whether what comes next can be used now. */
  #goOn(): boolean {
    const { exchange } = this
    if (exchange === null) return true
    return !exchange.done && (exchange.receiving || exchange.bodyDone)
  }

  protected get heading(): boolean {
    return this.#id !== 0 || !this.#reader.between
  }

  // Records.

  record(type: number, id: number, content: Buffer): boolean {
    if (type === RecordType.BEGIN_REQUEST) this.#beginRequest(id, content)
    else if (type === RecordType.ABORT_REQUEST) return this.#abort(id)
    else if (type === RecordType.GET_VALUES && id === 0) this.#getValues(content)
    else if (id === 0) this.send(encodeUnknownType(type))
    return !this.closing && !this.full
  }

  data(type: number, id: number, bytes: Buffer): boolean {
    if (id !== this.#id || id === 0) return true
    if (type === RecordType.PARAMS) this.#param(bytes)
    else if (type === RecordType.STDIN) this.#stdin(bytes)
    return this.#goOn()
  }

  end(type: number, id: number): boolean {
    if (id !== this.#id || id === 0) return true
    if (type === RecordType.PARAMS) this.#paramsEnd()
    else if (type === RecordType.STDIN) this.#stdinEnd()
    return this.#goOn()
  }

  #beginRequest(id: number, content: Buffer): void {
    if (id === 0 || id === this.#id || content.length < 8) {
      throw new PorticoError('BAD_PACKET', 'FCGI_BEGIN_REQUEST')
    }
    // As FCGI_MPXS_CONNS says.
    if (this.#id !== 0) return this.#decline(id, ProtocolStatus.CANT_MPX_CONN)
    const keep = (content[2]! & KEEP_CONN) !== 0
    if (content.readUInt16BE(0) !== Role.RESPONDER) {
      this.#decline(id, ProtocolStatus.UNKNOWN_ROLE)
      if (!keep) this.close()
      return
    }
    this.#id = id
    this.keep = keep
    this.#params = []
    this.#paramsSize = 0
    this.#inputEnded = false
  }

  #decline(id: number, status: number): void {
    const record = Buffer.allocUnsafe(END_REQUEST_SIZE)
    writeEndRequest(record, 0, id, 0, status)
    this.send(record)
  }

  #abort(id: number): boolean {
    if (id !== this.#id || id === 0) return true
    const { exchange } = this
    if (exchange !== null) {
      // Its end is answered when it is settled.
      exchange.lost()
      return false
    }
    this.#decline(id, ProtocolStatus.REQUEST_COMPLETE)
    this.#forget()
    if (!this.keep) this.close()
    return this.keep
  }

  /** §4.1. */
  #getValues(content: Buffer): void {
    const connections = String(this.gateway.limits.connections)
    const values = new Map([
      ['FCGI_MAX_CONNS', connections],
      ['FCGI_MAX_REQS', connections],
      ['FCGI_MPXS_CONNS', '0'],
    ])
    const asked = decodePairs(content.toString('latin1'))
    const told: string[] = []
    for (const [name, value] of values) if (asked.includes(name)) told.push(name, value)
    const pairs = encodePairs(told)
    this.send(Buffer.concat([recordHead(RecordType.GET_VALUES_RESULT, 0, pairs.length, 0), pairs]))
  }

  #param(bytes: Buffer): void {
    if (this.#params === null) throw new PorticoError('BAD_PACKET', 'FCGI_PARAMS after their end')
    this.#paramsSize += bytes.length
    if (this.#paramsSize > this.gateway.limits.head) this.#params = []
    else this.#params.push(Buffer.from(bytes))
  }

  #paramsEnd(): void {
    const params = this.#params
    if (params === null) throw new PorticoError('BAD_PACKET', 'FCGI_PARAMS after their end')
    this.#params = null
    const { limits } = this.gateway
    if (this.#paramsSize > limits.head) {
      throw new PorticoError('TOO_LARGE_HEAD', `over ${limits.head} bytes of params`)
    }
    const block = params.length === 1 ? params[0]! : Buffer.concat(params)
    const request = requests.read(block.toString('latin1'), limits)
    if (request.fields.hasLength) this.begin(request)
    else this.#undecided = request
  }

  #stdin(bytes: Buffer): void {
    const undecided = this.#undecided
    if (undecided !== null) {
      this.#undecided = null
      this.#held = Buffer.from(bytes)
      this.begin({ ...undecided, fields: withStream(undecided.fields) })
      // Who wanted it at once has called for it, but we were busy with this record.
      if (this.exchange?.receiving === true) this.take(EMPTY, 0, 0)
      return
    }
    const { exchange } = this
    if (exchange === null) throw new PorticoError('BAD_PACKET', 'FCGI_STDIN before FCGI_PARAMS')
    // More than CONTENT_LENGTH says is nobody's.
    if (!exchange.bodyDone) exchange.feed(bytes, 0, bytes.length)
  }

  #stdinEnd(): void {
    this.#inputEnded = true
    const undecided = this.#undecided
    if (undecided !== null) {
      this.#undecided = null
      this.begin(undecided)
    } else if (this.exchange === null) {
      throw new PorticoError('BAD_PACKET', 'FCGI_STDIN before FCGI_PARAMS')
    } else this.exchange.bodyEnded()
  }

  // Answers.

  head(_: FrontExchange, head: AnswerHead, length: number): string {
    return cgiHead(head, length)
  }

  protected refusalHead(head: AnswerHead, length: number): string {
    return cgiHead(head, length)
  }

  emit(head: string, part: Uint8Array, owned: boolean, last: boolean): boolean {
    // What is no request has nobody to answer.
    if (this.#id === 0) return true
    return part.length > COPIED
      ? this.#emitLarge(head, part, owned, last)
      : this.#emitSmall(head, part, last)
  }

  /** One record, in one buffer with what ends the request. */
  #emitSmall(head: string, part: Uint8Array, last: boolean): boolean {
    const length = head.length + part.length
    // A head alone may be longer than a record.
    if (length > MOST_CONTENT) return this.#emitLarge(head, part, false, last)
    if (length === 0 && !last) return this.socket.writableLength === 0
    const padding = paddingOf(length)
    const size = length === 0 ? 0 : RECORD_HEAD + length + padding
    const bytes = Buffer.allocUnsafe(size + (last ? TAIL : 0))
    if (length > 0) {
      let at = writeRecordHead(bytes, 0, RecordType.STDOUT, this.#id, length, padding)
      at += bytes.write(head, at, head.length, 'latin1')
      bytes.set(part, at)
      bytes.fill(0, at + part.length, size)
    }
    if (last) this.#writeTail(bytes, size)
    return this.send(bytes)
  }

  #emitLarge(head: string, part: Uint8Array, owned: boolean, last: boolean): boolean {
    const pieces: Uint8Array[] = []
    if (head !== '') this.#records(Buffer.from(head, 'latin1'), pieces)
    this.#records(owned ? part : Buffer.from(part), pieces)
    if (last) {
      const tail = Buffer.allocUnsafe(TAIL)
      this.#writeTail(tail, 0)
      pieces.push(tail)
    }
    return this.sendAll(pieces)
  }

  /** Content as STDOUT records around views of it. */
  #records(content: Uint8Array, into: Uint8Array[]): void {
    for (let from = 0; from < content.length; from += MOST_CONTENT) {
      const part = content.subarray(from, from + MOST_CONTENT)
      const padding = paddingOf(part.length)
      into.push(recordHead(RecordType.STDOUT, this.#id, part.length, padding), part)
      if (padding > 0) into.push(PADDING.subarray(0, padding))
    }
  }

  #writeTail(into: Buffer, at: number): void {
    const to = writeRecordHead(into, at, RecordType.STDOUT, this.#id, 0, 0)
    writeEndRequest(into, to, this.#id, 0, ProtocolStatus.REQUEST_COMPLETE)
  }

  /** The kernel cannot put record heads into a file. */
  override sendFile(_: number, __: number, ___: number, done: (count: number) => void): void {
    done(-1)
  }

  /**
   * nginx takes the connection's end for the answer's, or waits for ever: it only tells its visitor of
   * what is broken when it is shown something that is no FastCGI.
   */
  override cut(): void {
    this.send(NO_RECORD)
    this.socket.destroySoon()
  }

  protected settle(exchange: FrontExchange): boolean {
    if (exchange.gone) this.#decline(this.#id, ProtocolStatus.REQUEST_COMPLETE)
    // What is still to come of its body is read over, as its id is nobody's then.
    exchange.bodyDone = true
    this.#forget()
    return this.#inputEnded
  }

  #forget(): void {
    this.#id = 0
    this.#params = null
    this.#undecided = null
    this.#held = null
  }
}

/** RFC 3875 has no requests without a length; nginx sends them with `fastcgi_request_buffering off`. */
function withStream(fields: RequestFields): RequestFields {
  const known = streamed.get(fields)
  if (known !== undefined) return known
  const chunked = { ...fields, chunked: true, encoded: null }
  streamed.set(fields, chunked)
  return chunked
}
