/** Passing small answers on from a server that is asked over TLS, and verified. It shares the load's core. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import { LOAD_CORE } from '../harness/processes.ts'
import type { Scenario } from '../harness/scenario.ts'
import { freePort, serve } from '../harness/server.ts'
import { throughput } from '../harness/throughput.ts'
import { haproxyTls, nginxBehindTls, nginxTls, porticoTls } from '../rivals/tls-pools.ts'

/** Made when the scenario begins. */
let certificate = ''
const ca = (): string => certificate

export const proxyTls: Scenario = throughput({
  name: 'proxy-tls',
  title:
    'An answer of 13 bytes from an upstream nginx on the load’s core, over kept-alive TLS connections that were verified; 32 keep-alive connections. “over HTTP/2”: one connection with many streams, which nginx and HAProxy 2.6 do not have by default.',
  rivals: [
    porticoTls(ca, 'https', 'Portico'),
    porticoTls(ca, 'h2', 'Portico, over HTTP/2'),
    nginxTls(ca),
    haproxyTls(ca),
  ],
  reference: 'nginx',
  connections: 32,
  async prepare(bench) {
    const folder = join(bench.scratch, 'tls')
    mkdirSync(folder, { recursive: true })
    certificate = join(folder, 'server.pem')
    const key = join(folder, 'server.key')
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${certificate} -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    )
    const port = await freePort()
    const fixed = { kind: 'fixed', body: FIXED_BODY } as const
    const upstream = await serve(
      nginxBehindTls(port, certificate, key),
      fixed,
      FIXED,
      bench.scratch,
      String(LOAD_CORE),
    )
    return { site: { kind: 'pool', upstreamPorts: [port] }, expected: FIXED, helper: upstream }
  },
})
