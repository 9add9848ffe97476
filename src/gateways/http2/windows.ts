/** Flow control of a whole connection (RFC 9113 §5.2): what we may send, and what its visitor may. */
import { DEFAULT_WINDOW, Http2Code, Http2Fault, MOST_WINDOW } from '../../wire/http2.ts'
import { giveBack, reserve } from './wider.ts'

/** A body that is read fast, bytes: more than one has at first, or uploads would wait for us. */
export const READ_WINDOW = 262_144
/** What a visitor may send of all of them together, bytes. */
const MOST_READ = 1_048_576

export class Windows {
  /** Bytes of DATA that we may send. */
  send: number = DEFAULT_WINDOW
  /** And of a new stream, as the visitor has it. */
  initial: number = DEFAULT_WINDOW
  #receive = DEFAULT_WINDOW
  #taken = 0
  /** What the visitor may still send, what it has sent and is not told of, and what waits: never more. */
  #limit = DEFAULT_WINDOW
  /** What that is to be: less when bodies are over, and told to nobody, since no window can be taken back. */
  #target = DEFAULT_WINDOW
  /** Bodies that have a window of their own here. */
  #wide = 0

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
    if (this.#limit > this.#target) this.#shrink()
    return this.#taken * 2 < this.#target ? 0 : this.#tell()
  }

  #tell(): number {
    const told = this.#taken
    this.#receive += told
    this.#taken = 0
    return told
  }

  /**
   * One more body is read fast: not this window is to be what limits it. Returns as `credit`; -1: the
   * thread has no room.
   */
  enlarge(): number {
    const target = targetOf(this.#wide + 1)
    const more = target - this.#limit
    if (more > 0) {
      if (!reserve(more)) return -1
      this.#limit = target
      this.#taken += more
    }
    this.#target = target
    this.#wide++
    return this.#tell()
  }

  /** One of these bodies is over. */
  reduce(): void {
    this.#wide--
    this.#target = targetOf(this.#wide)
    this.#shrink()
  }

  /** As much of the window as we have at hand is given back. */
  #shrink(): void {
    const less = Math.min(this.#limit - this.#target, this.#taken)
    if (less <= 0) return
    this.#limit -= less
    this.#taken -= less
    giveBack(less)
  }

  /** The connection is gone, and with it whatever its visitor might have sent. */
  drop(): void {
    giveBack(this.#limit - DEFAULT_WINDOW)
    this.#limit = DEFAULT_WINDOW
    this.#target = DEFAULT_WINDOW
    this.#taken = 0
    this.#receive = 0
  }
}

/** Beside bodies that are read fast there is room for others, as long as they are few. */
function targetOf(wide: number): number {
  return Math.min(MOST_READ, DEFAULT_WINDOW + wide * READ_WINDOW)
}
