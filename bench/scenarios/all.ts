/** Every scenario, in the order of the report. */
import type { Scenario } from '../harness/scenario.ts'
import { asgiHello32, asgiHello128 } from './asgi-hello.ts'
import { cgiC, cgiShell } from './cgi.ts'
import { file1g } from './file-1g.ts'
import { file1k } from './file-1k.ts'
import { fixedAnswer } from './fixed-answer.ts'
import { flaskHello } from './flask-hello.ts'
import { gzipProxy } from './gzip-proxy.ts'
import { http2File, http2Fixed, http2One } from './http2.ts'
import { idleMemory } from './idle-memory.ts'
import { killLoss } from './kill-loss.ts'
import { respawn, wake } from './lifetimes.ts'
import { nodeFetchHello } from './node-fetch-hello.ts'
import { phpHello } from './php-hello.ts'
import { poolSpread, poolSpread10 } from './pool-spread.ts'
import { proxyPool } from './proxy-pool.ts'
import { proxySmall } from './proxy-small.ts'
import { proxyTls } from './proxy-tls.ts'
import { reloadLoss } from './reload-loss.ts'
import { slowClients } from './slow-clients.ts'
import { startTime } from './start-time.ts'
import { tcpBulk, tcpSmall } from './tcp.ts'
import { tlsHandshakes, tlsKeepAlive } from './tls.ts'
import { uwsgiIn } from './uwsgi-in.ts'
import { wsgiHello1, wsgiHello32, wsgiHello128, wsgiHelloVaried } from './wsgi-hello.ts'
import { wsgiSlowMix } from './wsgi-slow-mix.ts'

export const SCENARIOS: readonly Scenario[] = [
  wsgiHello32,
  wsgiHello1,
  wsgiHello128,
  wsgiHelloVaried,
  flaskHello,
  asgiHello32,
  asgiHello128,
  wsgiSlowMix,
  file1k,
  fixedAnswer,
  tlsKeepAlive,
  tlsHandshakes,
  http2Fixed,
  http2One,
  http2File,
  proxySmall,
  tcpSmall,
  tcpBulk,
  gzipProxy,
  proxyPool,
  proxyTls,
  poolSpread,
  poolSpread10,
  uwsgiIn,
  phpHello,
  nodeFetchHello,
  cgiC,
  cgiShell,
  file1g,
  idleMemory,
  startTime,
  respawn,
  wake,
  reloadLoss,
  killLoss,
  slowClients,
]
