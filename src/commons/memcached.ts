/** One client that speaks memcached's text protocol. It sees the strings of database 0. */
import type { ByteStream } from '../listen/byte-stream.ts'
import { type MemcachedCommand, MemcachedDecoder, MemcachedError } from '../wire/memcached.ts'
import { ClientStream } from './client-stream.ts'
import type { Commons } from './commons.ts'
import { run } from './memcached-commands.ts'

/** A page that a browser shows may send requests here, with commands in them: their first line gives it away. */
const HTTP: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS'])

export class MemcachedConnection extends ClientStream {
  protected readonly isWaiting = false
  readonly #decoder: MemcachedDecoder

  constructor(stream: ByteStream, commons: Commons) {
    super(stream, commons)
    this.#decoder = new MemcachedDecoder(commons.limits.item)
  }

  protected override step(bytes: Buffer, at: number, to: number): number {
    const end = this.#decoder.decode(bytes, at, to)
    const { command } = this.#decoder
    if (command === null) return -1
    this.count()
    this.#run(command)
    // Nobody keeps it: it may be large.
    this.#decoder.command = null
    return end
  }

  #run(command: MemcachedCommand): void {
    const { words } = command
    if (words.length === 0) {
      this.out += 'ERROR\r\n'
      return
    }
    if (words[0] === 'quit' || HTTP.has(words[0]!)) return this.close()
    this.commons.commands++
    const reply = run(this.commons, command)
    if (words.at(-1) !== 'noreply') this.out += reply
  }

  protected override get holding(): number {
    return this.#decoder.pending
  }

  protected override failure(error: unknown): string {
    if (error instanceof MemcachedError) return `CLIENT_ERROR ${error.message}\r\n`
    this.commons.complain(error)
    return 'SERVER_ERROR internal error; see the log of the site\r\n'
  }

  protected override left(): void {}
}
