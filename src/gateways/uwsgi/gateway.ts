/**
 * Web servers that speak uwsgi to us, as they did to uWSGI: nginx's `uwsgi_pass`, Apache's
 * mod_proxy_uwsgi. An answer is a plain HTTP answer; its end is the connection's, or its length.
 */

import type { ByteStream } from '../../listen/byte-stream.ts'
import type { AnswerHead, Peer } from '../../request/exchange.ts'
import { CgiRequestReader } from '../../wire/cgi-request.ts'
import { decodeVariables, Modifier, PacketDecoder, PONG } from '../../wire/uwsgi.ts'
import { httpHead } from '../front/encode.ts'
import type { FrontExchange } from '../front/exchange.ts'
import { FrontGateway } from '../front/gateway.ts'
import { PacketConnection } from '../front/packet-connection.ts'
import type { GatewayOptions } from '../gateway.ts'

/** Requests, in whichever language uWSGI would have answered them, and what asks whether we live. */
const KNOWN: ReadonlySet<number> = new Set([
  Modifier.WSGI,
  Modifier.PSGI,
  Modifier.LUA,
  Modifier.RACK,
  Modifier.JVM,
  Modifier.CGI,
  Modifier.PHP,
  Modifier.MANAGE_PATH_INFO,
  Modifier.PING,
])

const requests = new CgiRequestReader(decodeVariables)

/** `persistent`: puwsgi, several requests in turn on a connection. */
export function uwsgi(options: GatewayOptions, persistent: boolean): FrontGateway {
  return new FrontGateway(
    persistent ? 'puwsgi' : 'uwsgi',
    options,
    (gateway, socket, peer) => new UwsgiConnection(gateway, socket, peer, persistent),
  )
}

class UwsgiConnection extends PacketConnection {
  protected readonly requests = requests
  protected readonly decoder: PacketDecoder
  readonly #persistent: boolean

  constructor(
    gateway: FrontGateway,
    socket: ByteStream,
    peer: Peer | undefined,
    persistent: boolean,
  ) {
    super(gateway, socket, peer)
    this.decoder = new PacketDecoder(gateway.limits.head, KNOWN)
    this.#persistent = persistent
  }

  protected isRequest(): boolean {
    this.keep = this.#persistent
    if (this.decoder.modifier1 !== Modifier.PING) return true
    this.send(PONG)
    this.close()
    return false
  }

  head(exchange: FrontExchange, head: AnswerHead, length: number): string {
    // Where nothing else tells the answer's end, the connection's does.
    const bodiless = exchange.line.method === 'HEAD' || head.status === 204 || head.status === 304
    if (length < 0 && !bodiless) this.keep = false
    return httpHead(exchange.protocol, head, length)
  }

  protected refusalHead(head: AnswerHead, length: number): string {
    return httpHead('HTTP/1.1', head, length)
  }
}
