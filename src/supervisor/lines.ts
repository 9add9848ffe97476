/** Cuts a stream of bytes into lines of bounded length. */
import { StringDecoder } from 'node:string_decoder'

/** Feed it chunks; it calls `line` for each line. */
export class LineReader {
  readonly #longest: number
  readonly #line: (text: string) => void
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  constructor(longest: number, line: (text: string) => void) {
    this.#longest = longest
    this.#line = line
  }

  /** Lines of more than `longest` characters arrive in pieces of that length. */
  feed(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#emit(line)
    while (this.#rest.length > this.#longest) {
      this.#line(this.#rest.slice(0, this.#longest))
      this.#rest = this.#rest.slice(this.#longest)
    }
  }

  /** The stream has ended: a last line without its newline counts. */
  end(): void {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    if (rest !== '') this.#emit(rest)
  }

  #emit(line: string): void {
    for (let at = 0; at === 0 || at < line.length; at += this.#longest) {
      this.#line(line.slice(at, at + this.#longest).replace(/\r$/, ''))
    }
  }
}
