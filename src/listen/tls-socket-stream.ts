/** The same as TlsStream on a tls.TLSSocket, for a Node whose handles are not as we know them; staples nothing. */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { NodeStream } from './node-stream.ts'
import { type PeerLink, readPeerCertificate } from './peer-certificate.ts'
import type { PeerCertificate, SecureOptions, SecureStream, Securing } from './secure-stream.ts'

export class TlsSocketStream extends NodeStream implements SecureStream {
  readonly #socket: TLSSocket
  readonly #plain: Socket

  /** Begins the handshake. `plain`: what a NodeStream released, whose connection hears of the end. */
  constructor(plain: Socket, options: SecureOptions, by: Securing) {
    const socket = new TLSSocket(plain, {
      isServer: true,
      secureContext: options.context,
      requestCert: options.asksCertificate,
      rejectUnauthorized: false,
      // Not among the declared options: it is handed on to net.Socket.
      ...{ highWaterMark: 1 },
      ...(options.protocols === null ? {} : { ALPNProtocols: options.protocols }),
    })
    super(socket)
    this.#socket = socket
    this.#plain = plain
    let over = false
    socket.on('error', (error: Error) => {
      if (!over) by.failed(error)
      over = true
    })
    // A visitor that leaves in the middle has nothing more to say.
    const left = (): void => void socket.destroy()
    socket.once('end', left)
    socket.once('secure', () => {
      over = true
      socket.off('end', left)
      this.listen(by.done(this))
    })
    // It takes what its socket has read before it reads itself, in the next tick.
    plain.unshift(by.begun(this))
  }

  override get fd(): number {
    return -1
  }

  override get queueSize(): number {
    return this.#socket.writableLength + super.queueSize
  }

  override resetAndDestroy(): void {
    this.#plain.resetAndDestroy()
  }

  get protocol(): string {
    return this.#socket.getProtocol() ?? ''
  }

  get cipher(): string {
    return this.destroyed ? '' : this.#socket.getCipher().name
  }

  get alpn(): string {
    return this.#socket.alpnProtocol || ''
  }

  get resumed(): boolean {
    return this.#socket.isSessionReused()
  }

  get peerCertificate(): PeerCertificate | null {
    const link: PeerLink | null = this.destroyed ? null : this.#socket.getPeerCertificate(true)
    // The authority's opinion, which Node gives as an error or its code.
    const { authorizationError: why } = this.#socket
    return readPeerCertificate(link, why === null || why === undefined ? '' : codeOf(why))
  }
}

function codeOf(why: unknown): string {
  return why instanceof Error && 'code' in why ? String(why.code) : String(why)
}
