/** A connection to what the applications of a site share. Replies come in the order of the commands. */
import { connect, type Socket } from 'node:net'
import { bytesOf, encodeCommand, Failure, Push, type Reply, RespError } from '../wire/resp.ts'
import { ReplyDecoder } from '../wire/resp-reply.ts'

const VARIABLE = 'PORTICO_COMMONS'
/** Longest wait for a reply beside what a command itself waits, ms. */
export const TIMEOUT_MS = 5_000
/** That of applications: apart from that of Redis clients, who may flush theirs. */
const DATABASE = '15'
const LIMITS = { bulk: 512 * 1024 ** 2, values: 1_000_000 }

/** Portico cannot be reached just now, or does not run this program. */
export class Unavailable extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Unavailable'
  }
}

/** What was asked for cannot be; the message says why. */
export class Refused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Refused'
  }
}

/** Text in UTF-8, bytes, or a number. */
export type Value = string | Uint8Array | number

/** As the wire has it: one character a byte. */
export function asBytes(value: Value): string {
  if (typeof value === 'string') return bytesOf(value)
  if (typeof value === 'number') return String(value)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
}

interface Waiting {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout | undefined
}

export class Connection {
  readonly #socket: Socket
  readonly #decoder = new ReplyDecoder(LIMITS)
  readonly #waiting: Waiting[] = []
  /** Why nothing can be asked any more. */
  #trouble: Unavailable | null = null
  /** What was not asked for: a signal. */
  onPush: (items: readonly Reply[]) => void = () => {}
  onClose: () => void = () => {}

  constructor() {
    const path = process.env[VARIABLE]
    if (path === undefined || path === '') {
      throw new Unavailable(
        `what applications share is there only when Portico runs them: the environment has no ${VARIABLE}`,
      )
    }
    this.#socket = connect(path)
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('error', (error) =>
      this.#end(`Portico cannot be reached at ${path}: ${error.message}`),
    )
    this.#socket.on('close', () => this.#end('Portico closed the connection'))
    this.ask(['SELECT', DATABASE]).catch((error: Error) => this.#end(error.message))
  }

  get isOpen(): boolean {
    return this.#trouble === null
  }

  /** `args` are bytes. Rejects with Refused or Unavailable; `timeoutMs` 0: waits for ever. */
  ask(args: readonly string[], timeoutMs: number = TIMEOUT_MS): Promise<Reply> {
    if (this.#trouble !== null) return Promise.reject(this.#trouble)
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === 0
          ? undefined
          : setTimeout(() => this.#end('Portico does not answer in time'), timeoutMs)
      this.#waiting.push({ resolve, reject, timer })
      this.#hold()
      this.#socket.write(encodeCommand(args), 'latin1')
    })
  }

  /** Is not answered. */
  tell(args: readonly string[]): void {
    if (this.#trouble === null) this.#socket.write(encodeCommand(args), 'latin1')
  }

  close(): void {
    this.#end('closed')
  }

  #read(chunk: Buffer): void {
    try {
      for (let at = 0; at < chunk.length; ) {
        at = this.#decoder.decode(chunk, at, chunk.length)
        if (this.#decoder.done) this.#take(this.#decoder.reply)
      }
    } catch (error) {
      if (!(error instanceof RespError)) throw error
      this.#end(`Portico answers what is no reply: ${error.message}`)
    }
  }

  #take(reply: Reply): void {
    if (reply instanceof Push) return this.onPush(reply.items)
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return this.#end('Portico answers what nobody asked')
    clearTimeout(waiting.timer)
    this.#hold()
    if (reply instanceof Failure) waiting.reject(new Refused(reply.text))
    else waiting.resolve(reply)
  }

  /** A program may end while nothing is being waited for. */
  #hold(): void {
    if (this.#waiting.length > 0) this.#socket.ref()
    else this.#socket.unref()
  }

  #end(why: string): void {
    if (this.#trouble !== null) return
    this.#trouble = new Unavailable(why)
    this.#socket.destroy()
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      reject(this.#trouble)
    }
    this.onClose()
  }
}

let shared: Connection | null = null

/** The one for all that is answered at once. */
export function connection(): Connection {
  if (shared?.isOpen !== true) shared = new Connection()
  return shared
}

export function ask(...args: readonly string[]): Promise<Reply> {
  return connection().ask(args)
}

/** What may wait has a connection of its own, so that it holds up nobody. */
export async function askAlone(args: readonly string[], waitMs: number): Promise<Reply> {
  const own = new Connection()
  try {
    return await own.ask(args, waitMs === 0 ? 0 : waitMs + TIMEOUT_MS)
  } finally {
    own.close()
  }
}
