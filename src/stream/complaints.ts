/** Lines for our log that anybody could fill a disk with: one a second, which tells how many were left out. */
import { clock } from '../request/clock.ts'

export class Complaints {
  readonly #tell: (message: string) => void
  #second = 0
  #untold = 0

  constructor(tell: (message: string) => void) {
    this.#tell = tell
  }

  say(message: string): void {
    if (this.#second === clock.second) {
      this.#untold++
      return
    }
    const more = this.#untold === 0 ? '' : ` (and ${this.#untold} more before that)`
    this.#second = clock.second
    this.#untold = 0
    this.#tell(`${message}${more}`)
  }
}
