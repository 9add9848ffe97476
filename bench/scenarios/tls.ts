/** Visitors over TLS: what records cost, and what handshakes do. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FIXED, FIXED_BODY } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { type Throughput, throughput } from '../harness/throughput.ts'
import { type Files, haproxyOverTls, nginxOverTls, porticoOverTls } from '../rivals/tls.ts'

/** Made when a scenario begins. */
let made: Files = { cert: '', key: '' }
const files = (): Files => made

const BOTH: Pick<Throughput, 'rivals' | 'reference' | 'connections' | 'prepare'> = {
  rivals: [porticoOverTls(files), nginxOverTls(files), haproxyOverTls(files)],
  reference: 'nginx',
  connections: 32,
  prepare(bench) {
    const folder = join(bench.scratch, 'visitors-tls')
    mkdirSync(folder, { recursive: true })
    const key = join(folder, 'site.key')
    const cert = join(folder, 'site.pem')
    const kind = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30'
    const name = '-subj /CN=localhost -addext subjectAltName=DNS:localhost'
    const args = `req -x509 ${kind} -keyout ${key} -out ${cert} ${name}`
    execFileSync('openssl', args.split(' '), { stdio: 'ignore' })
    // HAProxy wants both in one file; the others do not mind.
    writeFileSync(cert, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
    made = { cert, key }
    const expected = { ...FIXED, tls: true } as const
    return { site: { kind: 'fixed', body: FIXED_BODY }, expected }
  },
}

export const tlsKeepAlive: Scenario = throughput({
  ...BOTH,
  name: 'tls-keep-alive',
  title: 'An answer of 13 bytes over TLS 1.3 (ECDSA P-256), 32 keep-alive connections.',
})

export const tlsHandshakes: Scenario = throughput({
  ...BOTH,
  name: 'tls-handshakes',
  title:
    'The same, a connection for each request. wrk resumes sessions, as browsers do, so that most handshakes have no signature.',
  script: 'closing.lua',
})
