/** Mail connections that begin in clear text and go on within TLS when their visitors say so. */
import type { Gateway } from '../gateways/gateway.ts'
import type { TlsGateway } from '../gateways/tls.ts'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import type { Peer } from '../request/exchange.ts'
import type { MailGateway } from './gateway.ts'

export class StartTls implements Gateway {
  readonly name: string
  readonly #mail: MailGateway
  readonly #tls: TlsGateway

  /** `tls`: before `mail`, with the certificates of its listener. */
  constructor(mail: MailGateway, tls: TlsGateway) {
    this.name = `${mail.name} with STARTTLS`
    this.#mail = mail
    this.#tls = tls
    mail.secure = (connection, stream) =>
      tls.upgrade(stream, connection.peer, (secured, peer) => connection.secured(secured, peer))
  }

  admit(): boolean {
    return this.#mail.admit()
  }

  connect(socket: ByteStream, peer?: Peer): Connection {
    return this.#mail.connect(socket, peer)
  }

  /** Those that are within their handshake are the other's. */
  drain(done: () => void): void {
    this.#tls.drain(done)
  }

  /** Connections are no exchanges. */
  eachExchange(): void {}

  close(): void {
    this.#tls.close()
  }
}
