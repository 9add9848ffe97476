/**
 * A real ACME server, pebble, with a DNS server in which every name is this machine; each on ports of its
 * own. Pebble looks for proofs at `httpPort` and `tlsPort` in place of 80 and 443.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from '../../src/acme/ask.ts'
import { Authority } from '../../src/acme/authority.ts'
import { freePort } from '../flows/support/peers.ts'
import { until } from '../supervisor/site.ts'

export interface PebbleOptions {
  /** Programs: Debian's where nothing is said. */
  readonly pebble?: string
  readonly dns?: string
  /** Of the certificates, s. */
  readonly validity?: number
  /** Keys that accounts have to come with, base64url, by their ids. */
  readonly external?: Readonly<Record<string, string>>
  /** Nonces that are refused although they are good, percent. */
  readonly badNonces?: number
  /** More of its configuration, and of its environment. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
}

export class Pebble {
  readonly httpPort: number
  readonly tlsPort: number
  /** Of its directory. */
  readonly url: string
  /** A file with the certificate to trust when it is asked. */
  readonly trust: string
  /** Where its DNS server is told what to say. */
  readonly dnsManagement: string
  /** Everything that it has logged. */
  log = ''
  readonly #folder: string
  readonly #management: string
  readonly #children: readonly ChildProcess[]

  private constructor(
    ports: readonly number[],
    folder: string,
    trust: string,
    options: PebbleOptions,
  ) {
    const [port, management, httpPort, tlsPort, dnsPort, dnsManagement] = ports as number[]
    this.httpPort = httpPort!
    this.tlsPort = tlsPort!
    this.url = `https://127.0.0.1:${port}/dir`
    this.trust = trust
    this.#folder = folder
    this.#management = `https://127.0.0.1:${management}`
    this.dnsManagement = `http://127.0.0.1:${dnsManagement}`
    const { external, validity } = options
    const config = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: join(folder, 'cert.pem'),
      privateKey: join(folder, 'key.pem'),
      httpPort,
      tlsPort,
      ocspResponderURL: '',
      externalAccountBindingRequired: external !== undefined,
      ...(external === undefined ? {} : { externalAccountMACKeys: external }),
      ...(validity === undefined ? {} : { certificateValidityPeriod: validity }),
      ...options.config,
    }
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ pebble: config }))
    const dns = spawn(
      options.dns ?? 'pebble-challtestsrv',
      [
        // Newer ones call it otherwise, and serve DNS over HTTPS as well.
        ...(options.dns === undefined
          ? ['-dns01', `127.0.0.1:${dnsPort}`]
          : ['-dnsserver', `127.0.0.1:${dnsPort}`, '-doh', '']),
        ...['-management', `127.0.0.1:${dnsManagement}`],
        ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''],
      ],
      { stdio: 'ignore' },
    )
    const pebble = spawn(
      options.pebble ?? 'pebble',
      ['-config', join(folder, 'config.json'), '-dnsserver', `127.0.0.1:${dnsPort}`],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          PEBBLE_VA_NOSLEEP: '1',
          PEBBLE_AUTHZREUSE: '0',
          PEBBLE_WFE_NONCEREJECT: String(options.badNonces ?? 5),
          ...options.env,
        },
      },
    )
    for (const stream of [pebble.stdout, pebble.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.log += chunk
      })
    }
    this.#children = [dns, pebble]
  }

  static async start(options: PebbleOptions = {}): Promise<Pebble> {
    const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()))
    const folder = mkdtempSync(join(tmpdir(), 'portico-pebble-'))
    const own = await (await Authority.open(folder)).leaf(['127.0.0.1', 'localhost'])
    writeFileSync(join(folder, 'cert.pem'), own.cert)
    writeFileSync(join(folder, 'key.pem'), own.key)
    const pebble = new Pebble(ports, folder, Authority.rootFile(folder), options)
    try {
      await until('pebble', () => pebble.#isUp(), 20_000)
      return pebble
    } catch (error) {
      await pebble[Symbol.asyncDispose]()
      throw error
    }
  }

  async #isUp(): Promise<boolean> {
    const [, child] = this.#children
    if (child!.exitCode !== null) throw new Error(`pebble ended: ${this.log}`)
    const dns = await this.tell('clear-a', { host: 'nobody.example' }).catch(() => false)
    const answers = (asked: Promise<string>): Promise<boolean> =>
      asked.then(
        () => true,
        () => false,
      )
    return dns !== false && (await answers(this.#get(this.url))) && (await answers(this.root()))
  }

  async #get(url: string): Promise<string> {
    const ca = readFileSync(this.trust, 'latin1')
    return (await ask(url, { method: 'GET', ca, timeoutMs: 5_000 })).body.toString()
  }

  /** The root of the certificates that it issues. */
  async root(): Promise<string> {
    return this.#get(`${this.#management}/roots/0`)
  }

  /** Something to the DNS server, such as `add-a`. */
  async tell(what: string, about: unknown): Promise<void> {
    const body = JSON.stringify(about)
    const { status } = await ask(`${this.dnsManagement}/${what}`, {
      method: 'POST',
      body,
      timeoutMs: 5_000,
    })
    if (status !== 200) throw new Error(`the DNS server answered ${status} to ${what}`)
  }

  /** What it answers when it is asked about the renewal of a certificate; of newer versions alone. */
  async suggest(certificate: string, answer: string): Promise<void> {
    const body = JSON.stringify({ Certificate: certificate, ARIResponse: answer })
    const ca = readFileSync(this.trust, 'latin1')
    const url = `${this.#management}/set-renewal-info/`
    const { status } = await ask(url, { method: 'POST', body, ca, timeoutMs: 5_000 })
    if (status !== 200) throw new Error(`pebble answered ${status}`)
  }

  /** It takes connections and says nothing. */
  freeze(): void {
    for (const child of this.#children) child.kill('SIGSTOP')
  }

  /** How many orders there were. */
  get orders(): number {
    return this.log.match(/There are now \d+ orders in the db/g)?.length ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGKILL')
        return ended
      }),
    )
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
