/** A file that visitors get as a page, read again when it changes. What cannot be read any more stays as it was. */
import { readFileSync, statSync } from 'node:fs'
import { mediaType } from '../handlers/files/media-types.ts'
import { clock } from '../request/clock.ts'

/** How often a file is looked at, ms. */
const LOOK_AGAIN_MS = 1000
/** Larger ones are no pages, bytes. */
const LARGEST = 4_194_304

export interface Page {
  readonly type: string
  readonly body: Buffer
}

export class PageFile {
  readonly #file: string
  readonly #complain: (message: string) => void
  #page: Page
  #looked: number
  #seen: string

  /** Throws where the file cannot be used; later changes that cannot are told to `complain`. */
  constructor(file: string, complain: (message: string) => void) {
    this.#file = file
    this.#complain = complain
    this.#looked = clock.now
    this.#seen = this.#mark()
    try {
      this.#page = this.#read()
    } catch (cause) {
      throw new Error(`the page ${file} cannot be used: ${reason(cause)}`, { cause })
    }
  }

  /** The same object until the file changes. */
  get page(): Page {
    if (clock.now - this.#looked >= LOOK_AGAIN_MS) this.#look()
    return this.#page
  }

  #look(): void {
    this.#looked = clock.now
    const mark = this.#mark()
    if (mark === this.#seen) return
    this.#seen = mark
    try {
      this.#page = this.#read()
    } catch (cause) {
      this.#complain(`the page ${this.#file}: ${reason(cause)}; what it was before is still shown`)
    }
  }

  #read(): Page {
    if (statSync(this.#file).size > LARGEST) throw new Error(`larger than ${LARGEST} bytes`)
    const type = mediaType(Buffer.from(this.#file).toString('latin1'))
    return { type, body: readFileSync(this.#file) }
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
