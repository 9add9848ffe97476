/** One conversation with a server over a connection of its own: bounded, ended by a signal, then gone. */
import { connect, type Socket } from 'node:net'
import { type Peer, Unwell } from './check.ts'

/** What a server may say in one conversation, bytes. */
const MOST = 65_536

/** Takes from what has come what it waits for; null: there has to come more. */
type Take<T> = (came: Buffer) => { readonly value: T; readonly used: number } | null

export class Talk {
  readonly #socket: Socket
  #came: Buffer = Buffer.alloc(0)
  #seen = 0
  #over: Error | null = null
  #look: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#seen += chunk.length
      this.#came = this.#came.length === 0 ? chunk : Buffer.concat([this.#came, chunk])
      // Whoever waits for it has said how much it may be; the rest is nobody's.
      if (this.#seen > MOST) socket.pause()
      this.#look()
    })
    socket.on('end', () => this.#end(new Unwell('closed the connection')))
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Unwell('closed the connection')))
  }

  #end(why: Error): void {
    this.#over ??= why
    this.#look()
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** The next so many bytes. */
  bytes(count: number): Promise<Buffer> {
    return this.take((came) =>
      came.length < count ? null : { value: came.subarray(0, count), used: count },
    )
  }

  /** The next line, as latin-1 and without its end. */
  line(): Promise<string> {
    return this.take((came) => {
      const end = came.indexOf(0x0a)
      if (end < 0) return null
      const text = came.toString('latin1', 0, end)
      return { value: text.endsWith('\r') ? text.slice(0, -1) : text, used: end + 1 }
    })
  }

  take<T>(take: Take<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        try {
          const taken = take(this.#came)
          if (taken !== null) {
            this.#came = this.#came.subarray(taken.used)
            this.#look = () => {}
            resolve(taken.value)
          } else if (this.#seen > MOST) reject(new Unwell('said too much'))
          else if (this.#over !== null) reject(this.#over)
        } catch (error) {
          reject(error)
        }
      }
      this.#look()
    })
  }
}

/** A connection to it, which is being made. */
export function dial({ address, first }: Peer): Socket {
  const socket = connect(address.kind === 'unix' ? { path: address.path } : { ...address })
  if (first !== null) socket.write(first)
  return socket
}

/** Connects, converses, and closes, however it ends. Rejects with the signal's reason when it is aborted. */
export async function talk<T>(
  peer: Peer,
  signal: AbortSignal,
  converse: (talk: Talk) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const socket = dial(peer)
  let abort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort)
  })
  try {
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const conversation = connected.then(() => converse(new Talk(socket)))
    return await Promise.race([conversation, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}
