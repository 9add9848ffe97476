/**
 * What a visitor may do without a purpose. Frames that cost us something and bring nothing are counted
 * against those that do, and forgotten with time: pings, settings, priorities, empty frames, window
 * updates by the byte, requests that are taken back at once (CVE-2023-44487).
 */
import { Http2Code, Http2Fault } from '../../wire/http2.ts'

/** Frames of no use at once, and how many of them are forgotten at each tick of the clock. */
const MOST_IDLE = 4_000
const IDLE_FORGOTTEN = 250
/** Requests taken back before they were answered, at once and at each tick. A page that is left is some 100. */
const MOST_RESETS = 500
const RESETS_FORGOTTEN = 12

export class Calm {
  #idle = 0
  #resets = 0

  /** A frame of no use. Throws Http2Fault. */
  idle(cost = 1): void {
    this.#idle += cost
    if (this.#idle > MOST_IDLE)
      throw new Http2Fault(Http2Code.ENHANCE_YOUR_CALM, 'too many idle frames')
  }

  /** Something of use: it pays for some that are not. */
  useful(gain: number): void {
    this.#idle = this.#idle > gain ? this.#idle - gain : 0
  }

  /** A request was taken back, or was refused. Throws Http2Fault. */
  reset(): void {
    if (++this.#resets > MOST_RESETS) {
      throw new Http2Fault(Http2Code.ENHANCE_YOUR_CALM, 'too many requests taken back')
    }
  }

  /** At each tick of the clock. */
  tick(): void {
    this.useful(IDLE_FORGOTTEN)
    this.#resets = Math.max(0, this.#resets - RESETS_FORGOTTEN)
  }
}
