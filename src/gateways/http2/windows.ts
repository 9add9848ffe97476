/** Flow control of a whole connection (RFC 9113 §5.2): what we may send, and what its visitor may. */
import { DEFAULT_WINDOW, Http2Code, Http2Fault, MOST_WINDOW } from '../../wire/http2.ts'

/** What a visitor may send while bodies are read, bytes. */
const READ_WINDOW = 1_048_576

export class Windows {
  /** Bytes of DATA that we may send. */
  send: number = DEFAULT_WINDOW
  /** And of a new stream, as the visitor has it. */
  initial: number = DEFAULT_WINDOW
  #receive = DEFAULT_WINDOW
  #taken = 0
  #target = DEFAULT_WINDOW

  /** The visitor may send nothing more for now. */
  get full(): boolean {
    return this.#receive <= 0
  }

  /** The visitor takes so much more. Throws Http2Fault. */
  widen(increment: number): void {
    this.send += increment
    if (this.send > MOST_WINDOW) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large')
    }
  }

  /** So much has come. Throws Http2Fault for what is more than was allowed. */
  receive(bytes: number): void {
    this.#receive -= bytes
    if (this.#receive < 0) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'more than the window')
    }
  }

  /** So much is off our hands. Returns what the visitor is to be told that it may send again; 0: nothing yet. */
  credit(bytes: number): number {
    this.#taken += bytes
    if (this.#taken * 2 < this.#target) return 0
    const told = this.#taken
    this.#receive += told
    this.#taken = 0
    return told
  }

  /** Bodies are read: not this window is to be what limits them. */
  enlarge(): void {
    this.#taken += READ_WINDOW - this.#target
    this.#target = READ_WINDOW
  }
}
