/**
 * The name of a request is the same for its visitor, in the access log, for the application in every
 * language, and for the servers behind: real ones. What strangers say of it is nobody's business.
 */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, type Reply } from './support/visitor.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CLAIMS = {
  Traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
  Tracestate: 'vendor=x',
  'X-Request-Id': 'from-before',
}

const FILES = {
  'wsgi.py': `def application(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise ValueError("on purpose")
    start_response("200 OK", [("X-Request-Id", "its-own")] if environ["PATH_INFO"] == "/own" else [])
    names = ("HTTP_TRACEPARENT", "HTTP_X_REQUEST_ID", "HTTP_TRACESTATE", "CONTENT_LENGTH")
    return [" ".join(environ.get(name) or "-" for name in names).encode()]
`,
  'chat.py': `async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    if scope["path"].endswith("/fails"):
        raise ValueError("on purpose")
    found = [value for wanted in (b"traceparent", b"x-request-id", b"tracestate", b"content-length")
             for value in [b",".join(value for name, value in scope["headers"] if name == wanted) or b"-"]]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b" ".join(found)})
`,
  'app.psgi': `sub {
  my $env = shift;
  die "on purpose" if $env->{PATH_INFO} eq '/fails';
  my $text = join ' ', map { $env->{$_} // '-' } qw(HTTP_TRACEPARENT HTTP_X_REQUEST_ID HTTP_TRACESTATE CONTENT_LENGTH);
  [200, [], [$text]];
};
`,
  'config.ru': `run ->(env) do
  raise 'on purpose' if env['PATH_INFO'] == '/fails'
  names = %w[HTTP_TRACEPARENT HTTP_X_REQUEST_ID HTTP_TRACESTATE CONTENT_LENGTH]
  [200, {}, [names.map { |name| env[name] || '-' }.join(' ')]]
end
`,
  'fetch.mjs': `export default {
  fetch(request) {
    if (request.url.endsWith('/fails')) throw new Error('on purpose')
    const names = ['traceparent', 'x-request-id', 'tracestate', 'content-length']
    return new Response(names.map((name) => request.headers.get(name) ?? '-').join(' '))
  },
}
`,
  'server.mjs': `import { createServer } from 'node:http'
createServer(({ headers }, response) => {
  const names = ['traceparent', 'x-request-id', 'tracestate', 'content-length']
  response.end(names.map((name) => headers[name] ?? '-').join(' '))
}).listen(3000)
`,
  'www/index.php': `<?php
$names = ['HTTP_TRACEPARENT', 'HTTP_X_REQUEST_ID', 'HTTP_TRACESTATE', 'CONTENT_LENGTH'];
echo implode(' ', array_map(fn ($name) => ($_SERVER[$name] ?? '') ?: '-', $names));
`,
  'names.cgi': `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n'
printf '%s %s %s %s' "\${HTTP_TRACEPARENT:--}" "\${HTTP_X_REQUEST_ID:--}" "\${HTTP_TRACESTATE:--}" "\${CONTENT_LENGTH:--}"
`,
}

const APPS = `
  wsgi: { python: "wsgi:application", interpreter: ${PYTHON}, workers: 1 }
  threads: { python: "wsgi:application", interpreter: ${PYTHON}, workers: 1, threads: 2 }
  gevent: { python: "wsgi:application", interpreter: ${PYTHON}, mode: gevent, workers: 1 }
  asgi: { python: "chat:app", interpreter: ${PYTHON}, workers: 1 }
  perl: { psgi: app.psgi, workers: 1 }
  ruby: { rack: config.ru, workers: 1 }
  fetch: { node: fetch.mjs, workers: 1 }
  http: { node: server.mjs, workers: 1 }
  inside: { node: fetch.mjs, run: threads }
  php: { php: ./www, workers: 1 }
`
const KINDS = Array.from(APPS.matchAll(/^ {2}(\w+):/gm), ([, name = '']) => name)

/** Behind: the applications themselves, over every protocol. Before: what passes on to it. */
let behind: Portico
let before: Portico
beforeAll(async () => {
  behind = new Portico({
    ...FILES,
    'site.yaml': `
listen: ["127.0.0.1:0", "uwsgi://127.0.0.1:0", "fastcgi://127.0.0.1:0", "scgi://127.0.0.1:0"]
threads: 1
trace: true
trusted: [127.0.0.1]
log: { format: json }
routes:
${KINDS.map((name) => `  /${name}/: { app: ${name} }`).join('\n')}
  /cgi: { cgi: ./names.cgi }
  /text: { respond: pong }
apps:${APPS}`,
  })
  chmodSync(behind.folder, 0o755)
  chmodSync(join(behind.folder, 'names.cgi'), 0o755)
  await behind.ready()
  const urls = behind.urls.map((url) => url.replace(/\/$/, ''))
  before = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
trace: { answer: false, sampled: false }
log: { format: json }
routes:
${urls.map((url) => `  /${new URL(url).protocol.slice(0, -1)}/: { proxy: "${url}" }`).join('\n')}
  "~^/(.*)": { proxy: "${urls[0]}" }
`,
  })
}, 60_000)
afterAll(async () => {
  await before[Symbol.asyncDispose]()
  await behind[Symbol.asyncDispose]()
})

function partsOf({ text }: Reply): string[] {
  return text.split(' ')
}

interface Logged {
  readonly target: string
  readonly request_id?: string
  readonly trace_id?: string
}

async function accessOf(portico: Portico, target: string): Promise<Logged> {
  return until(`the access log of ${target}`, () =>
    portico.out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): Logged => JSON.parse(line))
      .findLast((line) => line.target === target),
  )
}

test.each([...KINDS.map((name) => `/${name}/`), '/cgi'])(
  '%s has the name that its visitor and the log have, and says nothing else',
  async (path) => {
    const reply = await ask(behind.port, `${path}?n=1`)
    expect(reply.status).toBe(200)
    const [parent = '', id, state] = partsOf(reply)
    expect(parent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(id).toMatch(/^[0-9a-f]{16}$/)
    expect(state).toBe('-')
    expect(reply.fields['x-request-id']).toBe(id)
    const [, traceId, spanId] = parent.split('-')
    expect(spanId).toBe(id)
    expect(await accessOf(behind, `${path}?n=1`)).toMatchObject({
      request_id: id,
      trace_id: traceId,
    })
    // The same bytes again, on which much is remembered, are another request.
    const again = partsOf(await ask(behind.port, `${path}?n=1`))
    expect(again[1]).toMatch(/^[0-9a-f]{16}$/)
    expect(again[1]).not.toBe(id)
  },
)

test.each([...KINDS.map((name) => `/${name}/`), '/cgi'])(
  '%s: a trusted proxy’s trace goes on, with a body too',
  async (path) => {
    const reply = await ask(behind.port, path, { fields: CLAIMS, body: 'abc' })
    const [parent = '', id, state, length] = partsOf(reply)
    expect(parent.split('-').slice(0, 2)).toEqual(['00', TRACE])
    expect(parent).not.toBe(CLAIMS.Traceparent)
    expect([id, state, length]).toEqual(['from-before', 'vendor=x', '3'])
    expect(reply.fields['x-request-id']).toBe('from-before')
  },
)

test('what the server answers by itself has a name, too; an application may give its own', async () => {
  for (const path of ['/text', '/nowhere', '/wsgi/fails']) {
    expect((await ask(behind.port, path)).fields['x-request-id']).toMatch(/^[0-9a-f]{16}$/)
  }
  expect((await ask(behind.port, '/wsgi/own')).fields['x-request-id']).toBe('its-own')
})

test.each(['wsgi', 'threads', 'gevent', 'asgi', 'perl', 'ruby', 'fetch', 'inside'])(
  '%s: a traceback names its request',
  async (app) => {
    const reply = await ask(behind.port, `/${app}/fails`)
    expect(reply.status).toBe(500)
    const id = reply.fields['x-request-id']
    await behind.logged(new RegExp(`/${app}/fails \\(request ${id}\\): the application failed`))
  },
)

test.each(['http', 'uwsgi', 'fastcgi', 'scgi'])(
  'behind %s: the next server goes on with the trace, not with what strangers say',
  async (protocol) => {
    // Asked for by nobody else, so that its line in the log is no other's.
    const path = `${protocol === 'http' ? '/wsgi/' : `/${protocol}/`}?behind`
    const reply = await ask(before.port, path, { fields: CLAIMS })
    const logged = await accessOf(before, path)
    expect(logged.trace_id).toMatch(/^[0-9a-f]{32}$/)
    expect(logged.trace_id).not.toBe(TRACE)
    const next = await accessOf(behind, path)
    expect(next).toMatchObject({ request_id: logged.request_id, trace_id: logged.trace_id })
    if (protocol !== 'http') return
    const [parent = '', id, state] = partsOf(reply)
    expect(parent.startsWith(`00-${logged.trace_id}-`)).toBe(true)
    // As its beginning said: not to be recorded.
    expect(parent.endsWith('-00')).toBe(true)
    expect([id, state]).toEqual([logged.request_id, '-'])
    // What the one behind tells passes; of our own nothing is told.
    expect(reply.fields['x-request-id']).toBe(id)
  },
)

test('visitors are told nothing where they shall not be', async () => {
  expect((await ask(before.port, '/fastcgi/')).status).toBe(404)
  const { fields } = await ask(before.port, '*', { method: 'OPTIONS' })
  expect(fields['x-request-id']).toBeUndefined()
})
