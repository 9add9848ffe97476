/** Reads the records that answer a FastCGI request: a CGI answer in STDOUT, reports in STDERR. */
import { PorticoError } from '../../errors.ts'
import { ProtocolStatus, RecordType } from '../../wire/fastcgi.ts'
import { RecordReader, type RecordSink } from '../../wire/fastcgi-reader.ts'
import type { AnswerReader } from '../backend/answer.ts'
import { CgiAnswerDecoder, type CgiReceiver } from '../backend/cgi-answer.ts'
import type { Reports } from './reports.ts'

const MOST_IDS = 0xffff

export class FastcgiReader implements AnswerReader, RecordSink {
  /**
   * Of the request that is being answered. One at a time is on a connection, but each has another id: a
   * server that still speaks of the one before is not taken for one that answers the next visitor.
   */
  id = 0
  done = false
  /** Servers that were not asked to keep the connection close it, which shows. */
  readonly persistent = true
  readonly trailers = ''
  readonly #records: RecordReader = new RecordReader(this)
  readonly #answer: CgiAnswerDecoder
  readonly #reports: Reports
  #stdoutEnded = false

  constructor(receiver: CgiReceiver, reports: Reports) {
    this.#answer = new CgiAnswerDecoder(receiver)
    this.#reports = reports
  }

  /** The id for the next request. */
  next(): number {
    this.id = (this.id % MOST_IDS) + 1
    return this.id
  }

  expect(method: string): void {
    this.done = false
    this.#stdoutEnded = false
    this.#answer.expect(method)
  }

  decode(bytes: Buffer, length: number): number {
    try {
      return this.#records.read(bytes, 0, length)
    } catch (cause) {
      if (!(cause instanceof PorticoError) || cause.code !== 'BAD_PACKET') throw cause
      throw new PorticoError('BACKEND_LIED', cause.message, { cause })
    }
  }

  /** Only END_REQUEST ends an answer: without it nobody knows whether all has come. */
  finish(): boolean {
    return this.done
  }

  data(type: number, id: number, bytes: Buffer): boolean {
    this.#check(type, id)
    if (type === RecordType.STDERR) this.#reports.add(bytes)
    // What exceeds Content-Length, and the body of an answer to HEAD, has no reader.
    else if (!this.#answer.done) this.#answer.decode(bytes, bytes.length)
    return true
  }

  end(type: number, id: number): boolean {
    this.#check(type, id)
    if (type === RecordType.STDOUT) this.#stdoutEnded = true
    return true
  }

  record(type: number, id: number, content: Buffer): boolean {
    if (type !== RecordType.END_REQUEST || id !== this.id || content.length < 8) {
      throw new PorticoError('BACKEND_LIED', `record of type ${type} for request ${id}`)
    }
    this.#reports.end(content.readUInt32BE(0))
    const status = content[4]!
    if (status === ProtocolStatus.OVERLOADED || status === ProtocolStatus.CANT_MPX_CONN) {
      throw new PorticoError('NO_BACKEND', 'it is overloaded')
    }
    if (status !== ProtocolStatus.REQUEST_COMPLETE) {
      throw new PorticoError('BACKEND_LIED', `protocol status ${status}`)
    }
    if (!this.#answer.begun) throw new PorticoError('BACKEND_LIED', 'no answer')
    if (!this.#answer.finish()) throw new PorticoError('BACKEND_LIED', 'less than Content-Length')
    this.done = true
    return false
  }

  /** A stream that a responder may write, of the one request there is, before its end. */
  #check(type: number, id: number): void {
    const ours = type === RecordType.STDERR || (type === RecordType.STDOUT && !this.#stdoutEnded)
    if (!ours || id !== this.id) {
      throw new PorticoError('BACKEND_LIED', `stream ${type} of request ${id}`)
    }
  }
}
