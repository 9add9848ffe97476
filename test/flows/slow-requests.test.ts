/** The soft deadline: where a slow request stands is in the log, in every language; it goes on, and its worker. */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask } from './support/visitor.ts'

/** Line numbers count: the log must name them. */
const FILES = {
  'wsgi.py': `import time

def rests():
    time.sleep(1.6)  # line 4

def computes():
    until = time.monotonic() + 1.6
    while time.monotonic() < until:
        pass

def application(environ, start_response):
    globals()[environ["PATH_INFO"][1:]]()
    start_response("200 OK", [])
    return [b"done"]
`,
  'chat.py': `import asyncio, time

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await {"/asgi/waits": waits, "/asgi/blocks": blocks}[scope["path"]]()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})

async def waits():
    await asyncio.sleep(1.6)  # line 11

async def blocks():
    time.sleep(1.6)  # line 14
`,
  'fetch.mjs': `export default {
  async fetch(request) {
    if (request.url.endsWith('/blocks')) blocks()
    else await new Promise((resolve) => setTimeout(resolve, 1600))
    return new Response('done')
  },
}
function blocks() {
  const until = Date.now() + 1600
  while (Date.now() < until);
}
`,
  'server.mjs': `import { createServer } from 'node:http'
createServer((request, response) => {
  if (request.url.endsWith('/blocks')) { blocks(); response.end('done') }
  else setTimeout(() => response.end('done'), 1600)
}).listen(3000)
function blocks() {
  const until = Date.now() + 1600
  while (Date.now() < until);
}
`,
  'app.psgi': `use Time::HiRes qw(time);
sub rests { my $end = time + 1.6; while ((my $left = $end - time) > 0) { select undef, undef, undef, $left } }
sub computes { my $end = time + 1.6; 1 while time < $end }
sub { my $env = shift; $env->{PATH_INFO} =~ /rests/ ? rests() : computes(); [200, [], ['done']] };
`,
  'config.ru': `def rests = sleep(1.6)
def computes
  limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 1.6
  nil while Process.clock_gettime(Process::CLOCK_MONOTONIC) < limit
end
run ->(env) { env['PATH_INFO'].include?('rests') ? rests : computes; [200, {}, ['done']] }
`,
  'www/index.php': `<?php
function rests() { sleep(3); }
rests();
echo 'done';
`,
  'slow.cgi': '#!/bin/sh\nsleep 1.6\necho "Content-Type: text/plain"; echo; printf done\n',
}

const SITE = `
listen: "127.0.0.1:0"
threads: 1
trace: true
routes:
  /wsgi/: { app: wsgi }
  /threads/: { app: threads }
  /gevent/: { app: gevent }
  /asgi/: { app: asgi }
  /fetch/: { app: fetch }
  /http/: { app: http }
  /inside/: { app: inside }
  /perl/: { app: perl }
  /ruby/: { app: ruby }
  /php/: { app: php }
  /cgi: { cgi: ./slow.cgi, deadline: { soft: 400ms } }
  /patient/: { app: wsgi, deadline: { soft: 0 } }
apps:
  wsgi: { python: "wsgi:application", interpreter: ${PYTHON}, workers: 1, deadline: &soft { soft: 400ms, hard: 20s } }
  threads: { python: "wsgi:application", interpreter: ${PYTHON}, workers: 1, threads: 4, deadline: *soft }
  gevent: { python: "wsgi:application", interpreter: ${PYTHON}, mode: gevent, workers: 1, deadline: *soft }
  asgi: { python: "chat:app", interpreter: ${PYTHON}, workers: 1, deadline: *soft }
  fetch: { node: fetch.mjs, workers: 1, deadline: *soft }
  http: { node: server.mjs, workers: 1, deadline: *soft }
  inside: { node: fetch.mjs, run: threads, deadline: *soft }
  perl: { psgi: app.psgi, workers: 1, deadline: *soft }
  ruby: { rack: config.ru, workers: 1, deadline: *soft }
  php: { php: ./www, workers: 1, deadline: *soft }
`

/** What is being asked of each application. */
const turns = new Map<string, Promise<void>>()
let portico: Portico
let pids: Record<string, number[]>
beforeAll(async () => {
  portico = new Portico({ ...FILES, 'site.yaml': SITE })
  // PHP and CGI run as nobody in particular.
  chmodSync(portico.folder, 0o755)
  chmodSync(join(portico.folder, 'slow.cgi'), 0o755)
  await portico.ready()
  const status = await until('every worker', async () => {
    const status = await portico.status()
    const apps = Object.entries(status.apps).filter(([name]) => name !== 'inside')
    return apps.every(([, { connected }]) => connected === 1) && status
  })
  pids = workersOf(status)
}, 60_000)
afterAll(() => portico[Symbol.asyncDispose]())

function workersOf({ apps }: Awaited<ReturnType<Portico['status']>>): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(apps).map(([name, { workers }]) => [name, workers.map(({ pid }) => pid)]),
  )
}

test.concurrent.each<[string, string, RegExp]>([
  ['wsgi', '/wsgi/rests', /wsgi\.py", line 4 in rests/],
  ['wsgi', '/wsgi/computes', /wsgi\.py", line [89] in computes/],
  ['threads', '/threads/rests', /wsgi\.py", line 4 in rests/],
  ['gevent', '/gevent/rests', /Greenlet of GET \/gevent\/rests \(request [0-9a-f]{16}\)/],
  ['asgi', '/asgi/waits', /Task of GET \/asgi\/waits \(request [0-9a-f]{16}\), for 0\.\d s/],
  ['asgi', '/asgi/blocks', /chat\.py", line 14 in blocks/],
  ['fetch', '/fetch/waits', /is not stuck.*waits for something.*Timeout/],
  ['fetch', '/fetch/blocks', /at blocks \(.*fetch\.mjs:\d+/],
  ['http', '/http/waits', /is not stuck.*waits for something.*Timeout/],
  ['http', '/http/blocks', /at blocks \(.*server\.mjs:\d+/],
  ['perl', '/perl/rests', /app\.psgi", line 2 in rests/],
  ['perl', '/perl/computes', /app\.psgi", line 3 in computes/],
  ['ruby', '/ruby/rests', /config\.ru:1:in .*rests/],
  ['ruby', '/ruby/computes', /config\.ru:4:in .*computes/],
  ['php', '/php/', /index\.php:2[\s\S]*rests\(\).*index\.php:3/],
])(
  '%s: %s',
  async (app, path, stack) => {
    // One at a time of each application: its worker may take no more, and shows its stack once a second.
    const turn = (turns.get(app) ?? Promise.resolve()).then(async () => {
      const reply = await ask(portico.port, path)
      expect(reply).toMatchObject({ status: 200, text: 'done' })
      const words = new RegExp(`slow request: GET ${path} has run for \\d+ ms; `)
      expect(await portico.logged(words)).toMatchObject({
        app,
        request_id: reply.fields['x-request-id'],
      })
      await until(`the stack; the log:\n${portico.messages}`, () =>
        portico.log.some((line) => line.app === app && stack.test(line.message)),
      )
    })
    turns.set(
      app,
      turn.catch(() => {}),
    )
    await turn
  },
  30_000,
)

test('what has no stack to show says so', async () => {
  const [inside, program] = await Promise.all([
    ask(portico.port, '/inside/waits'),
    ask(portico.port, '/cgi'),
  ])
  expect([inside.text, program.text]).toEqual(['done', 'done'])
  await portico.logged(/slow request: GET \/inside\/waits .*inside the server: there is no stack/)
  await portico.logged(
    /slow request: GET \/cgi \(request \w+\) .*slow\.cgi is process \d+: a program shows no stack/,
  )
})

test('a route may be patient', async () => {
  const from = portico.log.length
  expect((await ask(portico.port, '/patient/rests')).text).toBe('done')
  expect(portico.log.slice(from).filter(({ app }) => app === 'wsgi')).toEqual([])
})

test('nobody was harmed', async () => {
  expect(workersOf(await portico.status())).toEqual(pids)
  expect(portico.messages).not.toMatch(/worker died|exceeded its deadline/)
})
