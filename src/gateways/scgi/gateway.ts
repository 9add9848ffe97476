/** Web servers that speak SCGI to us: nginx's `scgi_pass`, Apache's mod_proxy_scgi. One request a connection. */
import type { ByteStream } from '../../listen/byte-stream.ts'
import type { AnswerHead, Peer } from '../../request/exchange.ts'
import { CgiRequestReader } from '../../wire/cgi-request.ts'
import { decodeHeaders, ScgiDecoder } from '../../wire/scgi.ts'
import { cgiHead } from '../front/encode.ts'
import type { FrontExchange } from '../front/exchange.ts'
import { FrontGateway } from '../front/gateway.ts'
import { PacketConnection } from '../front/packet-connection.ts'
import type { GatewayOptions } from '../gateway.ts'

const requests = new CgiRequestReader(decodeHeaders)

export function scgi(options: GatewayOptions): FrontGateway {
  return new FrontGateway(
    'scgi',
    options,
    (gateway, socket, peer) => new ScgiConnection(gateway, socket, peer),
  )
}

class ScgiConnection extends PacketConnection {
  protected readonly requests = requests
  protected readonly decoder: ScgiDecoder

  constructor(gateway: FrontGateway, socket: ByteStream, peer: Peer | undefined) {
    super(gateway, socket, peer)
    this.decoder = new ScgiDecoder(gateway.limits.head)
  }

  protected isRequest(): boolean {
    return true
  }

  head(_: FrontExchange, head: AnswerHead, length: number): string {
    return cgiHead(head, length)
  }

  protected refusalHead(head: AnswerHead, length: number): string {
    return cgiHead(head, length)
  }
}
