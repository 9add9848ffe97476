/** One machine's agent, with the listeners that a CA comes to. */
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import { Agent } from '../../src/acme/agent.ts'
import { AcmeClient } from '../../src/acme/client.ts'
import type { CertificateStatus } from '../../src/acme/status.ts'
import type { AcmePlan } from '../../src/site/acme-plan.ts'
import { createLogger } from '../../src/supervisor/logger.ts'
import type { CertificatePem } from '../../src/tls/certificates.ts'
import { until } from '../supervisor/site.ts'
import type { Pebble } from './pebble.ts'

export class Machine {
  readonly agent: Agent
  readonly folder: string = mkdtempSync(join(tmpdir(), 'portico-machine-'))
  /** What is to be served now. */
  served: readonly CertificatePem[] = []
  /** How often that was told. */
  told = 0
  /** Messages of its log. */
  readonly log: string[] = []
  readonly #servers: { close(): unknown }[] = []

  constructor() {
    const sink = {
      write: (line: string) => this.log.push(String(JSON.parse(line).message)),
    }
    this.agent = new Agent({
      logger: createLogger(sink, { format: 'json', colours: false, level: 'info' }),
      changed: (served) => {
        this.served = served
        this.told += 1
      },
      minuteMs: 1_000,
      newsMs: 200,
    })
  }

  plan(pebble: Pebble, more: Partial<AcmePlan> = {}): AcmePlan {
    return {
      names: ['www.example.com'],
      local: [],
      servers: [{ url: pebble.url, external: null }],
      email: 'admin@example.com',
      challenges: ['http-01'],
      keyType: 'p256',
      store: `file:${join(this.folder, 'certificates')}`,
      shared: false,
      trust: pebble.trust,
      dnsHook: [],
      ask: '',
      mostAsked: 1_000,
      authority: join(this.folder, 'authority'),
      ...more,
    }
  }

  async use(plan: AcmePlan): Promise<void> {
    await this.agent.prepare(plan)
    await this.agent.commit(plan)
  }

  /** Answers http-01 on this port. */
  async http(port: number): Promise<void> {
    const server = createServer((request, response) => {
      const token = /^\/\.well-known\/acme-challenge\/(.*)$/.exec(request.url ?? '')?.[1] ?? ''
      void this.agent.httpProof(token).then((proof) => {
        response.statusCode = proof === null ? 404 : 200
        response.end(proof ?? 'no proof')
      })
    })
    await this.#listen(server, port)
  }

  /** Answers tls-alpn-01 on this port. */
  async tls(port: number): Promise<void> {
    const server = createTlsServer({
      ALPNProtocols: ['acme-tls/1'],
      SNICallback: (name, done) => {
        void this.agent.tlsProof(name).then((pem) => {
          if (pem === null) done(new Error('no proof'))
          else done(null, createSecureContext({ cert: pem.cert, key: pem.key }))
        })
      },
    })
    server.on('tlsClientError', () => {})
    server.on('secureConnection', (socket) => socket.on('error', () => {}).end())
    await this.#listen(server, port)
  }

  async #listen(server: NetServer, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => resolve())
    })
    this.#servers.push(server)
  }

  status(name: string): CertificateStatus {
    const found = this.agent.status.find(({ names }) => names.includes(name))
    if (found === undefined) throw new Error(`no ${name}`)
    return found
  }

  /** A certificate by a CA for this name is served; which one. */
  obtained(name = 'www.example.com', ms = 15_000): Promise<CertificatePem> {
    return until(
      `a certificate for ${name}; the log: ${this.log.join('\n')}`,
      () => this.served.find(({ from }) => from === `the certificate of ${name}`),
      ms,
    )
  }

  /** As the owner of the account could do it elsewhere. */
  async deactivate(pebble: Pebble): Promise<void> {
    const folder = join(this.folder, 'certificates/accounts')
    const [file = ''] = readdirSync(folder)
    const { key, url } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    const ca = readFileSync(pebble.trust, 'latin1')
    const client = new AcmeClient(pebble.url, ca, AbortSignal.timeout(10_000))
    await client.post(url, { key: createPrivateKey(key), url }, { status: 'deactivated' })
  }

  logged(pattern: RegExp, ms = 15_000): Promise<string> {
    return until(
      `${pattern} in the log: ${this.log.join('\n')}`,
      () => this.log.find((line) => pattern.test(line)),
      ms,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.close()
    for (const server of this.#servers) server.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
