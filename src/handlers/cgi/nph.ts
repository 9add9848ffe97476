/**
 * The output of programs that answer in HTTP themselves (RFC 3875 §5): decoded as any server's answer
 * and framed anew, so that what follows on the visitor's connection is never theirs to say.
 */
import { PorticoError } from '../../errors.ts'
import type { AnswerReceiver, ReceivedHead } from '../../transports/backend/answer.ts'
import type { CgiReceiver } from '../../transports/backend/cgi-answer.ts'
import { HeadBytes } from '../../transports/backend/head-bytes.ts'
import { AnswerDecoder } from '../../transports/http1/answer-decoder.ts'
import { cgiHeadEnd } from '../../wire/cgi-answer.ts'

const NAME = 'nph-'
const LINE_END = /\r?\n/g

/** Whether the program with this path does so. */
export function isNph(file: string): boolean {
  return file.startsWith(NAME, file.lastIndexOf('/') + 1)
}

export interface NphReceiver extends CgiReceiver {
  interim(answer: ReceivedHead): void
}

export class NphDecoder implements AnswerReceiver {
  readonly #receiver: NphReceiver
  readonly #decoder: AnswerDecoder = new AnswerDecoder(this)
  readonly #headBytes = new HeadBytes(cgiHeadEnd)
  /** The final head has come. */
  #begun = false

  constructor(receiver: NphReceiver) {
    this.#receiver = receiver
  }

  get done(): boolean {
    return this.#decoder.done
  }

  expect(method: string): void {
    this.#decoder.expect(method)
  }

  /** Shell scripts end their lines in LF; from a program that we run ourselves that is no smuggling. */
  decode(bytes: Buffer, length: number): number {
    let at = 0
    while (!this.#begun) {
      if (at === length) return at
      at = this.#headBytes.take(bytes, at, length)
      const { text } = this.#headBytes
      if (text === '') return at
      this.#headBytes.reset()
      const head = Buffer.from(text.replace(LINE_END, '\r\n'), 'latin1')
      this.#decoder.decode(head, head.length)
    }
    if (this.done || at === length) return at
    const rest = bytes.subarray(at, length)
    return at + this.#decoder.decode(rest, rest.length)
  }

  finish(): boolean {
    return this.#decoder.finish()
  }

  interim(answer: ReceivedHead): void {
    this.#receiver.interim(answer)
  }

  head(answer: ReceivedHead): void {
    if (answer.head.status === 101) {
      throw new PorticoError('BACKEND_LIED', 'a protocol that was not asked for')
    }
    this.#begun = true
    this.#receiver.head({ ...answer, named: true, location: '', local: false })
  }

  body(view: Uint8Array): void {
    this.#receiver.body(view)
  }
}
