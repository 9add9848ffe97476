/** Asks the commons of a running site, over its socket. */
import { connect, type Socket } from 'node:net'
import { askAdmin } from '../supervisor/ask-admin.ts'
import { bytesOf, encodeCommand, Failure, Pairs, type Reply, textOf } from '../wire/resp.ts'
import { ReplyDecoder } from '../wire/resp-reply.ts'
import { findAdmin } from './admin-client.ts'

const LIMITS = { bulk: 512 * 1024 ** 2, values: 1_048_576 } as const

/** A refusal in the commons' own words, without the code that is for programs. */
class Refused extends Error {}

export class CommonsClient {
  readonly #socket: Socket
  readonly #asked: { resolve(reply: Reply): void; reject(error: Error): void }[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    const decoder = new ReplyDecoder(LIMITS)
    socket.on('data', (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; ) {
        at = decoder.decode(bytes, at, bytes.length)
        if (!decoder.done) continue
        const { reply } = decoder
        const asked = this.#asked.shift()
        if (!(reply instanceof Failure)) asked?.resolve(reply)
        else asked?.reject(new Refused(textOf(reply.text).replace(/^[A-Z]+ /, '')))
      }
    })
    const broke = (): void => {
      for (const { reject } of this.#asked.splice(0)) reject(new Error('the commons has ended'))
    }
    socket.on('error', broke)
    socket.on('close', broke)
  }

  /** Of the site that this process is a part of, or of the one that `target` and `admin` name. */
  static async of(target: string, admin: string | undefined): Promise<CommonsClient> {
    return CommonsClient.at(await commonsPath(target, admin))
  }

  static async at(path: string): Promise<CommonsClient> {
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (error) => reject(new Error(`the commons at ${path}: ${error.message}`)))
    })
    const client = new CommonsClient(socket)
    await client.ask('HELLO', '3')
    return client
  }

  /** Text in, text out; a map's values by their names. Rejects with what it was refused for. */
  async ask(...words: readonly (string | Uint8Array)[]): Promise<unknown> {
    const args = words.map((word) =>
      typeof word === 'string' ? bytesOf(word) : Buffer.from(word).toString('latin1'),
    )
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#asked.push({ resolve, reject })
      this.#socket.write(encodeCommand(args), 'latin1')
    })
    return plain(reply)
  }

  close(): void {
    this.#socket.destroy()
  }
}

async function commonsPath(target: string, admin: string | undefined): Promise<string> {
  const mine = process.env.PORTICO_COMMONS
  if (mine !== undefined && admin === undefined && target === '.') return mine
  const { body } = await askAdmin(await findAdmin(target, admin), 'GET', '/status')
  const { commonsSocket }: { commonsSocket: string } = JSON.parse(body)
  return commonsSocket
}

function plain(reply: Reply): unknown {
  if (typeof reply === 'string') return textOf(reply)
  if (reply instanceof Pairs) {
    const { items } = reply
    const names = items.filter((_, index) => index % 2 === 0)
    return Object.fromEntries(names.map((name, i) => [name, plain(items[2 * i + 1] ?? null)]))
  }
  return Array.isArray(reply) ? reply.map(plain) : reply
}
