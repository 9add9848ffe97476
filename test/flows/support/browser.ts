/** A browser, as far as cookies and forms go. */
import { type Ask, type Reply, Visitor } from './visitor.ts'

export class Browser implements Disposable {
  readonly #port: number
  /** As the visitor calls the site. */
  readonly host: string
  #visitor: Visitor | null = null
  readonly #cookies = new Map<string, string>()

  constructor(port: number, host: string = `127.0.0.1:${port}`) {
    this.#port = port
    this.host = host
  }

  /** A path, or a whole URL of the site. */
  async get(url: string, ask: Ask = {}): Promise<Reply> {
    const path = url.replace(`http://${this.host}`, '')
    const Cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    this.#visitor ??= await Visitor.to(this.#port)
    const fields = { Host: this.host, ...ask.fields, Cookie }
    const reply = await this.#visitor.ask(path, { ...ask, fields })
    if (reply.fields.connection === 'close') this[Symbol.dispose]()
    for (const line of reply.fields['set-cookie']?.split('\n') ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      this.#cookies.set(name, value)
    }
    return reply
  }

  /** Sends a form. */
  post(url: string, form: Readonly<Record<string, string>>): Promise<Reply> {
    return this.get(url, {
      method: 'POST',
      fields: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    })
  }

  /** Sends a form with one file in it. */
  upload(
    url: string,
    form: Readonly<Record<string, string>>,
    file: { readonly field: string; readonly name: string; readonly type: string },
    content: Uint8Array,
  ): Promise<Reply> {
    const edge = 'portico-flow-edge'
    const part = (disposition: string, head: string): string =>
      `--${edge}\r\nContent-Disposition: form-data; ${disposition}\r\n${head}\r\n`
    const texts = Object.entries(form).map(
      ([key, value]) => `${part(`name="${key}"`, '')}${value}\r\n`,
    )
    const head = part(
      `name="${file.field}"; filename="${file.name}"`,
      `Content-Type: ${file.type}\r\n`,
    )
    return this.get(url, {
      method: 'POST',
      fields: { 'Content-Type': `multipart/form-data; boundary=${edge}` },
      body: Buffer.concat([
        Buffer.from(texts.join('') + head),
        content,
        Buffer.from(`\r\n--${edge}--\r\n`),
      ]),
    })
  }

  [Symbol.dispose](): void {
    this.#visitor?.leave()
    this.#visitor = null
  }
}
