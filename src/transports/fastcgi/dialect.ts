/** FastCGI as spoken to a server: this side says what is asked, the reader hears what is answered. */
import type { Exchange } from '../../request/exchange.ts'
import {
  encodeBeginRequest,
  encodeStream,
  KEEP_CONN,
  RECORD_HEAD,
  RecordType,
  Role,
  recordHead,
  streamSize,
  writeRecordHead,
  writeStream,
} from '../../wire/fastcgi.ts'
import { encodePairs } from '../../wire/fastcgi-params.ts'
import type { AnswerReceiver } from '../backend/answer.ts'
import type { Dialect } from '../backend/dialect.ts'
import { contentLength, type Describe } from '../variables.ts'
import { FastcgiReader } from './reader.ts'
import { Reports } from './reports.ts'

export class FastcgiDialect implements Dialect {
  readonly reader: FastcgiReader
  readonly #describe: Describe
  readonly #flags: number
  readonly #reports: Reports

  constructor(
    receiver: AnswerReceiver,
    describe: Describe,
    keep: boolean,
    log: (line: string) => void,
  ) {
    this.#describe = describe
    this.#flags = keep ? KEEP_CONN : 0
    this.#reports = new Reports(log)
    this.reader = new FastcgiReader(receiver, this.#reports)
  }

  get farewell(): Uint8Array {
    return recordHead(RecordType.ABORT_REQUEST, this.reader.id, 0, 0)
  }

  begin(exchange: Exchange): Uint8Array {
    const { line, fields } = exchange
    this.#reports.about(line)
    const id = this.reader.next()
    const told = ['CONTENT_LENGTH', contentLength(fields), ...this.#describe(exchange)]
    const pairs = encodePairs(told)
    const hasBody = fields.chunked || fields.contentLength > 0
    const begin = encodeBeginRequest(id, Role.RESPONDER, this.#flags)
    const size = begin.length + streamSize(pairs.length) + (hasBody ? 1 : 2) * RECORD_HEAD
    const bytes = Buffer.allocUnsafe(size)
    bytes.set(begin)
    let at = writeStream(bytes, begin.length, RecordType.PARAMS, id, pairs)
    at = writeRecordHead(bytes, at, RecordType.PARAMS, id, 0, 0)
    if (!hasBody) writeRecordHead(bytes, at, RecordType.STDIN, id, 0, 0)
    return bytes
  }

  part(chunk: Uint8Array): Uint8Array {
    return encodeStream(RecordType.STDIN, this.reader.id, chunk)
  }

  end(): Uint8Array {
    return recordHead(RecordType.STDIN, this.reader.id, 0, 0)
  }
}
