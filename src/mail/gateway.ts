/** The connections of one imap, pop3 or smtp listener in one server thread. */
import { hostname } from 'node:os'
import type { Gateway } from '../gateways/gateway.ts'
import { SocketPeer } from '../gateways/peer.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { onTick } from '../request/clock.ts'
import type { Counters } from '../request/counters.ts'
import type { Peer } from '../request/exchange.ts'
import type { MailPlan, MailScheme } from '../site/stream-plan.ts'
import { Complaints } from '../stream/complaints.ts'
import type { StreamCounts } from '../stream/counts.ts'
import type { ConnectionLine } from '../stream/log-line.ts'
import { NOBODY } from '../stream/nobody.ts'
import { Places } from '../stream/places.ts'
import { AuthHttp } from './auth-http.ts'
import { MailConnection, type MailEnd, type MailHost } from './connection.ts'

export interface MailGatewayOptions {
  readonly listener: string
  readonly protocol: MailScheme
  readonly plan: MailPlan
  readonly counts: StreamCounts
  readonly counters: Counters
  /** Of the listener, in this thread. */
  readonly most: number
  /** Null: nothing is logged. */
  readonly log: ((line: ConnectionLine) => void) | null
  readonly complain: (message: string) => void
}

export class MailGateway implements Gateway, MailHost {
  readonly name: string
  readonly protocol: MailScheme
  readonly plan: MailPlan
  readonly serverName: string
  readonly auth: AuthHttp
  /** STARTTLS: see start-tls.ts. */
  secure: MailHost['secure'] = null
  readonly #options: MailGatewayOptions
  readonly #complaints: Complaints
  readonly #all = new Places<MailConnection>()
  readonly #stopTicking: () => void
  #onEmpty: (() => void) | null = null

  constructor(options: MailGatewayOptions) {
    const { protocol, plan, listener, complain } = options
    this.#options = options
    this.name = protocol
    this.protocol = protocol
    this.plan = plan
    this.serverName = plan.serverName === '' ? hostname() : plan.serverName
    const { auth, authHeaders, authTimeoutMs } = plan
    this.auth = new AuthHttp({ url: auth, headers: authHeaders, timeoutMs: authTimeoutMs })
    this.#complaints = new Complaints((message) => complain(`listen ${listener}: ${message}`))
    this.#stopTicking = onTick((now) => {
      this.#all.each((one) => one.check(now))
      this.#complaints.tick()
    })
  }

  admit(): boolean {
    const { most, counts } = this.#options
    if (this.#all.size < most) return true
    counts.refused()
    return false
  }

  connect(socket: ByteStream, peer: Peer = new SocketPeer(socket)): Connection {
    const { counts, counters } = this.#options
    if (!counts.open(this.plan.maxConnections)) {
      // Not in the middle of a handshake.
      process.nextTick(() => socket.destroy())
      return NOBODY
    }
    counters.opened()
    const connection = new MailConnection(socket, peer, this)
    this.#all.add(connection)
    return connection.entry
  }

  count(received: number, sent: number): void {
    const { counts, counters } = this.#options
    counts.received(received)
    counts.sent(sent)
    counters.received(received)
    counters.sent(sent)
  }

  over(connection: MailConnection, end: MailEnd): void {
    const { counts, counters, log, listener } = this.#options
    this.#all.remove(connection)
    counts.closed()
    counters.closed()
    if (end === 'unreachable' || end === 'unknown') counts.failed()
    const { peer, serverIs, user, received, sent, began } = connection
    log?.({
      protocol: this.protocol,
      listener,
      address: peer.address,
      server: serverIs,
      user,
      received,
      sent,
      ms: performance.now() - began,
      end,
    })
    this.#look()
  }

  complain(message: string): void {
    this.#complaints.say(message)
  }

  #look(): void {
    if (this.#all.size === 0) this.#onEmpty?.()
  }

  drain(done: () => void): void {
    this.#onEmpty = done
    this.#look()
  }

  /** Connections are no exchanges. */
  eachExchange(): void {}

  close(): void {
    this.#stopTicking()
    this.#onEmpty = null
    this.#all.each((one) => one.stop())
    this.auth.close()
  }
}
