/** A header block that comes in several frames (RFC 9113 §4.3), within bounds. */
import { Http2Code, Http2Fault } from '../../wire/http2.ts'

/** Compressed fields are rarely larger than uncompressed ones; what is no larger is judged as a head. */
const SLACK = 4
/** Frames of one block, however little is in them (CVE-2024-27316 and its like). */
const MOST_FRAMES = 64

export class HeadParts {
  readonly stream: number
  /** END_STREAM came with it. */
  readonly end: boolean
  /** Its stream depends on itself. */
  readonly itself: boolean
  readonly #most: number
  #parts: Buffer[] = []
  #size = 0

  /** `head`: the largest head that is taken, bytes. */
  constructor(stream: number, end: boolean, itself: boolean, head: number) {
    this.stream = stream
    this.end = end
    this.itself = itself
    this.#most = head * SLACK
  }

  /** Copies a part. Throws Http2Fault when it is too much. */
  add(bytes: Buffer, from: number, to: number): void {
    this.#size += to - from
    if (this.#size > this.#most || this.#parts.length >= MOST_FRAMES) {
      throw new Http2Fault(Http2Code.ENHANCE_YOUR_CALM, 'an endless header block')
    }
    this.#parts.push(Buffer.from(bytes.subarray(from, to)))
  }

  whole(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
