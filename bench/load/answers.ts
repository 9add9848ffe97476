/** Reads answers to GET off a connection, one after another: just enough HTTP to count them. */

export interface Answer {
  readonly status: number
  /** The server will close the connection after this one. */
  readonly closes: boolean
}

export class AnswerReader {
  #text = ''

  /** True when part of an answer has been read. */
  get midway(): boolean {
    return this.#text.length > 0
  }

  /** The next whole answer, or undefined when more bytes are needed. */
  read(chunk: string): Answer | undefined {
    this.#text += chunk
    const headEnd = this.#text.indexOf('\r\n\r\n')
    if (headEnd < 0) return undefined
    const head = this.#text.slice(0, headEnd)
    const bodyEnd = endOfBody(this.#text, head, headEnd + 4)
    if (bodyEnd < 0 || this.#text.length < bodyEnd) return undefined
    this.#text = this.#text.slice(bodyEnd)
    return { status: Number(head.slice(9, 12)), closes: /^connection: *close/im.test(head) }
  }
}

/** Where the body ends, or -1 while that is not known. */
function endOfBody(text: string, head: string, start: number): number {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (length !== undefined) return start + Number(length)
  if (!/^transfer-encoding: *chunked/im.test(head)) return start
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return -1
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (Number.isNaN(size)) throw new Error(`not a chunk size: ${text.slice(at, lineEnd)}`)
    at = lineEnd + 2 + size + 2
    if (size === 0) return at
  }
}
