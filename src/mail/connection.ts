/**
 * One visitor's mail connection, through its life: it says who it is; somebody is asked whether it may log
 * in, and where to; we log in there for it; from then on bytes go both ways, and nobody here reads them.
 */
import { randomBytes } from 'node:crypto'
import { PorticoError } from '../errors.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { type Dial, type DialedStream, type Dialer, dial } from '../listen/dial.ts'
import { clock, TICK_MS } from '../request/clock.ts'
import type { Peer } from '../request/exchange.ts'
import type { MailPlan, MailScheme } from '../site/stream-plan.ts'
import { type Relay, Side } from '../stream/side.ts'
import { MailLines } from '../wire/mail-lines.ts'
import { writeProxyHeader } from '../wire/proxy-protocol-writer.ts'
import type { AuthHttp, Verdict } from './auth-http.ts'
import type { Front, FrontOptions, LoginAsked, Step } from './front.ts'
import { ImapFront } from './imap-front.ts'
import { ImapLogin } from './imap-login.ts'
import type { Login, LoginOptions, LoginStep } from './login.ts'
import { Pop3Front } from './pop3-front.ts'
import { Pop3Login } from './pop3-login.ts'
import { SmtpFront } from './smtp-front.ts'
import { SmtpLogin } from './smtp-login.ts'

export type MailEnd =
  | 'done'
  | 'client-reset'
  | 'server-reset'
  | 'client-idle'
  | 'server-idle'
  /** It left before it had logged in. */
  | 'client-left'
  /** It was too slow to log in. */
  | 'slow'
  /** What it said was nothing we could understand. */
  | 'unknown'
  /** It may not log in. */
  | 'denied'
  /** Whoever is to say so, or the server, could not be reached or made no sense. */
  | 'unreachable'
  | 'stopped'

export interface MailHost {
  readonly protocol: MailScheme
  readonly plan: MailPlan
  readonly serverName: string
  readonly auth: AuthHttp
  /** Begins TLS on it; null: there are no certificates. */
  readonly secure: ((connection: MailConnection, stream: ByteStream) => Connection) | null
  count(received: number, sent: number): void
  over(connection: MailConnection, end: MailEnd): void
  complain(message: string): void
}

/** RFC 4954 §4: 12288 bytes of base64; a literal in IMAP is shorter. */
const LONGEST_LINE = 12_290
/** RFC 5321 §4.5.3.1.5 and more: what servers say before a login is for us alone. */
const LONGEST_REPLY = 8_192
/** What a visitor may say ahead of us, bytes. */
const MOST_AHEAD = 65_536
/** Of what a visitor was told and has not taken, bytes: beyond it is not heard, or its answers would fill memory. */
const MOST_OWED = 65_536
/** Lines that are no commands until the connection is closed. */
const MOST_ERRORS = 10

const NEVER = Number.POSITIVE_INFINITY

type Phase = 'talk' | 'secure' | 'ask' | 'rest' | 'connect' | 'login' | 'relay' | 'leave'

/** A connection that may be another's: until STARTTLS ours, then the handshake's. */
class Entry implements Connection {
  to: Connection
  readonly #lost: () => void

  /** `lost`: nothing is left of the connection. */
  constructor(to: Connection, lost: () => void) {
    this.to = to
    this.#lost = lost
  }

  read(bytes: Buffer, length: number): boolean {
    return this.to.read(bytes, length)
  }

  ended(): void {
    this.to.ended()
  }

  closed(): void {
    this.to.closed()
    this.#lost()
  }

  drained(): void {
    this.to.drained()
  }
}

export class MailConnection implements Relay, Dialer {
  place = 0
  readonly began: number = performance.now()
  peer: Peer
  visitor: Side
  /** What the stream of the visitor tells what becomes of it. */
  readonly entry: Entry
  /** Who has logged in, or wanted to; '' before. */
  user = ''
  serverIs = ''
  readonly #host: MailHost
  #front: Front
  #isSecure: boolean
  readonly #lines = new MailLines(LONGEST_LINE)
  readonly #replies = new MailLines(LONGEST_REPLY)
  #phase: Phase = 'talk'
  #errors = 0
  #attempt = 0
  #asked: LoginAsked | null = null
  #verdict: Extract<Verdict, { yes: true }> | null = null
  /** What the visitor is told when it has waited. */
  #waiting: (() => void) | null = null
  #cancel: (() => void) | null = null
  #dial: Dial | null = null
  #login: Login | null = null
  #server: Side | null = null
  #deadline: number
  #end: MailEnd | null = null
  /** Bytes that went before TLS, or that are ours. */
  #before = { received: 0, sent: 0 }
  #counted = { received: 0, sent: 0 }
  #isOver = false
  /** It takes no answers, and is not heard until it does. */
  #deaf = false
  #silent = false

  constructor(stream: ByteStream, peer: Peer, host: MailHost) {
    this.#host = host
    this.peer = peer
    this.#isSecure = peer.tls !== undefined
    this.#front = this.#newFront()
    this.visitor = new Side(stream, this)
    this.entry = new Entry(this.visitor, () => this.#lost())
    this.#deadline = this.#later(host.plan.loginTimeoutMs)
    if (peer.tls === undefined) this.#greet()
    // Not in the middle of the handshake.
    else process.nextTick(() => this.#greet())
  }

  /** Within the handshake: nobody else hears of it. */
  #lost(): void {
    if (this.#phase !== 'secure') return
    this.#end ??= 'client-left'
    this.#over()
  }

  #greet(): void {
    if (this.visitor.stream.destroyed) return
    const { tls } = this.peer
    const objection = tls?.objection(tls.seen.serverName) ?? null
    if (objection === null) return this.#say(this.#front.greeting)
    this.#complain(objection.message)
    this.#leave('unknown', this.#front.broken())
  }

  #newFront(): Front {
    const { protocol, plan, serverName, secure } = this.#host
    const options: FrontOptions = {
      serverName,
      methods: plan.methods,
      capabilities: plan.capabilities,
      salt: `<${randomBytes(12).toString('hex')}.${Math.floor(Date.now() / 1000)}@${serverName}>`,
      offersTls: secure !== null && !this.#isSecure,
      needsTls: plan.needsTls && !this.#isSecure,
    }
    if (protocol === 'imap') return new ImapFront(options)
    return protocol === 'pop3' ? new Pop3Front(options) : new SmtpFront(options)
  }

  get received(): number {
    return this.#before.received + this.visitor.said
  }

  get sent(): number {
    return this.#before.sent + (this.#server?.said ?? 0)
  }

  // The visitor, until it has logged in.

  early(bytes: Buffer, length: number): boolean {
    if (this.#phase === 'leave') return false
    this.#lines.push(bytes.subarray(0, length))
    if (this.#phase === 'talk') this.#hear()
    this.#deaf = this.visitor.stream.writableLength > MOST_OWED
    if (this.#deaf) return false
    // While we are busy with its login, it waits.
    return this.#phase === 'talk' || this.#lines.length < MOST_AHEAD
  }

  #hear(): void {
    while (this.#phase === 'talk') {
      const { wants } = this.#front
      let text: string | null
      try {
        text = wants > 0 ? this.#lines.literal(wants) : this.#lines.line()
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error
        this.#complain(error.message)
        return this.#leave('unknown', this.#front.broken())
      }
      if (text === null) return
      this.#deadline = this.#later(this.#host.plan.loginTimeoutMs)
      this.#follow(this.#front.hear(text, this.#lines.empty))
    }
  }

  /** Where it has taken what it was told. */
  #hearAgain(): void {
    const { stream } = this.visitor
    if (!this.#deaf || stream.writableLength > MOST_OWED) return
    this.#deaf = false
    stream.resume()
  }

  #follow(step: Step): void {
    switch (step.do) {
      case 'say':
        if (step.wrong === true && ++this.#errors > MOST_ERRORS)
          return this.#leave('unknown', step.text)
        return this.#say(step.text)
      case 'bye':
        return this.#leave('client-left', step.text)
      case 'secure':
        return this.#secure(step.text)
      case 'login':
        this.#asked = step.asked
        this.user = step.asked.credentials.user
        this.#attempt++
        return this.#ask()
    }
  }

  #secure(text: string): void {
    const { secure } = this.#host
    const { visitor } = this
    this.#say(text)
    this.#phase = 'secure'
    this.#deadline = NEVER
    this.#before.received += visitor.said
    visitor.said = 0
    this.entry.to = secure!(this, visitor.stream)
    visitor.stream.resume()
  }

  /** The connection goes on within TLS: all that was said before counts for nothing. */
  secured(stream: ByteStream, peer: Peer): Connection {
    this.peer = peer
    this.#isSecure = true
    this.visitor = new Side(stream, this)
    this.#front = this.#newFront()
    this.#phase = 'talk'
    this.#deadline = this.#later(this.#host.plan.loginTimeoutMs)
    const objection = peer.tls?.objection(peer.tls.seen.serverName) ?? null
    if (objection !== null) process.nextTick(() => this.#leave('unknown', this.#front.broken()))
    return this.visitor
  }

  // Whether it may.

  #ask(): void {
    this.#phase = 'ask'
    this.#deadline = NEVER
    const { auth, protocol } = this.#host
    this.#cancel = auth.ask(
      {
        protocol,
        asked: this.#asked!,
        attempt: this.#attempt,
        address: this.peer.address,
        tls: this.peer.tls ?? null,
      },
      (verdict) => {
        this.#cancel = null
        if (!this.#isOver) this.#judged(verdict)
      },
    )
  }

  #judged(verdict: Verdict | Error): void {
    if (verdict instanceof Error) return this.#fail(`auth: ${verdict.message}`)
    if (verdict.yes === null) return this.#rest(verdict.waitMs, () => this.#ask())
    if (verdict.yes) return this.#connect(verdict)
    const text = this.#front.refused(verdict.message, verdict.code)
    const { attempts } = this.#host.plan
    const last = verdict.waitMs === 0 || (attempts > 0 && this.#attempt >= attempts)
    this.#rest(verdict.waitMs, () => {
      if (last) return this.#leave('denied', text)
      this.#say(text)
      this.#phase = 'talk'
      this.#deadline = this.#later(this.#host.plan.loginTimeoutMs)
      this.visitor.stream.resume()
      this.#hear()
    })
  }

  #rest(ms: number, then: () => void): void {
    if (ms === 0) return then()
    this.#phase = 'rest'
    this.#waiting = then
    this.#deadline = this.#later(ms)
  }

  /** Something of ours, or behind us, does not work. */
  #fail(reason: string, text: string = this.#front.broken()): void {
    this.#complain(reason)
    this.#closeServer()
    this.#leave('unreachable', text)
  }

  // The server.

  #connect(verdict: Extract<Verdict, { yes: true }>): void {
    const { address } = verdict
    this.#verdict = verdict
    this.user = verdict.user
    this.serverIs = address.kind === 'tcp' ? `${address.host}:${address.port}` : address.path
    this.#phase = 'connect'
    this.#deadline = this.#later(this.#host.plan.connectTimeoutMs)
    this.#dial = dial(address, this)
  }

  refused(reason: string): void {
    this.#dial = null
    if (!this.#isOver) this.#fail(`${this.serverIs}: ${reason}`)
  }

  connected(stream: DialedStream): void {
    this.#dial = null
    this.#phase = 'login'
    this.#deadline = this.#later(this.#host.plan.loginTimeoutMs)
    const { proxyProtocol } = this.#host.plan
    const server = new Side(stream, {
      ...this.#asRelay(),
      early: (bytes, length) => this.#reply(bytes, length),
    })
    this.#server = server
    this.#login = this.#newLogin()
    if (proxyProtocol !== undefined) stream.write(writeProxyHeader(proxyProtocol, this.#whoItIs()))
    stream.start(server)
  }

  #asRelay(): Relay {
    return {
      early: () => false,
      ended: (side) => this.ended(side),
      closed: (side) => this.closed(side),
    }
  }

  #newLogin(): Login {
    const { protocol, plan, serverName } = this.#host
    const { user, password } = this.#verdict!
    const options: LoginOptions = {
      asked: this.#asked!,
      user,
      password,
      serverName,
      xclient: plan.xclient,
      smtpAuth: plan.smtpAuth,
      address: this.peer.address,
    }
    if (protocol === 'imap') return new ImapLogin(options)
    return protocol === 'pop3' ? new Pop3Login(options) : new SmtpLogin(options)
  }

  #whoItIs(): Parameters<typeof writeProxyHeader>[1] {
    const { address, port, localAddress, localPort } = this.peer
    return address === '' ? null : { address, port, localAddress, localPort, tls: this.#isSecure }
  }

  #reply(bytes: Buffer, length: number): boolean {
    if (this.#phase !== 'login') return false
    this.#replies.push(bytes.subarray(0, length))
    while (this.#phase === 'login') {
      let line: string | null
      try {
        line = this.#replies.line()
      } catch (error) {
        if (!(error instanceof PorticoError)) throw error
        this.#fail(`${this.serverIs}: ${error.message}`)
        return false
      }
      if (line === null) return true
      this.#goOn(this.#login!.hear(line))
    }
    return this.#phase === 'relay'
  }

  #goOn(step: LoginStep): void {
    switch (step.do) {
      case 'wait':
        return
      case 'say':
        // Said before it was asked: whatever it answers then would be taken for the answer to something else.
        if (!this.#replies.empty) return this.#fail(`${this.serverIs}: speaks out of turn`)
        this.#deadline = this.#later(this.#host.plan.loginTimeoutMs)
        return this.#server!.stream.write(Buffer.from(step.text, 'latin1'))
      case 'failed':
        return this.#fail(`${this.serverIs}: ${step.reason}`, step.text)
      case 'done':
        return this.#relay(step.text)
    }
  }

  #relay(text: string): void {
    const { visitor } = this
    const server = this.#server!
    this.#phase = 'relay'
    this.#deadline = NEVER
    this.#verdict = null
    this.#asked = null
    this.#login = null
    this.#say(text)
    visitor.stream.write(this.#replies.rest())
    server.stream.write(this.#lines.rest())
    visitor.other = server
    server.other = visitor
    if (visitor.stream.writableLength > 0) visitor.behind = true
    if (server.stream.writableLength > 0) server.behind = true
    else visitor.stream.resume()
    if (this.#silent) server.stream.end()
  }

  #closeServer(): void {
    this.#cancel?.()
    this.#dial?.cancel()
    this.#dial = null
    this.#server?.stream.destroy()
  }

  // Ends.

  #say(text: string): void {
    if (text === '') return
    const bytes = Buffer.from(text, 'latin1')
    this.#before.sent += bytes.length
    this.visitor.stream.write(bytes)
  }

  #leave(end: MailEnd, text: string): void {
    this.#end ??= end
    this.#phase = 'leave'
    this.#deadline = this.#later(this.#host.plan.loginTimeoutMs)
    this.#say(text)
    this.visitor.stream.destroySoon()
  }

  ended(side: Side): void {
    if (side.other !== null) return side.other.stream.end()
    if (side !== this.visitor) {
      if (this.#phase === 'login') this.#fail(`${this.serverIs}: closed before the login`)
      return
    }
    this.#silent = true
    if (this.#phase === 'talk') this.visitor.stream.destroy()
  }

  closed(side: Side): void {
    if (side === this.#server) {
      if (this.#phase === 'login')
        return this.#fail(`${this.serverIs}: ${side.stream.trouble || 'closed'}`)
      if (this.#phase === 'relay') this.#pass(side, this.visitor, 'server-reset')
    } else if (side === this.visitor) {
      if (this.#phase === 'relay') this.#pass(side, this.#server!, 'client-reset')
      else {
        this.#end ??= 'client-left'
        this.#closeServer()
      }
    }
    if (this.visitor.gone && (this.#server === null || this.#server.gone)) this.#over()
  }

  #pass(from: Side, to: Side, end: MailEnd): void {
    if (from.stream.trouble === '' && from.silent) return
    this.#end ??= end
    to.breaks(from)
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#tally()
    this.#host.over(this, this.#end ?? 'done')
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    this.#tally()
    if (now > this.#deadline) return this.#late()
    if (this.#phase === 'talk') return this.#hearAgain()
    if (this.#phase !== 'relay') return
    const idleMs = this.#host.plan.idleMs + TICK_MS
    const server = this.#server!
    if (now - this.visitor.moved > idleMs && !server.behind) this.#cut('client-idle')
    else if (now - server.moved > idleMs && !this.visitor.behind) this.#cut('server-idle')
  }

  #late(): void {
    const waiting = this.#waiting
    if (this.#phase === 'rest' && waiting !== null) {
      this.#waiting = null
      return waiting()
    }
    if (this.#phase === 'connect' || this.#phase === 'login')
      return this.#fail(`${this.serverIs}: no answer in time`)
    this.#cut('slow')
  }

  #cut(end: MailEnd): void {
    this.#end ??= end
    this.#phase = 'leave'
    this.visitor.stream.destroy()
    this.#closeServer()
  }

  stop(): void {
    this.#cut('stopped')
  }

  #complain(what: string): void {
    this.#host.complain(`${this.peer.address}: ${what}`)
  }

  #later(ms: number): number {
    return clock.now + ms + TICK_MS
  }

  #tally(): void {
    const { received, sent } = this
    const counted = this.#counted
    if (received === counted.received && sent === counted.sent) return
    this.#host.count(received - counted.received, sent - counted.sent)
    this.#counted = { received, sent }
  }
}
