/** Checks against the servers they are made for: Debian's. RabbitMQ's is in test/jobs. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createCheck } from '../../src/checks/create.ts'
import type { HttpCheckPlan, ProbePlan } from '../../src/site/check-plan.ts'
import type { Address } from '../../src/site/plan.ts'
import { NO_FILES, type PoolFiles } from '../../src/transports/backend/tls.ts'
import { writeProxyHeader } from '../../src/wire/proxy-protocol-writer.ts'
import { phpFpm, uwsgi } from '../flows/support/backends.ts'
import { bind9 } from '../flows/support/bind9.ts'
import { MariaDb } from '../flows/support/mariadb.ts'
import { freePort, Nginx } from '../flows/support/peers.ts'
import { postfix } from '../flows/support/postfix.ts'
import { RedisServer } from '../jobs/servers.ts'
import { Authority, nginxTls } from '../transports/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-check-peers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PATIENCE_MS = 10_000

/** '' for well, the weight it tells, or why it is not well. */
async function probe(
  plan: ProbePlan,
  where: number | string | Address,
  files: PoolFiles = NO_FILES,
  first: Uint8Array | null = null,
): Promise<string> {
  const address: Address =
    typeof where === 'number'
      ? { kind: 'tcp', host: '127.0.0.1', port: where }
      : typeof where === 'string'
        ? { kind: 'unix', path: where }
        : where
  const signal = AbortSignal.timeout(PATIENCE_MS)
  return createCheck(plan, '', files)
    .probe({ address, first }, signal)
    .then(
      (weight) => (weight === undefined ? '' : `weight ${weight}`),
      (error: Error) => error.message,
    )
}

const PAGE = 'All is well here.\n'
const page: HttpCheckPlan = {
  kind: 'http',
  version: 1,
  tls: null,
  method: 'GET',
  path: '/ok',
  host: '',
  fields: [],
  status: [200, 399],
  body: '',
  digest: '',
}

describe('http and nginx', async () => {
  const nginx = await Nginx.serve(
    (port) => `server {
      listen 127.0.0.1:${port};
      location = /ok { return 200 ${JSON.stringify(PAGE)}; }
      location = /moved { return 302 /ok; }
      location = /broken { return 503; }
      location = /who { return 200 "$request_method $http_host $http_x_check $http_user_agent"; }
      location = /large { return 200 "${'x'.repeat(3_000)}end"; }
    }`,
  )
  afterAll(() => nginx[Symbol.asyncDispose]())
  const ask = (more: Partial<HttpCheckPlan>): Promise<string> =>
    probe({ ...page, ...more }, nginx.port)
  const hash = (by: string): string => createHash(by).update(PAGE).digest('hex')

  it('looks at the status', async () => {
    expect(await ask({})).toBe('')
    expect(await ask({ path: '/moved' })).toBe('')
    expect(await ask({ path: '/broken' })).toBe('answered 503 Service Temporarily Unavailable')
    expect(await ask({ path: '/broken', status: [500, 599] })).toBe('')
    expect(await ask({ path: '/moved', status: [200, 200] })).toBe('answered 302 Moved Temporarily')
  })

  it('looks for a text, an expression, a digest', async () => {
    expect(await ask({ body: 'is well' })).toBe('')
    expect(await ask({ body: '~^All .* here' })).toBe('')
    expect(await ask({ body: 'is ill' })).toBe('the answer is not the one expected')
    expect(await ask({ path: '/large', body: 'end' })).toBe('')
    expect(await ask({ digest: hash('md5') })).toBe('')
    expect(await ask({ digest: hash('sha256') })).toBe('')
    expect(await ask({ path: '/large', digest: hash('md5') })).toMatch(
      /has the digest [0-9a-f]{32}/,
    )
  })

  it('asks as it is told to', async () => {
    const told = {
      path: '/who',
      method: 'OPTIONS',
      host: 'www.example.test',
      fields: ['X-Check', 'a b', 'User-Agent', 'mine'],
    }
    expect(await ask({ ...told, body: '~^OPTIONS www.example.test a b mine$' })).toBe('')
    expect(await ask({ path: '/who', body: `~^GET 127.0.0.1:${nginx.port}  Portico-Check$` })).toBe(
      '',
    )
    expect(await ask({ method: 'HEAD', body: 'nobody looks' })).toBe('')
  })
})

it('smtp: postfix', async () => {
  const port = await freePort()
  await using _server = await postfix(port)
  expect(await probe({ kind: 'smtp', helo: 'portico.example.test' }, port)).toBe('')
  expect(await probe({ kind: 'smtp', helo: '' }, port)).toMatch(/^EHLO: 501 /)
})

it('dns: bind9', async () => {
  const port = await freePort()
  await using _server = await bind9(port, 'first')
  const ask = (name: string, type: string, answer: string, code = 'NOERROR'): Promise<string> =>
    probe({ kind: 'dns', name, type, code, answer }, port)
  expect(await ask('example.test', 'SOA', '')).toBe('')
  expect(await ask('ns.example.test.', 'A', '127.0.0.1')).toBe('')
  expect(await ask('who.example.test', 'TXT', '~^first$')).toBe('')
  expect(await ask('who.example.test', 'TXT', 'second')).toBe('has no answer with second: first')
  expect(await ask('none.example.test', 'A', '')).toBe('answered NXDOMAIN')
  expect(await ask('none.example.test', 'A', '', 'NXDOMAIN')).toBe('')
  expect(await ask('elsewhere.test', 'A', '')).toBe('answered REFUSED')
})

it('redis, with a password and a role', async () => {
  await using server = await RedisServer.start()
  const plain = { kind: 'redis', user: '', passwordFile: '', role: 'any' } as const
  expect(await probe(plain, server.port)).toBe('')
  expect(await probe({ ...plain, role: 'master' }, server.port)).toBe('')
  expect(await probe({ ...plain, role: 'replica' }, server.port)).toBe('is a master')
  await server.cli('REPLICAOF', '127.0.0.1', '1')
  expect(await probe({ ...plain, role: 'replica' }, server.port)).toBe('')
  expect(await probe({ ...plain, role: 'master' }, server.port)).toBe('is a replica')
  await server.cli('ACL', 'SETUSER', 'watch', 'on', '>geheim ü', '+ping', '+role')
  await server.cli('CONFIG', 'SET', 'requirepass', 'open sesame')
  expect(await probe(plain, server.port)).toMatch(/^NOAUTH/)
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, 'open sesame\n')
  expect(await probe({ ...plain, passwordFile }, server.port)).toBe('')
  writeFileSync(passwordFile, 'geheim ü')
  expect(await probe({ ...plain, passwordFile }, server.port)).toMatch(/^WRONGPASS/)
  expect(await probe({ ...plain, user: 'watch', passwordFile }, server.port)).toBe('')
  rmSync(passwordFile)
  expect(await probe({ ...plain, passwordFile }, server.port)).toMatch(/password cannot be read/)
})

describe('mysql and MariaDB', () => {
  /** Of ours, so that the server does not take us for itself, whom it never blocks. */
  const host =
    Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1'

  /** Greeted, and gone without a word. */
  const rude = (port: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(port, host)
      socket.once('data', () => socket.end())
      socket.once('close', () => resolve())
      socket.on('error', () => {})
    })

  it('is answered by a refusal, which blocks nobody', async () => {
    const port = await freePort()
    await using server = await MariaDb.with(
      'shop',
      '--skip-networking=0',
      `--port=${port}`,
      '--bind-address=0.0.0.0',
      '--max-connect-errors=3',
    )
    const address = { kind: 'tcp', host, port } as const
    expect(await probe({ kind: 'mysql', user: 'portico' }, server.socket)).toBe('')
    expect(await probe({ kind: 'mysql', user: 'root' }, server.socket)).toBe('')
    const ask = async (): Promise<string[]> => {
      const all = Array.from({ length: 12 }, () =>
        probe({ kind: 'mysql', user: 'portico' }, address),
      )
      return [...new Set(await Promise.all(all))]
    }
    // A server that has nobody for our machine is of no use to those who come through it.
    if (host !== '127.0.0.1') expect(await ask()).toEqual([expect.stringMatching(/1130/)])
    execFileSync('mariadb', ['--no-defaults', `--socket=${server.socket}`, '-uroot'], {
      input: "CREATE USER somebody@'%' IDENTIFIED BY 'x'",
    })
    expect(await ask()).toEqual([''])
    expect(await ask()).toEqual([''])
    // Those who leave without an answer are blocked indeed.
    for (let i = 0; i < 8; i++) await rude(port)
    if (host !== '127.0.0.1') {
      expect(await probe({ kind: 'mysql', user: 'portico' }, address)).toMatch(/blocked.*1129/)
    }
  })
})

it('fastcgi: php-fpm', async () => {
  await using server = await phpFpm('ping.path = /ping\nping.response = pong')
  const path = server.path('fastcgi')
  expect(await probe({ kind: 'fastcgi', path: '', body: '' }, path)).toBe('')
  expect(await probe({ kind: 'fastcgi', path: '/ping', body: '~^pong$' }, path)).toBe('')
  expect(await probe({ kind: 'fastcgi', path: '/ping', body: 'gnop' }, path)).toMatch(/not the one/)
  expect(await probe({ kind: 'fastcgi', path: '/none', body: '' }, path)).toMatch(
    /^answered 40[34]/,
  )
})

it('uwsgi: uWSGI', async () => {
  // Debian has taken the answer to pings out of the program, into a plugin.
  await using server = await uwsgi('backend_contract.py', ['--plugin=ping'])
  expect(await probe({ kind: 'uwsgi' }, server.path('uwsgi'))).toBe('')
  expect(await probe({ ...page, path: '/' }, server.path('uwsgi'))).not.toBe('')
})

it('ping: this machine', async () => {
  expect(await probe({ kind: 'ping' }, 1)).toBe('')
  expect(await probe({ kind: 'ping' }, { kind: 'tcp', host: '::1', port: 1 })).toBe('')
})

it('a file, and a script that looks for it', async () => {
  const path = join(folder, 'number')
  const ask = (dynamic: boolean): Promise<string> => probe({ kind: 'file', path, dynamic }, 1)
  expect(await ask(false)).toMatch(/ENOENT/)
  for (const [content, plain, dynamic] of [
    ['0\n', '', 'weight 0'],
    ['7', `${path} says 7`, 'weight 7'],
    ['-1', `${path} says -1`, `${path} says -1`],
    ['999999', `${path} says 999999`, 'weight 65535'],
    ['', `${path} holds no number`, `${path} holds no number`],
    ['12 Bananen', `${path} holds no number`, `${path} holds no number`],
  ] as const) {
    writeFileSync(path, content)
    expect([await ask(false), await ask(true)]).toEqual([plain, dynamic])
  }
  const script = { kind: 'script', folder: '/', dynamic: false } as const
  const argv = [
    '/bin/sh',
    '-c',
    'echo one; echo "$PORTICO_ADDRESS:$PORTICO_PORT $WHO uid $(id -u)"; exit 4',
  ]
  const told = await probe({ ...script, argv, env: ['WHO=Jürgen'] }, 1)
  expect(told).toMatch(/^exit code 4: 127\.0\.0\.1:1 /)
  expect(told).not.toMatch(/uid 0$/)
  expect(await probe({ ...script, argv: ['/bin/true'], env: [] }, 1)).toBe('')
  expect(await probe({ ...script, argv: ['/bin/sh', '-c', 'kill -9 $$'], env: [] }, 1)).toBe(
    'ended by signal 9',
  )
  expect(await probe({ ...script, argv: ['/no/such'], env: [] }, 1)).toMatch(/ENOENT|no such/i)
})

it('http over TLS, and HTTP/2: nginx', async () => {
  using authority = new Authority()
  const good = authority.issue(['DNS:www.example.test', 'IP:127.0.0.1'])
  const [late, second, both] = [await freePort(), await freePort(), await freePort()]
  const page1: HttpCheckPlan = { ...page, path: '/' }
  const location =
    'location / { return 200 "$server_protocol $host $ssl_server_name $ssl_client_verify"; }'
  await using nginx = await Nginx.serve(
    (port) => `
    server { listen 127.0.0.1:${port} ssl; ${nginxTls(good)} ssl_verify_client optional;
      ssl_client_certificate ${authority.file}; ${location} }
    server { listen 127.0.0.1:${late} ssl; ${nginxTls(authority.issue(['IP:127.0.0.1'], -1))} ${location} }
    server { listen 127.0.0.1:${second} http2; ${location} }
    server { listen 127.0.0.1:${both} ssl http2; ${nginxTls(good)} ${location} }`,
  )
  const files = {
    ca: authority.pem,
    certificate: readFileSync(good.certificate, 'latin1'),
    key: readFileSync(good.key, 'latin1'),
  }
  const ask = (port: number, more: Partial<HttpCheckPlan>, own = files): Promise<string> =>
    probe({ ...page1, ...more }, port, own)
  const secure = { tls: { verify: true, name: '' } } as const
  const named = { ...secure, host: 'www.example.test' }
  expect(await ask(nginx.port, { ...secure, body: '~^HTTP/1.1 127.0.0.1  SUCCESS$' })).toBe('')
  expect(
    await ask(nginx.port, { ...named, body: '~^HTTP/1.1 www.example.test www.example.test' }),
  ).toBe('')
  expect(await ask(nginx.port, { tls: { verify: true, name: 'other.test' } })).toMatch(
    /other\.test/,
  )
  expect(await ask(nginx.port, secure, NO_FILES)).toMatch(/self-signed|unable to/)
  expect(await ask(nginx.port, { tls: { verify: false, name: '' } }, NO_FILES)).toBe('')
  expect(await ask(late, secure)).toBe('certificate has expired')
  expect(await ask(second, secure)).not.toBe('')
  // With knowledge of what it speaks, and by ALPN.
  const h2 = { version: 2, body: '~^HTTP/2.0 ' } as const
  expect(await ask(second, h2)).toBe('')
  expect(await ask(second, { ...h2, status: [500, 599] })).toBe('answered 200')
  expect(await ask(both, { ...named, ...h2, body: '~^HTTP/2.0 www.example.test www' })).toBe('')
  expect(await ask(both, { ...h2, ...secure }, NO_FILES)).toMatch(/self-signed|unable to/)
  expect(await ask(nginx.port, { ...h2, ...secure })).not.toBe('')
})

it('a server that wants a PROXY header first: nginx', async () => {
  using authority = new Authority()
  const [secure, second] = [await freePort(), await freePort()]
  const location = 'location / { return 200 "$proxy_protocol_addr ok"; }'
  await using nginx = await Nginx.serve(
    (port) => `
    server { listen 127.0.0.1:${port}; ${location} }
    server { listen 127.0.0.1:${secure} ssl proxy_protocol;
      ${nginxTls(authority.issue(['IP:127.0.0.1']))} ${location} }
    server { listen 127.0.0.1:${second} http2 proxy_protocol; ${location} }`,
  )
  const files = { ca: authority.pem, certificate: '', key: '' }
  const plan: HttpCheckPlan = { ...page, path: '/', body: ' ok' }
  expect(await probe(plan, nginx.port)).toBe('')
  for (const version of ['v1', 'v2'] as const) {
    const first = writeProxyHeader(version, null)
    const tls = { verify: true, name: '' }
    expect(await probe({ ...plan, tls }, secure, files, first)).toBe('')
    expect(await probe({ ...plan, version: 2 }, second, files, first)).toBe('')
    expect(
      await probe(
        { kind: 'tcp', send: 'GET / HTTP/1.0\r\n\r\n', expect: '400' },
        nginx.port,
        files,
        first,
      ),
    ).toBe('')
  }
  expect(await probe({ ...plan, tls: { verify: true, name: '' } }, secure, files)).not.toBe('')
})
