/**
 * One connection to a Redis, kept for as long as the engine lives: commands go out in one write a turn and
 * are answered in order. What a broken connection leaves unanswered fails with LOST: it may have run.
 *
 *     connecting ──hello──► open ──► broken ──┐
 *         ▲                                   │ with back-off, for as long as it takes
 *         └───────────────────────────────────┘
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { encodeCommand, Failure, Push, type Reply, RespError } from '../../wire/resp.ts'
import { ReplyDecoder } from '../../wire/resp-reply.ts'
import { retryDelay } from '../backoff.ts'
import { JobError } from '../engine.ts'
import type { RedisAddress } from './address.ts'

/** No answer for so long: it hangs, ms. */
const ANSWER_MS = 10_000
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2_000
const LIMITS = { bulk: 512 * 1024 ** 2, values: 1_048_576 } as const

/** The connection broke after the command was sent. */
export class LostError extends JobError {
  constructor(where: string) {
    super('UNAVAILABLE', `the connection to ${where} broke`)
  }
}

interface Asked {
  readonly args: readonly string[]
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

export interface RedisEvents {
  /** Connected: says what else has to be said first. Rejecting breaks the connection. */
  opened(ask: (args: readonly string[]) => Promise<Reply>): Promise<void>
  published(channel: string, message: string): void
  warn(message: string): void
}

export class RedisConnection {
  readonly #address: RedisAddress
  readonly #events: RedisEvents
  #socket: Socket | null = null
  /** Sent, not answered. */
  #asked: Asked[] = []
  #out = ''
  #open = false
  #closed = false
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #silence: NodeJS.Timeout | undefined
  #waiting: (() => void)[] = []

  constructor(address: RedisAddress, events: RedisEvents) {
    this.#address = address
    this.#events = events
    this.#connect()
  }

  /** Resolves when it is open, or after `ms`: then false. */
  ready(ms: number): Promise<boolean> {
    if (this.#open || this.#closed) return Promise.resolve(this.#open)
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting = this.#waiting.filter((one) => one !== done)
        resolve(this.#open)
      }
      const timer = setTimeout(done, ms)
      this.#waiting.push(done)
    })
  }

  /** Rejects with a LostError, or with a JobError that says what Redis refused. */
  async ask(args: readonly string[]): Promise<Reply> {
    if (!this.#open) throw new LostError(this.#address.shown)
    return this.#send(args)
  }

  #send(args: readonly string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ args, resolve, reject })
      if (this.#out === '') setImmediate(() => this.#flush())
      this.#out += encodeCommand(args)
      this.#silence ??= setTimeout(() => this.#socket?.destroy(new Error('no answer')), ANSWER_MS)
    })
  }

  #flush(): void {
    const out = this.#out
    this.#out = ''
    if (this.#socket?.writable) this.#socket.write(out, 'latin1')
  }

  #connect(): void {
    const { host, port, tls } = this.#address
    const socket = tls ? connectTls({ host, port, servername: host }) : connectPlain({ host, port })
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 10_000)
    const decoder = new ReplyDecoder(LIMITS)
    socket.once(tls ? 'secureConnect' : 'connect', () => void this.#hello(socket))
    socket.on('data', (bytes: Buffer) => this.#read(socket, decoder, bytes))
    socket.on('error', (error) => this.#broke(socket, error.message))
    socket.on('close', () => this.#broke(socket, 'it closed the connection'))
    this.#silence = setTimeout(() => socket.destroy(new Error('no answer')), ANSWER_MS)
  }

  async #hello(socket: Socket): Promise<void> {
    const { user, password, database } = this.#address
    const auth = password === '' ? [] : ['AUTH', user === '' ? 'default' : user, password]
    const ask = (args: readonly string[]): Promise<Reply> => this.#send(args)
    try {
      await ask(['HELLO', '3', ...auth])
      if (database !== 0) await ask(['SELECT', String(database)])
      await this.#events.opened(ask)
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
      return
    }
    if (this.#socket !== socket || socket.destroyed) return
    if (this.#failures > 0) this.#events.warn(`${this.#address.shown} is back`)
    this.#failures = 0
    this.#open = true
    for (const done of [...this.#waiting]) done()
  }

  #read(socket: Socket, decoder: ReplyDecoder, bytes: Buffer): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
    try {
      for (let at = 0; at < bytes.length; ) {
        at = decoder.decode(bytes, at, bytes.length)
        if (decoder.done) this.#received(decoder.reply)
      }
    } catch (error) {
      socket.destroy(error instanceof RespError ? error : new Error(String(error)))
      return
    }
    if (this.#asked.length > 0) {
      this.#silence = setTimeout(() => socket.destroy(new Error('no answer')), ANSWER_MS)
    }
  }

  #received(reply: Reply): void {
    if (reply instanceof Push) {
      const [kind, channel, message] = reply.items
      if (kind === 'message') this.#events.published(String(channel), String(message))
      else if (kind === 'subscribe') this.#asked.shift()?.resolve(null)
      return
    }
    const asked = this.#asked.shift()
    if (reply instanceof Failure) asked?.reject(refused(this.#address.shown, reply.text))
    else asked?.resolve(reply)
  }

  #broke(socket: Socket, why: string): void {
    if (this.#socket !== socket) return
    this.#socket = null
    this.#open = false
    this.#out = ''
    clearTimeout(this.#silence)
    this.#silence = undefined
    socket.destroy()
    for (const { reject } of this.#asked.splice(0)) reject(new LostError(this.#address.shown))
    if (this.#closed) return
    this.#failures += 1
    if (this.#failures === 1) this.#events.warn(`${this.#address.shown}: ${why}; trying again`)
    const wait = retryDelay(this.#failures, FIRST_WAIT_MS, LONGEST_WAIT_MS, Math.random())
    this.#timer = setTimeout(() => this.#connect(), wait)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#silence)
    for (const done of [...this.#waiting]) done()
    const socket = this.#socket
    this.#socket = null
    this.#open = false
    for (const { reject } of this.#asked.splice(0)) reject(new LostError(this.#address.shown))
    socket?.destroy()
  }
}

/** Redis's refusals in the owner's words. */
function refused(where: string, text: string): JobError {
  const [word = ''] = text.split(' ')
  if (word === 'OOM' || word === 'MISCONF') return new JobError('FULL', `${where} is full: ${text}`)
  if (['LOADING', 'BUSY', 'READONLY', 'MASTERDOWN', 'CLUSTERDOWN'].includes(word)) {
    return new JobError('UNAVAILABLE', `${where}: ${text}`)
  }
  return new JobError('BROKEN', `${where}: ${text}`)
}
