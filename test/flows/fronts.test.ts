/** Portico behind Debian's nginx and Apache, over each gateway protocol: one contract for all of them. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Apache } from './support/apache.ts'
import { conforms, type Feature } from './support/conformance.ts'
import { freePort, Nginx } from './support/peers.ts'
import { APPS, Portico, PYTHON } from './support/portico.ts'
import { ask, Visitor } from './support/visitor.ts'

const SCHEMES = ['uwsgi', 'puwsgi', 'fastcgi', 'scgi'] as const
type Scheme = (typeof SCHEMES)[number]

const folder = mkdtempSync(join(tmpdir(), 'portico-fronts-'))
const left = join(folder, 'left')
const sockets = Object.fromEntries(SCHEMES.map((name) => [name, join(folder, `${name}.sock`)]))
let ports: Record<Scheme, number>
let portico: Portico
let nginx: Nginx
let apache: Apache

beforeAll(async () => {
  // Apache's workers are somebody else.
  chmodSync(folder, 0o755)
  mkdirSync(left)
  const [a = 0, b = 0, c = 0, d = 0] = await Promise.all(SCHEMES.map(freePort))
  ports = { uwsgi: a, puwsgi: b, fastcgi: c, scgi: d }
  const listen = SCHEMES.flatMap((name) => [
    `"${name}://127.0.0.1:${ports[name]}"`,
    `"${name}://unix:${sockets[name]}"`,
  ])
  portico = await Portico.serve({
    'conformance.py': readFileSync(`${APPS}/conformance.py`),
    'files/large.bin': Buffer.alloc(3_000_000, 'large'),
    'files/small.txt': 'small',
    'site.yaml': `
listen: [${listen.join(', ')}]
threads: 2
timeouts: { abandon: 2s }
routes:
  /: { app: app, body: 0 }
  /files/: { files: ./files }
  /limited/: { app: app, body: 1KB }
  /mounted/: { app: app }
apps:
  app: { python: conformance, interpreter: ${PYTHON}, workers: 4, env: { LEFT: "${left}" } }
`,
  })
  await portico.settled()
  for (const path of Object.values(sockets)) chmodSync(path, 0o666)
  nginx = await Nginx.serve(nginxConfiguration)
  apache = await Apache.serve(
    ['proxy', 'proxy_uwsgi', 'proxy_fcgi', 'proxy_scgi'],
    apacheConfiguration(),
  )
}, 60_000)

afterAll(async () => {
  await apache?.[Symbol.asyncDispose]()
  await nginx?.[Symbol.asyncDispose]()
  await portico?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

/** A server of nginx for each way to us. */
const WAYS: Readonly<Record<string, () => string>> = {
  'uwsgi-tcp': () => `include uwsgi_params; uwsgi_pass 127.0.0.1:${ports.uwsgi};`,
  'uwsgi-unix': () => `include uwsgi_params; uwsgi_pass unix:${sockets.uwsgi};`,
  'puwsgi-tcp': () => `include uwsgi_params; uwsgi_pass 127.0.0.1:${ports.puwsgi};`,
  'fastcgi-tcp': () => `include fastcgi_params; fastcgi_pass 127.0.0.1:${ports.fastcgi};`,
  'fastcgi-unix': () => `include fastcgi_params; fastcgi_pass unix:${sockets.fastcgi};`,
  'fastcgi-kept': () => `include fastcgi_params; fastcgi_pass kept; fastcgi_keep_conn on;`,
  'fastcgi-unbuffered': () =>
    `include fastcgi_params; fastcgi_pass kept; fastcgi_keep_conn on; fastcgi_request_buffering off;`,
  'scgi-tcp': () => `include scgi_params; scgi_pass 127.0.0.1:${ports.scgi};`,
  'scgi-unix': () => `include scgi_params; scgi_pass unix:${sockets.scgi};`,
}

function nginxConfiguration(port: number): string {
  const servers = Object.entries(WAYS).map(([name, way]) => {
    const pass = way().replace(/include (\S+);/, 'include /etc/nginx/$1;')
    return `
  server {
    listen 127.0.0.1:${port};
    server_name ${name}.test;
    client_max_body_size 0;
    location / { ${pass} }
    location /rewritten/ { rewrite ^/rewritten(/.*)$ $1 break; ${pass} }
  }`
  })
  return `
  upstream kept { server 127.0.0.1:${ports.fastcgi}; keepalive 8; }
  uwsgi_buffering off; fastcgi_buffering off; scgi_buffering off;
  ${servers.join('')}`
}

function apacheConfiguration(): string {
  const ways = Object.entries({ uwsgi: 'uwsgi', fcgi: 'fastcgi', scgi: 'scgi' } as const)
  return ways
    .map(
      ([scheme, own]) => `
<VirtualHost *>
  ServerName ${own}.test
  AllowEncodedSlashes NoDecode
  ProxyPass /mounted/ ${scheme}://127.0.0.1:${ports[own]}/ flushpackets=on
  ProxyPass / ${scheme}://127.0.0.1:${ports[own]}/ flushpackets=on
</VirtualHost>
<VirtualHost *>
  ServerName ${own}-unix.test
  AllowEncodedSlashes NoDecode
  ProxyPass / unix:${sockets[own]}|${scheme}://${own}-unix/ flushpackets=on
</VirtualHost>`,
    )
    .join('')
}

describe.each(Object.keys(WAYS))('nginx by %s', (name) => {
  conforms({ at: () => nginx.port, left: () => left, host: `${name}.test` })

  test('files, large and small, whole and in part', async () => {
    const fields = { Host: `${name}.test` }
    const large = await ask(nginx.port, '/files/large.bin', { fields })
    expect(large.body.equals(Buffer.alloc(3_000_000, 'large'))).toBe(true)
    const part = await ask(nginx.port, '/files/small.txt', {
      fields: { ...fields, Range: 'bytes=1-3' },
    })
    expect([part.status, part.text, part.fields['content-range']]).toEqual([
      206,
      'mal',
      'bytes 1-3/5',
    ])
    const known = await ask(nginx.port, '/files/small.txt', {
      fields: { ...fields, 'If-None-Match': String(part.fields.etag) },
    })
    expect([known.status, known.text]).toEqual([304, ''])
  })

  test('a body that is too large', async () => {
    const { status } = await ask(nginx.port, '/limited/echo', {
      body: Buffer.alloc(500_000),
      fields: { Host: `${name}.test` },
    })
    expect(status).toBe(413)
  })

  test('a visitor that leaves in the middle of its upload', async () => {
    const visitor = await Visitor.to(nginx.port)
    visitor.send(
      `POST /echo HTTP/1.1\r\nHost: ${name}.test\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(100_000)}`,
    )
    visitor.leave()
    const { text } = await ask(nginx.port, '/echo', {
      body: 'on',
      fields: { Host: `${name}.test` },
    })
    expect(text).toBe('on')
  })
})

/**
 * Its own modules refuse encoded delimiters, uwsgi's encoded slashes, too; only FastCGI's takes bodies
 * in chunks; and since 2.4.59 lengths of CGI-like answers are not believed.
 */
const APACHE: Readonly<Record<string, readonly Feature[]>> = {
  uwsgi: ['chunked uploads', 'encoded delimiters', 'encoded slashes'],
  fastcgi: ['encoded delimiters', 'lengths'],
  scgi: ['chunked uploads', 'encoded delimiters', 'lengths'],
}

/** A unix socket knows no reset: without a length, SCGI's end there is the answer's end. */
const APACHE_WAYS = Object.entries(APACHE).flatMap(([name, cannot]): [string, Feature[]][] => [
  [name, [...cannot]],
  [`${name}-unix`, name === 'scgi' ? [...cannot, 'cuts'] : [...cannot]],
])

describe.each(APACHE_WAYS)('Apache by %s', (name, cannot) => {
  conforms({ at: () => apache.port, left: () => left, host: `${name}.test`, cannot })
})

test.each(Object.keys(APACHE))('what Apache has mounted: %s', async (name) => {
  const reply = await ask(apache.port, '/mounted/report/x?a=b', {
    fields: { Host: `${name}.test` },
  })
  expect(JSON.parse(reply.text)).toMatchObject({
    SCRIPT_NAME: '/mounted',
    PATH_INFO: '/report/x',
    QUERY_STRING: 'a=b',
  })
})

test('what nginx has rewritten is meant', async () => {
  const fields = { Host: 'uwsgi-tcp.test' }
  const reply = await ask(nginx.port, '/rewritten/report/x?a=b', { fields })
  expect(JSON.parse(reply.text)).toMatchObject({ PATH_INFO: '/report/x', QUERY_STRING: 'a=b' })
})
