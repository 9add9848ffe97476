/**
 * TLS to one backend: whose certificate is expected, how it is judged, sessions that spare handshakes.
 * A connection belongs to the name that was verified for it: no request for another name goes over it.
 */
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import type { ConnectionOptions, PeerCertificate, SecureContext, TLSSocket } from 'node:tls'
import { PorticoError } from '../../errors.ts'
import type { Dial } from '../../listen/dial.ts'
import { NodeStream } from '../../listen/node-stream.ts'
import { clock } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { Address, TargetPlan } from '../../site/plan.ts'
import { type PoolTlsPlan, SERVERS_HOST, VISITORS_HOST } from '../../site/pool-tls-plan.ts'
import type { ProxyVersion } from '../../wire/proxy-protocol-writer.ts'
import {
  connectTo,
  headerFor,
  notReached,
  type OnRead,
  type Opener,
  type OpenerUser,
  type Trouble,
} from './open.ts'
import { whyNoHandshake, whyRefused } from './tls-verdict.ts'

/** Names whose sessions are remembered, for each backend. */
const MOST_SESSIONS = 256
/** The same complaint is made once in this time, ms, and not more than so many different ones. */
const COMPLAINT_MS = 60_000
const MOST_COMPLAINTS = 10
/** One read at most; all of a thread's connections read into this one buffer. */
const READ_BUFFER = 65_536

let shared: Buffer | null = null

/** Loaded where a pool speaks TLS. */
function nodeTls(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls')
}

/** What the files of a pool hold: PEM of its `tls`, the secret of its cookies; '' for none. */
export interface PoolFiles {
  readonly ca: string
  readonly certificate: string
  readonly key: string
  readonly secret?: string
}

export const NO_FILES: PoolFiles = { ca: '', certificate: '', key: '' }

export interface TlsSettings {
  readonly plan: PoolTlsPlan
  readonly context: SecureContext
  readonly proxyProtocol: ProxyVersion | null
  /** Takes a line when a handshake fails. */
  readonly complain: (line: string) => void
}

const contexts = new WeakMap<PoolTlsPlan, SecureContext>()

/** What all connections of a pool in this thread have in common; made once. Throws for files that are no PEM. */
export function secureContext(plan: PoolTlsPlan, files: PoolFiles): SecureContext {
  const known = contexts.get(plan)
  if (known !== undefined) return known
  const context = createContext(plan, files)
  contexts.set(plan, context)
  return context
}

function createContext(plan: PoolTlsPlan, files: PoolFiles): SecureContext {
  const { minVersion } = plan
  const old = minVersion === 'TLSv1' || minVersion === 'TLSv1.1'
  return nodeTls().createSecureContext({
    minVersion,
    ca: files.ca === '' ? systemAuthorities() : files.ca,
    ...(files.certificate === '' ? {} : { cert: files.certificate, key: files.key }),
    // OpenSSL 3 has the old versions sign with SHA-1 only if it is let.
    ...(old ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
  })
}

let authorities: string[] | null = null

/** Of the machine, and where it has none, Node's own. Each once. */
function systemAuthorities(): string[] {
  if (authorities === null) {
    const { getCACertificates } = nodeTls()
    const system = [...new Set(getCACertificates('system'))]
    authorities = system.length > 0 ? system : [...getCACertificates('bundled')]
  }
  return authorities
}

export class TlsOpener implements Opener {
  readonly keyed: boolean
  readonly #target: string
  readonly #address: Address
  readonly #settings: TlsSettings
  /** Of every connection; '': each visitor's Host. */
  readonly #name: string
  /** By server name; the one that was used longest ago is first. */
  readonly #sessions = new Map<string, Buffer>()
  readonly #complaints = new Map<string, number>()

  constructor(target: Pick<TargetPlan, 'name' | 'address'>, settings: TlsSettings) {
    this.#target = target.name
    this.#address = target.address
    this.#settings = settings
    const { serverName } = settings.plan
    const own = target.address.kind === 'unix' ? 'localhost' : target.address.host
    this.#name =
      serverName === VISITORS_HOST ? '' : serverName === SERVERS_HOST ? plain(own) : serverName
    this.keyed = this.#name === '' || settings.proxyProtocol !== null
  }

  keyOf(exchange: Exchange): string {
    const { proxyProtocol } = this.#settings
    const name = this.#nameFor(exchange)
    return proxyProtocol === null ? name : `${name}\n${headerFor(exchange, proxyProtocol)}`
  }

  dial(exchange: Exchange, user: OpenerUser): Dial {
    shared ??= Buffer.allocUnsafeSlow(READ_BUFFER)
    const buffer = shared
    const onread = { buffer, callback: (length: number) => user.read(buffer, length) }
    let over = false
    let trouble: Error | null = null
    // What NodeStream asks for.
    const socket = this.#connect(exchange, { onread, highWaterMark: 1 }, () => {
      over = true
      user.connected(new NodeStream(socket))
    })
    socket.on('error', (error) => {
      trouble = error
    })
    socket.on('close', () => {
      if (!over) user.refused(this.explain(trouble))
      over = true
    })
    const cancel = (): void => {
      over = true
      socket.destroy()
    }
    return { cancel }
  }

  open(exchange: Exchange, onread: OnRead, ready: () => void): Socket {
    const socket = this.#connect(exchange, { onread }, ready)
    if (this.#settings.proxyProtocol !== null) readInto(socket, onread)
    return socket
  }

  /** `options.onread` is of use only where there is no other socket below. */
  #connect(
    exchange: Exchange,
    options: { readonly onread: OnRead; readonly highWaterMark?: number },
    ready: () => void,
  ): TLSSocket {
    const { context, proxyProtocol, plan } = this.#settings
    const name = this.#nameFor(exchange)
    const session = this.#sessions.get(name)
    const common = {
      secureContext: context,
      // Judged below, where the certificate can still be looked at.
      rejectUnauthorized: false,
      checkServerIdentity: (_host: string, certificate: PeerCertificate): Error | undefined =>
        nodeTls().checkServerIdentity(name, certificate),
      // RFC 6066 §3: an address is no server name.
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(session === undefined ? {} : { session }),
      ...(plan.alpn.length > 0 ? { ALPNProtocols: [...plan.alpn] } : {}),
    }
    const where = connectTo(this.#address)
    let socket: TLSSocket
    if (proxyProtocol === null) {
      const all = { ...where, ...common, ...options }
      socket = nodeTls().connect(all as ConnectionOptions)
      socket.once('connect', () => socket.setNoDelay(true))
    } else {
      // Several addresses that are tried in turn would each be another handle.
      const bare = connectPlain({ ...where, autoSelectFamily: false })
      bare.write(headerFor(exchange, proxyProtocol), 'latin1')
      const { highWaterMark } = options
      const all = { ...common, socket: bare, highWaterMark }
      socket = nodeTls().connect(all as ConnectionOptions)
      bare.on('error', (error) => socket.destroy(error))
    }
    let accepted = false
    let early: Buffer | null = null
    socket.on('session', (given: Buffer) => {
      if (accepted) this.#remember(name, given)
      else early = given
    })
    socket.once('secureConnect', () => {
      const error = this.#judge(socket, name)
      if (error !== null) {
        this.#sessions.delete(name)
        return socket.destroy(error)
      }
      accepted = true
      if (early !== null) this.#remember(name, early)
      ready()
    })
    return socket
  }

  explain(error: Trouble | null): PorticoError {
    const known = error instanceof PorticoError ? error : this.#explained(error)
    if (known.code === 'BACKEND_TLS') this.#complain(known.message)
    return known
  }

  #explained(error: Trouble | null): PorticoError {
    const why = error === null ? '' : whyNoHandshake(error)
    return why === ''
      ? notReached(this.#target, error)
      : new PorticoError('BACKEND_TLS', `${this.#target}: ${why}`)
  }

  /** Null: it is who it has to be. */
  #judge(socket: TLSSocket, name: string): PorticoError | null {
    if (socket.authorized || !this.#settings.plan.verify) return null
    const code = String(socket.authorizationError ?? 'no certificate')
    const why = whyRefused(code, socket.getPeerCertificate(true), name, Date.now())
    return new PorticoError('BACKEND_TLS', `${this.#target}: ${why}`)
  }

  /** What the backend's certificate has to be for. */
  #nameFor({ line, fields }: Exchange): string {
    if (this.#name !== '') return this.#name
    const host = line.host === '' ? fields.host : line.host
    if (host !== '') return plain(host)
    return this.#address.kind === 'unix' ? 'localhost' : plain(this.#address.host)
  }

  #remember(name: string, session: Buffer): void {
    this.#sessions.delete(name)
    this.#sessions.set(name, session)
    if (this.#sessions.size <= MOST_SESSIONS) return
    for (const oldest of this.#sessions.keys()) return void this.#sessions.delete(oldest)
  }

  /** Visitors choose the name that is asked for: they must not be able to fill a disk. */
  #complain(line: string): void {
    for (const [said, until] of this.#complaints) {
      if (until <= clock.now) this.#complaints.delete(said)
    }
    if (this.#complaints.has(line) || this.#complaints.size >= MOST_COMPLAINTS) return
    this.#complaints.set(line, clock.now + COMPLAINT_MS)
    this.#settings.complain(line)
  }
}

/** A host as certificates name it: no brackets, no dot behind it. */
function plain(host: string): string {
  return host.replace(/^\[|\]$|\.$/g, '').toLowerCase()
}

/** A TLS socket over another socket takes no buffer of ours. */
function readInto(socket: TLSSocket, { buffer, callback }: OnRead): void {
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && !socket.destroyed; at += buffer.length) {
      const part = chunk.subarray(at, at + buffer.length)
      buffer.set(part)
      if (!callback(part.length)) socket.pause()
    }
  })
}
