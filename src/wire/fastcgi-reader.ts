/**
 * Hot: takes FastCGI records apart, in whatever pieces they come. Streams are handed on as they come,
 * so that a large body is never gathered; other records whole.
 */
import { RECORD_HEAD, RecordType } from './fastcgi.ts'
import { Gather } from './gather.ts'
import { wrongProtocol } from './wrong-protocol.ts'

/** Receives records. Bytes are valid only during the call. False: stop behind this. */
export interface RecordSink {
  /** A whole record that is not part of a stream. */
  record(type: number, id: number, content: Buffer): boolean
  /** The next bytes of a stream: PARAMS, STDIN, STDOUT, STDERR or DATA. */
  data(type: number, id: number, bytes: Buffer): boolean
  /** A stream is complete. */
  end(type: number, id: number): boolean
}

const NOTHING = Buffer.alloc(0)

export class RecordReader {
  readonly #sink: RecordSink
  readonly #head: Buffer = Buffer.allocUnsafeSlow(RECORD_HEAD)
  #filled = 0
  #type = 0
  #id = 0
  #length = 0
  /** Content of the current record still to come, and the padding behind it. */
  #left = 0
  #padding = 0
  /** Of a record that is no part of a stream. */
  readonly #content = new Gather()

  constructor(sink: RecordSink) {
    this.#sink = sink
  }

  /** Everything that has come so far were complete records. */
  get between(): boolean {
    return this.#filled === 0 && this.#left === 0 && this.#padding === 0
  }

  /**
   * Takes `bytes[from, to)`; returns where it stopped: at `to`, or before where the sink said so.
   * Throws BAD_PACKET for what is no record.
   */
  read(bytes: Buffer, from: number, to: number): number {
    let at = from
    while (at < to) {
      if (this.#left > 0) {
        const end = Math.min(to, at + this.#left)
        const goOn = isStream(this.#type)
          ? this.#stream(bytes, at, end)
          : this.#gather(bytes, at, end)
        at = end
        if (!goOn) return this.#pad(at, to)
      } else if (this.#padding > 0) at = this.#pad(at, to)
      else if (this.#filled === 0 && to - at >= RECORD_HEAD) {
        this.#begin(bytes, at)
        at += RECORD_HEAD
        if (this.#left === 0 && !this.#empty()) return this.#pad(at, to)
      } else {
        this.#head[this.#filled++] = bytes[at++]!
        if (this.#filled < RECORD_HEAD) continue
        this.#filled = 0
        this.#begin(this.#head, 0)
        if (this.#left === 0 && !this.#empty()) return this.#pad(at, to)
      }
    }
    return at
  }

  #begin(head: Buffer, at: number): void {
    if (head[at] !== 1) throw wrongProtocol(head[at]!, 'FastCGI', `FastCGI version ${head[at]}`)
    this.#type = head[at + 1]!
    this.#id = (head[at + 2]! << 8) | head[at + 3]!
    this.#length = (head[at + 4]! << 8) | head[at + 5]!
    this.#left = this.#length
    this.#padding = head[at + 6]!
    if (!isStream(this.#type)) this.#content.expect(this.#length, true)
  }

  #empty(): boolean {
    return isStream(this.#type)
      ? this.#sink.end(this.#type, this.#id)
      : this.#sink.record(this.#type, this.#id, NOTHING)
  }

  #stream(bytes: Buffer, from: number, to: number): boolean {
    this.#left -= to - from
    return this.#sink.data(this.#type, this.#id, bytes.subarray(from, to))
  }

  #gather(bytes: Buffer, from: number, to: number): boolean {
    this.#left -= to - from
    this.#content.take(bytes, from, to)
    const { block } = this.#content
    return block === null || this.#sink.record(this.#type, this.#id, block)
  }

  #pad(at: number, to: number): number {
    const end = Math.min(to, at + this.#padding)
    // Padding stands behind all of the content.
    if (this.#left > 0) return at
    this.#padding -= end - at
    return end
  }
}

function isStream(type: number): boolean {
  return type >= RecordType.PARAMS && type <= RecordType.DATA
}
