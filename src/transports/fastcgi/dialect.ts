/** FastCGI as spoken to a server: this side says what is asked, the reader hears what is answered. */
import type { Exchange } from '../../request/exchange.ts'
import {
  encodeBeginRequest,
  encodeStream,
  KEEP_CONN,
  RecordType,
  Role,
  recordHead,
  streamSize,
  writeStream,
} from '../../wire/fastcgi.ts'
import { encodePairs } from '../../wire/fastcgi-params.ts'
import type { AnswerReceiver } from '../backend/answer.ts'
import type { Dialect } from '../backend/dialect.ts'
import { contentLength, type Describe } from '../variables.ts'
import { FastcgiReader, REQUEST_ID } from './reader.ts'
import { Reports } from './reports.ts'

const BEGIN_ONCE = encodeBeginRequest(REQUEST_ID, Role.RESPONDER, 0)
const BEGIN_KEPT = encodeBeginRequest(REQUEST_ID, Role.RESPONDER, KEEP_CONN)
const PARAMS_END = recordHead(RecordType.PARAMS, REQUEST_ID, 0, 0)
const STDIN_END = recordHead(RecordType.STDIN, REQUEST_ID, 0, 0)
const ABORT = recordHead(RecordType.ABORT_REQUEST, REQUEST_ID, 0, 0)

export class FastcgiDialect implements Dialect {
  readonly reader: FastcgiReader
  readonly farewell: Uint8Array = ABORT
  readonly #describe: Describe
  readonly #begin: Buffer
  readonly #reports: Reports

  constructor(
    receiver: AnswerReceiver,
    describe: Describe,
    keep: boolean,
    log: (line: string) => void,
  ) {
    this.#describe = describe
    this.#begin = keep ? BEGIN_KEPT : BEGIN_ONCE
    this.#reports = new Reports(log)
    this.reader = new FastcgiReader(receiver, this.#reports)
  }

  begin(exchange: Exchange): Uint8Array {
    const { line, fields } = exchange
    this.#reports.about(line)
    const pairs = encodePairs([
      'CONTENT_LENGTH',
      contentLength(fields),
      ...this.#describe(exchange),
    ])
    const hasBody = fields.chunked || fields.contentLength > 0
    const begin = this.#begin
    const bytes = Buffer.allocUnsafe(
      begin.length +
        streamSize(pairs.length) +
        PARAMS_END.length +
        (hasBody ? 0 : STDIN_END.length),
    )
    bytes.set(begin)
    const at = writeStream(bytes, begin.length, RecordType.PARAMS, REQUEST_ID, pairs)
    bytes.set(PARAMS_END, at)
    if (!hasBody) bytes.set(STDIN_END, at + PARAMS_END.length)
    return bytes
  }

  part(chunk: Uint8Array): Uint8Array {
    return encodeStream(RecordType.STDIN, REQUEST_ID, chunk)
  }

  end(): Uint8Array {
    return STDIN_END
  }
}
