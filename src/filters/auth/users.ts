/** Who has which hash: of the site file, or of a file that is read again when it has changed. */
import { readFileSync, statSync } from 'node:fs'
import { clock } from '../../request/clock.ts'
import type { AuthPlan } from '../../site/filters-plan.ts'
import { parseHtpasswd } from './htpasswd.ts'

/** How often a file is looked at, ms. */
const LOOK_AGAIN_MS = 1000

export class Users {
  #hashes: ReadonlyMap<string, string>
  readonly #file: string
  readonly #complain: (message: string) => void
  #looked = 0
  #seen = ''

  /** Throws where the file cannot be used; later changes that cannot are told to `complain`. */
  constructor({ file, users }: AuthPlan, complain: (message: string) => void) {
    this.#file = file
    this.#complain = complain
    this.#looked = clock.now
    if (file === '') {
      const entries = Object.entries(users)
      this.#hashes = new Map(
        entries.map(([name, hash]) => [Buffer.from(name).toString('latin1'), hash]),
      )
    } else {
      this.#seen = this.#mark()
      try {
        this.#hashes = this.#read()
      } catch (cause) {
        throw new Error(`auth: ${file} cannot be used: ${reason(cause)}`, { cause })
      }
    }
  }

  hash(name: string): string | undefined {
    if (this.#file !== '' && clock.now - this.#looked >= LOOK_AGAIN_MS) this.#look()
    return this.#hashes.get(name)
  }

  /** Any hash: what a name that is not there is tried against, so that it takes as long. */
  get decoy(): string {
    return this.#hashes.values().next().value ?? '{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA='
  }

  #look(): void {
    this.#looked = clock.now
    const mark = this.#mark()
    if (mark === this.#seen) return
    this.#seen = mark
    try {
      this.#hashes = this.#read()
    } catch (cause) {
      this.#complain(`auth: ${this.#file}: ${reason(cause)}; what it held before is still in use`)
    }
  }

  #read(): Map<string, string> {
    return parseHtpasswd(readFileSync(this.#file, 'latin1'))
  }

  #mark(): string {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(this.#file)
      return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
    } catch {
      return 'gone'
    }
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
