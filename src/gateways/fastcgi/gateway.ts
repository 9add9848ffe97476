/**
 * Web servers that speak FastCGI to us: nginx's `fastcgi_pass`, Apache's mod_proxy_fcgi. We are a
 * responder, for several requests in turn on a connection, one at a time.
 */

import { FrontGateway } from '../front/gateway.ts'
import type { GatewayOptions } from '../gateway.ts'
import { FastcgiConnection } from './connection.ts'

export function fastcgi(options: GatewayOptions): FrontGateway {
  return new FrontGateway(
    'fastcgi',
    options,
    (gateway, socket, peer) => new FastcgiConnection(gateway, socket, peer),
  )
}
