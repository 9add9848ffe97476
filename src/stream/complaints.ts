/** Lines for our log that anybody could fill a disk with: one a second, which tells how many were left out. */
import { clock } from '../request/clock.ts'

export class Complaints {
  readonly #tell: (message: string) => void
  #second = 0
  #untold = 0
  #last = ''

  constructor(tell: (message: string) => void) {
    this.#tell = tell
  }

  say(message: string): void {
    if (this.#second === clock.second) {
      this.#untold++
      this.#last = message
      return
    }
    this.tick()
    this.#second = clock.second
    this.#tell(message)
  }

  /** Called at each tick of the clock: says the last of those that had to wait. */
  tick(): void {
    if (this.#untold === 0 || this.#second === clock.second) return
    const more = this.#untold === 1 ? '' : ` (and ${this.#untold - 1} more before it)`
    this.#untold = 0
    this.#second = clock.second
    this.#tell(`${this.#last}${more}`)
  }
}
