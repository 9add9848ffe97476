/**
 * Load that counts: every request sent must be answered. Some visitors keep their connection, others
 * open one for each request. A request is lost when its connection ends, or cannot be made, before the
 * whole answer came.
 */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoadOptions {
  /** Visitors that keep their connection as long as the server lets them. */
  readonly kept: number
  /** Visitors that open a connection for each request. */
  readonly fresh: number
  /** The `n`th request, whole; a GET of `/` by default. */
  readonly request?: (n: number) => string
  /** Told of each answer. */
  readonly answered?: (n: number, status: number, body: string) => void
  /** Between an answer and the next request of the same visitor, ms; at once by default. */
  readonly pauseMs?: number
}

export interface Result {
  readonly sent: number
  readonly answered: number
  readonly statuses: Readonly<Record<number, number>>
  /** What became of each request that has no answer. */
  readonly lost: readonly string[]
  readonly connections: number
  /** Longest wait for an answer, ms. */
  readonly slowestMs: number
}

const PLAIN = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
/** What is still unanswered so long after the load has stopped is lost, ms. */
const LAST_ANSWERS_MS = 10_000

export class Load {
  readonly #where: NetConnectOpts
  readonly #options: LoadOptions
  readonly #visitors: Promise<void>[]
  readonly #statuses: Record<number, number> = {}
  readonly #lost: string[] = []
  readonly #open = new Set<Socket>()
  #sent = 0
  #answered = 0
  #connections = 0
  #slowestMs = 0
  #stopping = false

  /** On a port of this machine, or on a unix socket. */
  constructor(where: number | string, options: LoadOptions) {
    this.#where =
      typeof where === 'string'
        ? { path: where }
        : { host: '127.0.0.1', port: where, noDelay: true }
    this.#options = options
    this.#visitors = [
      ...Array.from({ length: options.kept }, () => this.#visit(true)),
      ...Array.from({ length: options.fresh }, () => this.#visit(false)),
    ]
  }

  /** Answers so far. */
  get answered(): number {
    return this.#answered
  }

  /** Sends no more, waits for the last answers. */
  async stop(): Promise<Result> {
    this.#stopping = true
    const timer = setTimeout(() => {
      for (const socket of this.#open) socket.destroy(new Error('no answer'))
    }, LAST_ANSWERS_MS)
    await Promise.all(this.#visitors)
    clearTimeout(timer)
    return {
      sent: this.#sent,
      answered: this.#answered,
      statuses: this.#statuses,
      lost: this.#lost,
      connections: this.#connections,
      slowestMs: this.#slowestMs,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    for (const socket of this.#open) socket.destroy()
    await Promise.all(this.#visitors)
  }

  async #visit(keeps: boolean): Promise<void> {
    const { pauseMs = 0 } = this.#options
    while (!this.#stopping) {
      await this.#connection(keeps)
      if (pauseMs > 0 && !this.#stopping) await sleep(pauseMs)
    }
  }

  #connection(keeps: boolean): Promise<void> {
    const { request = () => PLAIN, answered, pauseMs = 0 } = this.#options
    return new Promise((resolve) => {
      const socket = connect(this.#where)
      this.#open.add(socket)
      this.#connections++
      let received = ''
      let number = -1
      let since = 0
      let why = 'closed'
      let connected = false
      let first = true
      const next = (): void => {
        if (this.#stopping && number < 0) return void socket.destroy()
        number = this.#sent++
        since = performance.now()
        socket.write(request(number), 'latin1')
      }
      socket.setEncoding('latin1')
      socket.on('connect', () => {
        connected = true
        next()
      })
      socket.on('data', (text: string) => {
        received += text
        const answer = wholeAnswer(received)
        if (answer === null) return
        received = received.slice(answer.length)
        if (number < 0 || received !== '') {
          this.#lost.push(`an answer to nothing: ${answer.text.slice(0, 60)}`)
          return void socket.destroy()
        }
        this.#answered++
        this.#statuses[answer.status] = (this.#statuses[answer.status] ?? 0) + 1
        this.#slowestMs = Math.max(this.#slowestMs, performance.now() - since)
        answered?.(number, answer.status, answer.body)
        number = -1
        first = false
        if (!keeps || answer.close || this.#stopping) socket.destroy()
        else if (pauseMs === 0) next()
        else setTimeout(() => (socket.destroyed ? undefined : next()), pauseMs)
      })
      socket.on('error', (error: NodeJS.ErrnoException) => {
        why = error.code ?? error.message
      })
      socket.on('close', () => {
        this.#open.delete(socket)
        if (number >= 0) {
          const part = JSON.stringify(received.slice(0, 60))
          this.#lost.push(`${why} after ${part}${first ? ' on a new connection' : ''}`)
        } else if (!connected) this.#lost.push(`${why} before it was connected`)
        resolve()
      })
    })
  }
}

interface Answer {
  readonly status: number
  readonly close: boolean
  readonly body: string
  readonly text: string
  readonly length: number
}

/** An answer with Content-Length at the beginning of `text`, or null while it is not complete. */
function wholeAnswer(text: string): Answer | null {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return null
  const head = text.slice(0, end + 2)
  const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1])
  if (Number.isNaN(length)) throw new Error(`the load needs Content-Length: ${head}`)
  if (text.length < end + 4 + length) return null
  return {
    status: Number(head.slice(9, 12)),
    close: /\r\nconnection: *close\r\n/i.test(head),
    body: text.slice(end + 4, end + 4 + length),
    text,
    length: end + 4 + length,
  }
}
