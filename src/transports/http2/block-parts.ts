/** A header block that comes in several frames (RFC 9113 §4.3), within bounds. */
import { FRAME_HEAD, Http2Code, Http2Fault } from '../../wire/http2.ts'
import { LONGEST_HEAD } from '../backend/answer.ts'

/** Compressed, with the heads of its frames, bytes. */
const MOST_BLOCK = LONGEST_HEAD * 2

export class BlockParts {
  readonly stream: number
  /** END_STREAM came with it. */
  readonly end: boolean
  readonly #parts: Buffer[] = []
  #size = 0

  constructor(stream: number, end: boolean) {
    this.stream = stream
    this.end = end
  }

  /** Copies a part. Throws Http2Fault when it is too much. */
  add(bytes: Buffer, from: number, to: number): void {
    this.#size += to - from + FRAME_HEAD
    if (this.#size > MOST_BLOCK) {
      throw new Http2Fault(Http2Code.ENHANCE_YOUR_CALM, 'an endless header block')
    }
    this.#parts.push(Buffer.from(bytes.subarray(from, to)))
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
