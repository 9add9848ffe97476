/**
 * A WebSocket between its visitor and the worker that has accepted it. States:
 *
 *     OFFERED ──accept──▶ OPEN ──close sent──▶ CLOSING ──theirs came, or waited enough──▶ ENDING ──▶ OVER
 *                         OPEN ──theirs came, answered; or they broke the protocol──────▶ ENDING
 *
 * The worker learns of the end when OPEN is left, and is free then; the closing handshake with the
 * visitor is ours alone.
 */
import type { Duplex } from 'node:stream'
import { clock, onTick } from '../../request/clock.ts'
import { INITIAL_GRANT, MAX_FRAME } from '../../wire/frames.ts'
import {
  CloseCode,
  closePayload,
  encodeFrame,
  mayBeSent,
  Opcode,
  WebSocketFault,
} from '../../wire/websocket.ts'
import { WebSocketDecoder, type WebSocketSink } from '../../wire/websocket-decoder.ts'
import { acceptKey } from '../../wire/websocket-handshake.ts'
import { acceptedFields } from './answer-fields.ts'
import { GRANT, type Job } from './job.ts'
import { Outbox } from './outbox.ts'

const State = { OFFERED: 0, OPEN: 1, CLOSING: 2, ENDING: 3, OVER: 4 } as const

/** A visitor that says nothing for so long is sent a ping, and has as long to answer it, ms. */
const SILENCE_MS = 20_000
/** How long a visitor may take for its part of a close, ms. */
const CLOSE_MS = 10_000
/**
 * Empty messages use up no window, so that a worker could be flooded with them: so many may come while
 * it grants nothing.
 */
const MOST_EMPTY = 65_536

const NOTHING = new Uint8Array(0)

/** An unfinished message of this size is nobody's fault, however many there are, bytes. */
const FAIR_SHARE = 65_536

/** What this thread keeps of unfinished messages, and how much it may be, bytes. */
export const unfinished: { bytes: number; readonly most: number } = {
  bytes: 0,
  most: 268_435_456,
}

/** All that are open in this thread. */
const open = new Set<Bridge>()
let stopTicking: (() => void) | null = null

function watch(bridge: Bridge): void {
  open.add(bridge)
  stopTicking ??= onTick((now) => {
    for (const one of open) one.check(now)
  })
}

function forget(bridge: Bridge): void {
  open.delete(bridge)
  if (open.size > 0) return
  stopTicking?.()
  stopTicking = null
}

export class Bridge implements WebSocketSink {
  readonly #job: Job
  readonly #key: string
  readonly #cost: number
  readonly #decoder = new WebSocketDecoder(this, { masked: true, most: MAX_FRAME })
  #state: number = State.OFFERED
  #visitor: Duplex | null = null

  /** Bytes of MESSAGE that the worker still takes. */
  #window = INITIAL_GRANT
  #empty = 0
  /** Read and not yet decoded: the worker is slower than the visitor. */
  #rest: Buffer | null = null
  #paused = false

  #outbox: Outbox | null = null
  /** What the visitor has taken, not yet granted back. */
  #granted = 0
  /** Bytes of an unfinished message. */
  #held = 0

  #heard = 0
  #pinged = false
  /** When waiting for the visitor's part of the close is over. */
  #deadline = Number.POSITIVE_INFINITY

  /** `key`: Sec-WebSocket-Key. `cost`: what a message of the worker counts beside its bytes. */
  constructor(job: Job, key: string, cost = 0) {
    this.#job = job
    this.#key = key
    this.#cost = cost
  }

  /** The worker has accepted it. */
  get open(): boolean {
    return this.#state !== State.OFFERED
  }

  // From the worker.

  /** `fields`: a block of what the application adds to the 101. */
  accept(fields: string): void {
    if (this.#state !== State.OFFERED) return
    this.#state = State.OPEN
    this.#heard = clock.now
    const own = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(this.#key)}\r\n`
    const visitor = this.#job.exchange.upgrade({
      status: 101,
      reason: '',
      fields: own + acceptedFields(fields),
      has: 0,
    })
    this.#visitor = visitor
    this.#outbox = new Outbox(visitor, this.#taken)
    watch(this)
    // The reason is of no use to anyone: 'close' follows.
    visitor.on('error', () => {})
    visitor.on('data', (bytes: Buffer) => this.#read(bytes))
    visitor.on('end', () => this.#visitorEnded())
    visitor.on('close', () => this.#lost())
  }

  send(text: boolean, payload: Uint8Array): void {
    if (this.#state !== State.OPEN) return
    const frame = encodeFrame(text ? Opcode.TEXT : Opcode.BINARY, payload)
    this.#outbox?.put(frame, payload.length + this.#cost)
  }

  shut(code: number, reason: string): void {
    const right = code === CloseCode.NONE || mayBeSent(code)
    this.#close(right ? code : CloseCode.INTERNAL, right ? reason : '')
  }

  /** It has sent END, or is lost; `failed` or not. */
  workerEnded(failed: boolean): void {
    this.#job.dropped = true
    this.#close(failed ? CloseCode.INTERNAL : CloseCode.NORMAL, '')
  }

  /** The server or the worker is to go: the visitor may come back at once. */
  retire(): void {
    this.#close(CloseCode.RESTART, '')
  }

  granted(bytes: number): void {
    this.#window += bytes
    this.#empty = 0
    this.pass()
  }

  /** Goes on after a grant, or when the link has room again. */
  pass(): void {
    if (!this.#paused || !this.#mayRead) return
    this.#paused = false
    this.#heard = clock.now
    const rest = this.#rest
    this.#rest = null
    if (rest !== null) this.#decode(rest)
    if (!this.#paused) this.#visitor?.resume()
  }

  // From the visitor.

  get #mayRead(): boolean {
    return this.#state !== State.OPEN || (this.#window > 0 && this.#job.link?.congested === false)
  }

  #read(bytes: Buffer): void {
    this.#heard = clock.now
    this.#pinged = false
    this.#decode(bytes)
  }

  #decode(bytes: Buffer): void {
    let at = 0
    try {
      while (at < bytes.length && this.#state < State.ENDING) {
        at = this.#decoder.decode(bytes, at, bytes.length)
        if (this.#decoder.held !== this.#held) this.#hold(this.#decoder.held)
        if (this.#mayRead) continue
        this.#paused = true
        this.#rest = at < bytes.length ? bytes.subarray(at) : null
        this.#visitor?.pause()
        return
      }
    } catch (error) {
      if (!(error instanceof WebSocketFault)) throw error
      this.#refuse(error.code, error.message)
    }
  }

  /** Visitors that never finish their large messages must not use up the memory together. */
  #hold(bytes: number): void {
    unfinished.bytes += bytes - this.#held
    this.#held = bytes
    if (bytes > FAIR_SHARE && unfinished.bytes > unfinished.most) {
      throw new WebSocketFault(CloseCode.TRY_LATER, 'too many large messages at once')
    }
  }

  message(text: boolean, payload: Buffer): boolean {
    if (this.#state !== State.OPEN) return true
    this.#window -= payload.length
    if (payload.length === 0 && ++this.#empty > MOST_EMPTY) {
      throw new WebSocketFault(CloseCode.POLICY, 'too many empty messages')
    }
    this.#job.link?.message(this.#job.id, text, payload)
    return this.#mayRead
  }

  ping(payload: Buffer): void {
    this.#outbox?.pong(payload)
  }

  pong(): void {}

  close(code: number, reason: string): void {
    this.#tell(code, reason)
    if (this.#state === State.OPEN) this.#putClose(code, '')
    this.#end()
  }

  /** The visitor has broken the protocol. */
  #refuse(code: number, reason: string): void {
    this.#tell(code, reason)
    if (this.#state === State.OPEN) this.#putClose(code, reason)
    this.#end()
  }

  /** It sends no more, and has not said goodbye unless we are ENDING. */
  #visitorEnded(): void {
    if (this.#state >= State.ENDING) return
    this.#tell(CloseCode.LOST, '')
    this.#end()
  }

  #lost(): void {
    if (this.#state === State.OVER) return
    this.#tell(CloseCode.LOST, '')
    this.#state = State.OVER
    this.#letGo()
    forget(this)
  }

  // The end.

  /** Our side begins the close. */
  #close(code: number, reason: string): void {
    if (this.#state !== State.OPEN) return
    this.#tell(code, reason)
    this.#state = State.CLOSING
    this.#deadline = clock.now + CLOSE_MS
    this.#putClose(code, reason)
    this.pass()
  }

  /** The worker is told once. */
  #tell(code: number, reason: string): void {
    const job = this.#job
    if (job.dropped) return
    job.dropped = true
    job.link?.webSocketClosed(job.id, code, reason)
  }

  #putClose(code: number, reason: string): void {
    this.#outbox?.put(encodeFrame(Opcode.CLOSE, closePayload(code, reason)), 0)
  }

  /** RFC 6455 §7.1.1: the server closes the connection first, behind the last frame. */
  #end(): void {
    if (this.#state >= State.ENDING) return
    this.#state = State.ENDING
    this.#deadline = clock.now + CLOSE_MS
    this.#paused = false
    this.#letGo()
    this.#visitor?.resume()
    this.#outbox?.end()
  }

  /** Nothing is decoded any more. */
  #letGo(): void {
    this.#rest = null
    this.#decoder.stop()
    unfinished.bytes -= this.#held
    this.#held = 0
  }

  /** Called at every tick of the clock. */
  check(now: number): void {
    if (now >= this.#deadline) return void this.#visitor?.destroy()
    // While it is we who do not read, nobody else can be heard.
    if (this.#state !== State.OPEN || this.#paused || now - this.#heard < SILENCE_MS) return
    this.#heard = now
    if (!this.#pinged) {
      this.#pinged = true
      return this.#outbox?.put(encodeFrame(Opcode.PING, NOTHING), 0)
    }
    this.#refuse(CloseCode.INTERNAL, 'no answer to a ping')
  }

  /** The visitor's socket has taken so many bytes of SEND. */
  readonly #taken = (bytes: number): void => {
    this.#granted += bytes
    if (this.#granted < GRANT) return
    this.#job.link?.grant(this.#job.id, this.#granted)
    this.#granted = 0
  }
}
