/** A visitor who speaks a protocol of lines. */
import type { Visitor } from './visitor.ts'

export class Talk {
  readonly visitor: Visitor
  #held = ''

  constructor(visitor: Visitor) {
    this.visitor = visitor
  }

  /** Lines up to the one that `last` matches, or to the end. */
  async until(last: RegExp): Promise<string[]> {
    const lines: string[] = []
    for (;;) {
      const end = this.#held.indexOf('\r\n')
      if (end < 0) {
        const more = await this.visitor.read()
        if (more === null) return lines
        this.#held += more.toString('latin1')
        continue
      }
      const line = this.#held.slice(0, end)
      this.#held = this.#held.slice(end + 2)
      lines.push(line)
      if (last.test(line)) return lines
    }
  }

  async line(): Promise<string> {
    return (await this.until(/^/))[0] ?? ''
  }

  /** Says a line, and hears one. */
  async say(line: string): Promise<string> {
    this.visitor.send(`${line}\r\n`)
    return this.line()
  }

  /** Says a line, and hears all until the one that `last` matches. */
  async ask(line: string, last: RegExp): Promise<string[]> {
    this.visitor.send(`${line}\r\n`)
    return this.until(last)
  }
}

export function base64(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64')
}
