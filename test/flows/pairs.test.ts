/**
 * Every gateway before every transport: the same contract for all of them. What stands behind is real:
 * workers of our own in every way that WSGI can be run, Debian's Gunicorn and uWSGI by each of its
 * protocols, and CGI programs.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { Backend, uwsgi } from './support/backends.ts'
import { conforms, type Feature } from './support/conformance.ts'
import { Nghttpx } from './support/nghttpx.ts'
import { freePort, Nginx } from './support/peers.ts'
import { APPS, Portico, PYTHON } from './support/portico.ts'

/** Spoken to us by nginx. */
const GATEWAYS = ['uwsgi', 'puwsgi', 'fastcgi', 'scgi'] as const
const FRONTS = ['http', 'http2', ...GATEWAYS] as const

/** How each backend is reached from the site file, and what it cannot do. */
const BACKENDS: Readonly<Record<string, { handler: string; cannot?: readonly Feature[] }>> = {
  wsgi: { handler: '{ app: wsgi, body: 0 }' },
  threads: { handler: '{ app: threads, body: 0 }' },
  gevent: { handler: '{ app: gevent, body: 0 }' },
  eventlet: { handler: '{ app: eventlet, body: 0 }' },
  // ASGI has paths as UTF-8, and its bridge to WSGI has fields as ASCII.
  asgi: { handler: '{ app: asgi, body: 0 }', cannot: ['bytes in paths', 'latin-1 fields'] },
  http: { handler: '{ proxy: "127.0.0.1:HTTP_PORT", body: 0 }' },
  // uWSGI answers nothing at all for an application that raises.
  uwsgi: { handler: '{ proxy: "uwsgi://unix:BEHIND/uwsgi", body: 0 }', cannot: ['failures'] },
  fastcgi: { handler: '{ proxy: "fastcgi://unix:BEHIND/fastcgi", body: 0 }', cannot: ['failures'] },
  scgi: { handler: '{ proxy: "scgi://unix:BEHIND/scgi", body: 0 }', cannot: ['failures'] },
  cgi: { handler: '{ cgi: FOLDER/conformance.cgi, env: { LEFT: FOLDER/left }, body: 0 }' },
}

/** Python's own bridge from CGI to WSGI; it hears of a visitor that left by a signal. */
const CGI = `#!${PYTHON}
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
from wsgiref.handlers import CGIHandler
sys.path.insert(0, "${APPS}")
from conformance import application
CGIHandler().run(application)
`

const folder = mkdtempSync(join(tmpdir(), 'portico-pairs-'))
const left = join(folder, 'left')
const socketOf = (front: string): string => join(folder, `${front}.sock`)
let behind: Backend
let gunicorn: Backend
let portico: Portico
let nginx: Nginx
/** Speaks HTTP/2 to us. */
let nghttpx: Nghttpx

beforeAll(async () => {
  chmodSync(folder, 0o755)
  mkdirSync(left)
  chmodSync(left, 0o777)
  writeFileSync(join(folder, 'conformance.cgi'), CGI, { mode: 0o755 })
  behind = await uwsgi('conformance.py', ['--processes=12', `--env=LEFT=${left}`])
  const port = await freePort()
  gunicorn = await new Backend(
    (own) => [
      'gunicorn',
      `--bind=unix:${own}/ready`,
      `--bind=127.0.0.1:${port}`,
      `--pythonpath=${APPS}`,
      `--env=LEFT=${left}`,
      '--workers=2',
      '--threads=12',
      'conformance:application',
    ],
    ['ready'],
  ).start()
  const app = (mode: string, module = 'conformance'): string =>
    `{ python: ${module}, interpreter: ${PYTHON}, workers: 2, env: { LEFT: "${left}" }, ${mode} }`
  const hosts = Object.entries(BACKENDS).flatMap(([name, { handler }]) => {
    const told = handler
      .replace('HTTP_PORT', String(port))
      .replace('BEHIND', behind.folder)
      .replaceAll('FOLDER', folder)
    return FRONTS.map((front) => `  ${name}-${front}.test: { /: ${told} }`)
  })
  portico = await Portico.serve({
    'conformance.py': readFileSync(`${APPS}/conformance.py`),
    'conformance_asgi.py': readFileSync(`${APPS}/conformance_asgi.py`),
    'site.yaml': `
listen: ["127.0.0.1:0", ${GATEWAYS.map((front) => `"${front}://unix:${socketOf(front)}"`).join(', ')}]
threads: 2
user: root
hosts:
${hosts.join('\n')}
apps:
  wsgi: ${app('threads: 1')}
  threads: ${app('threads: 8')}
  gevent: ${app('mode: gevent')}
  eventlet: ${app('mode: eventlet')}
  asgi: ${app('mode: asgi', 'conformance_asgi')}
`,
  })
  await portico.settled()
  nghttpx = await Nghttpx.before(portico.port)
  nginx = await Nginx.serve(
    (port) => `
  uwsgi_buffering off; fastcgi_buffering off; scgi_buffering off;
  ${GATEWAYS.map((front) => {
    const name = front === 'puwsgi' ? 'uwsgi' : front
    return `server {
    listen 127.0.0.1:${port};
    server_name ~-${front}\\.test$;
    client_max_body_size 0;
    location / { include /etc/nginx/${name}_params; ${name}_pass unix:${socketOf(front)}; }
  }`
  }).join('\n')}`,
  )
}, 60_000)

afterAll(async () => {
  await nghttpx?.[Symbol.asyncDispose]()
  await nginx?.[Symbol.asyncDispose]()
  await portico?.[Symbol.asyncDispose]()
  await behind?.[Symbol.asyncDispose]()
  await gunicorn?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

describe.each(FRONTS)('%s before', (front) => {
  describe.concurrent.each(Object.entries(BACKENDS))('%s', (name, { cannot = [] }) => {
    conforms({
      at: () => ({ http: portico.port, http2: nghttpx.port })[front as string] ?? nginx.port,
      left: () => left,
      host: `${name}-${front}.test`,
      cannot,
    })
  })
})
