/** Servers asked over TLS: real nginx and Apache, and whoever does not keep to it. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Address } from '../../src/site/plan.ts'
import { PLAIN_TLS, type PoolTlsPlan, SERVERS_HOST } from '../../src/site/pool-tls-plan.ts'
import type { PoolFiles } from '../../src/transports/backend/tls.ts'
import { Apache } from '../flows/support/apache.ts'
import { freePort, Nginx } from '../flows/support/peers.ts'
import { until as eventually } from '../supervisor/site.ts'
import { type Backend, get, raw, rawBackend, until } from './backends.ts'
import { Authority, type Certificate, nginxTls } from './certificates.ts'
import { type Front, front, poolPlan, target } from './front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

const KINDS = ['good', 'wrong', 'expired', 'self', 'stranger', 'client', 'old', 'plain'] as const
const ports: Record<string, number> = {}
let ca: Authority
let strangers: Authority
let good: Certificate
let client: Certificate
let nginx: Nginx

beforeAll(async () => {
  ca = new Authority()
  strangers = new Authority('Stranger CA')
  good = ca.issue(['DNS:localhost', 'DNS:www.example.com', 'IP:127.0.0.1'])
  client = ca.issue(['DNS:portico'])
  const wrong = ca.issue(['DNS:other.example'])
  const expired = ca.issue(['DNS:localhost'], -1)
  const self = ca.selfSigned('localhost')
  const stranger = strangers.issue(['DNS:localhost'])
  for (const kind of KINDS) ports[kind] = await freePort()
  const answer =
    'location / { return 200 "$ssl_server_name $ssl_session_reused $ssl_client_verify $host $ssl_protocol"; }'
  const server = (kind: string, more: string): string =>
    `server { listen 127.0.0.1:${ports[kind]} ${kind === 'plain' ? '' : 'ssl'}; ${more} ${answer} }`
  nginx = await Nginx.serve((port) =>
    [
      // The old version needs OpenSSL's weakest level, and every listener has its own settings.
      `server { listen 127.0.0.1:${port}; }`,
      server('good', `${nginxTls(good)} ssl_protocols TLSv1.2 TLSv1.3;`),
      server('wrong', nginxTls(wrong)),
      server('expired', nginxTls(expired)),
      server('self', nginxTls(self)),
      server('stranger', nginxTls(stranger)),
      server(
        'client',
        `${nginxTls(good)} ssl_verify_client on; ssl_client_certificate ${ca.file};`,
      ),
      server('old', `${nginxTls(good)} ssl_protocols TLSv1.1; ssl_ciphers "DEFAULT@SECLEVEL=0";`),
      server('plain', ''),
    ].join('\n'),
  )
})

afterAll(async () => {
  await nginx?.[Symbol.asyncDispose]()
  for (const each of [ca, strangers]) each?.[Symbol.dispose]()
})

interface Tls extends Front {
  readonly log: string[]
}

async function over(
  where: number | Address,
  changes: Partial<PoolTlsPlan> = {},
  files: Partial<PoolFiles> = {},
  connectTimeoutMs = 5_000,
): Promise<Tls> {
  const log: string[] = []
  const address: Address =
    typeof where === 'number' ? { kind: 'tcp', host: '127.0.0.1', port: where } : where
  const plan = poolPlan([{ ...target(address), scheme: 'https', name: 'https://backend' }], {
    tls: { ...PLAIN_TLS, ...changes },
    connectTimeoutMs,
  })
  const made = await front(plan, {
    files: { ca: ca.pem, certificate: '', key: '', ...files },
    log: (line) => log.push(line),
  })
  return keep(Object.assign(made, { log }))
}

/** As the visitor of a site of that name. */
const named = (host: string) => ({ headers: { host } })

describe('a server over TLS', () => {
  it('is asked for the name that the visitor asked for, and has to be certified for it', async () => {
    const { port, log } = await over(ports.good!)
    expect((await get(port, '/', named('www.example.com'))).body).toMatch(
      /^www\.example\.com \S NONE www\.example\.com TLSv1\.3$/,
    )
    expect((await get(port, '/', named('LOCALHOST:81'))).body).toMatch(/^localhost /)
    expect(log).toEqual([])
    expect((await get(port, '/', named('evil.example'))).status).toBe(502)
    expect(log).toEqual([
      'no TLS with the backend: https://backend: its certificate is for localhost, www.example.com, 127.0.0.1, not for evil.example: set tls: { server-name: … } to a name that it has',
    ])
  })

  it('is not complained of more often than anybody reads, whatever visitors ask for', async () => {
    const { port, log } = await over(ports.good!)
    for (let i = 0; i < 25; i++) {
      expect((await get(port, '/', named(`evil-${i}.example`))).status).toBe(502)
    }
    expect(log).toHaveLength(10)
  })

  it('is asked for one name where the pool says so, or for that of its address', async () => {
    const fixed = await over(ports.good!, { serverName: 'www.example.com' })
    expect((await get(fixed.port, '/', named('a.example'))).body).toMatch(/^www\.example\.com /)
    const host: Address = { kind: 'tcp', host: 'localhost', port: ports.good! }
    const own = await over(host, { serverName: SERVERS_HOST })
    expect((await get(own.port, '/', named('a.example'))).body).toMatch(/^localhost /)
    // An address is no server name; its certificate has to be for it all the same.
    const address = await over(ports.good!, { serverName: SERVERS_HOST })
    expect((await get(address.port, '/', named('a.example'))).body).toMatch(/^ /)
    const wrong = await over(ports.wrong!, { serverName: SERVERS_HOST })
    expect((await get(wrong.port, '/')).status).toBe(502)
    expect(wrong.log.join()).toMatch(/is for other\.example, not for 127\.0\.0\.1/)
  })

  it.each([
    ['wrong', /its certificate is for other\.example, not for localhost: set tls/],
    ['expired', /the certificate of localhost expired on .* GMT: renew it/],
    ['self', /signed by itself: to trust it, name its PEM file in tls: \{ ca/],
    ['stranger', /signed by Stranger CA, who is not trusted: name the PEM file of that CA/],
    ['plain', /it does not speak TLS there: http:\/\/ in place of https:\/\//],
    ['old', /there is no version of TLS that both sides speak: see tls: \{ min-version/],
  ])('is refused: %s', async (kind, why) => {
    const { port, log } = await over(ports[kind]!)
    for (let i = 0; i < 3; i++) {
      expect((await get(port, '/', named('localhost'))).status).toBe(502)
    }
    // Whoever comes again need not fill the log.
    expect(log).toHaveLength(1)
    expect(log[0]).toMatch(why)
  })

  it('is believed without verification, where the pool says so', async () => {
    for (const kind of ['wrong', 'expired', 'self', 'stranger']) {
      const { port } = await over(ports[kind]!, { verify: false })
      expect((await get(port, '/', named('localhost'))).status).toBe(200)
    }
    const old = await over(ports.old!, { minVersion: 'TLSv1.1' })
    expect((await get(old.port, '/', named('localhost'))).body).toMatch(/TLSv1\.1$/)
    const exact = await over(ports.good!, { minVersion: 'TLSv1.3' })
    expect((await get(exact.port, '/', named('localhost'))).body).toMatch(/TLSv1\.3$/)
  })

  it('is trusted by its own certificate, or by the CA that signed it', async () => {
    const self = readFileSync(`${ca.folder}/5.pem`, 'latin1')
    expect(
      (await get((await over(ports.self!, {}, { ca: self })).port, '/', named('localhost'))).status,
    ).toBe(200)
    const both = { ca: ca.pem + strangers.pem }
    for (const kind of ['good', 'stranger']) {
      const { port } = await over(ports[kind]!, {}, both)
      expect((await get(port, '/', named('localhost'))).status).toBe(200)
    }
    // The machine's CAs know nothing of ours.
    const system = await over(ports.good!, {}, { ca: '' })
    expect((await get(system.port, '/', named('localhost'))).status).toBe(502)
    expect(system.log.join()).toMatch(/signed by Test CA, who is not trusted/)
  })

  it('is shown our certificate', async () => {
    const files = {
      certificate: readFileSync(client.certificate, 'latin1'),
      key: readFileSync(client.key, 'latin1'),
    }
    const shown = await over(ports.client!, {}, files)
    expect((await get(shown.port, '/', named('localhost'))).body).toMatch(/ SUCCESS localhost /)
    // nginx says so in HTTP.
    const none = await over(ports.client!)
    expect(await get(none.port, '/', named('localhost'))).toMatchObject({ status: 400 })
  })

  it('that hangs in the handshake is given up with the time to connect', async () => {
    const mute = keep(await rawBackend((socket) => socket.resume()))
    const { port } = await over(mute.port, {}, {}, 300)
    const began = performance.now()
    expect((await get(port, '/', named('localhost'))).status).toBe(504)
    expect(performance.now() - began).toBeLessThan(3_000)
    await until(() => mute.sockets.size === 0)
  })

  it('that closes during the handshake is a 502 that says so', async () => {
    const short = keep(await rawBackend((socket) => socket.once('data', () => socket.destroy())))
    const { port, log } = await over(short.port)
    expect((await get(port, '/', named('localhost'))).status).toBe(502)
    expect(log.join()).toMatch(/closed the connection during the handshake/)
  })

  it('refuses to listen: no word about TLS', async () => {
    const gone = await rawBackend(() => {})
    gone.close()
    const { port, log } = await over(gone.port)
    expect((await get(port, '/', named('localhost'))).status).toBe(502)
    expect(log).toEqual([
      expect.stringMatching(/^the backend refused the connection: \S+ ECONNREFUSED$/),
    ])
  })

  it('keeps connections, each for the name that was verified, and resumes sessions', async () => {
    const counted = keep(await countingTls(good))
    const { port } = await over(counted.port)
    for (let i = 0; i < 5; i++) await get(port, '/', named('localhost'))
    expect(counted.accepted).toBe(1)
    await get(port, '/', named('www.example.com'))
    await get(port, '/', named('localhost'))
    await get(port, '/', named('www.example.com'))
    expect(counted.accepted).toBe(2)
    const { port: short } = await over(ports.good!, {}, {})
    const seen: string[] = []
    for (let i = 0; i < 3; i++) {
      // nginx closes after this one.
      const { body } = await get(short, '/', { headers: { host: 'localhost' } })
      seen.push(body.split(' ')[1]!)
    }
    expect(seen[0]).toBe('.')
  })
})

/** A server that counts its connections and says of each answer whether its session was resumed. */
async function countingTls(
  { certificate, key }: Certificate,
  more: (socket: TLSSocket) => void = answers,
): Promise<Pick<Backend, 'port' | 'accepted' | 'close'>> {
  let accepted = 0
  const sockets = new Set<TLSSocket>()
  const server = createTlsServer(
    { cert: readFileSync(certificate), key: readFileSync(key), allowHalfOpen: true },
    (socket) => {
      accepted++
      sockets.add(socket)
      socket.on('error', () => {})
      more(socket)
    },
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    get accepted() {
      return accepted
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function answers(socket: TLSSocket): void {
  socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
}

describe('over TLS', () => {
  it('a session is resumed when another connection is opened', async () => {
    const seen: boolean[] = []
    const server = keep(
      await countingTls(good, (socket) => {
        socket.once('data', () => {
          seen.push(socket.isSessionReused())
          socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
        })
      }),
    )
    const { port } = await over(server.port)
    for (let i = 0; i < 3; i++) await get(port, '/', named('localhost'))
    expect(seen).toEqual([false, true, true])
    // A session for one name is none for another.
    await get(port, '/', named('www.example.com'))
    expect(seen.at(-1)).toBe(false)
  })

  it('large bodies go both ways', async () => {
    const server = keep(
      await countingTls(good, (socket) => {
        let seen = 0
        socket.on('data', (chunk: Buffer) => {
          seen += chunk.length
          if (seen < 3_000_000) return
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n')
          socket.write(Buffer.alloc(3_000_000, 'y'))
        })
      }),
    )
    const { port } = await over(server.port)
    const answer = await get(port, '/', {
      ...named('localhost'),
      method: 'POST',
      body: 'x'.repeat(3_000_000),
    })
    expect(answer.status).toBe(200)
    expect(answer.body).toBe('y'.repeat(3_000_000))
  })

  it('WebSockets and other tunnels pass, and end as they do without', async () => {
    const ended: string[] = []
    const server = keep(
      await countingTls(good, (socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello ')
          socket.on('data', (chunk: Buffer) => socket.write(chunk))
          socket.on('end', () => {
            ended.push('end')
            socket.end('bye')
          })
        })
      }),
    )
    const { port } = await over(server.port)
    const text = await raw(
      port,
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
      (socket) => {
        socket.once('data', () => {
          socket.write('there')
          setTimeout(() => socket.end(), 50)
        })
      },
    )
    expect(text).toMatch(/^HTTP\/1\.1 101 /)
    expect(text.endsWith('hello therebye')).toBe(true)
    expect(ended).toEqual(['end'])
    // A visitor that breaks off takes the server's side along.
    let closed = false
    const other = keep(
      await countingTls(good, (socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
        })
        socket.on('end', () => {
          closed = true
        })
      }),
    )
    const front = await over(other.port)
    await raw(
      front.port,
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
      (socket) => socket.once('data', () => socket.resetAndDestroy()),
    )
    await until(() => closed)
  })

  it('Apache answers, and its refusal of who shows no certificate is understood', async () => {
    const port = await freePort()
    const site = `
Listen 127.0.0.1:${port}
<VirtualHost 127.0.0.1:${port}>
  SSLEngine on
  SSLCertificateFile ${good.certificate}
  SSLCertificateKeyFile ${good.key}
  SSLCACertificateFile ${ca.file}
  SSLVerifyClient require
  DocumentRoot ${ca.folder}
</VirtualHost>
<Directory ${ca.folder}>
  Require all granted
</Directory>`
    await using apache = await Apache.serve(['socache_shmcb', 'ssl'], site)
    // It binds its ports twice, and is deaf between.
    await eventually('Apache over TLS', () => /resuming normal operations/.test(apache.errors))
    const none = await over(port)
    expect((await get(none.port, '/ca.pem', named('localhost'))).status).toBe(502)
    expect(none.log.join()).toMatch(/wants a certificate of ours/)
    const files = {
      certificate: readFileSync(client.certificate, 'latin1'),
      key: readFileSync(client.key, 'latin1'),
    }
    const shown = await over(port, {}, files)
    for (let i = 0; i < 3; i++) {
      expect(await get(shown.port, '/ca.pem', named('localhost'))).toMatchObject({
        status: 200,
        body: ca.pem,
      })
    }
  })
})
