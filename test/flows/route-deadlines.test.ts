/** A route's own deadlines go before its application's, whatever runs it, and for nobody else. */
import { chmodSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const FILES = {
  'wsgi.py': `import time

def application(environ, start_response):
    time.sleep(1.5 if environ["QUERY_STRING"] != "ages" else 60)
    start_response("200 OK", [])
    return [b"done"]
`,
  'chat.py': `import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await asyncio.sleep(1.5 if scope["query_string"] != b"ages" else 60)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
`,
  'fetch.mjs': `export default {
  async fetch(request) {
    await new Promise((resolve) => setTimeout(resolve, request.url.endsWith('ages') ? 60_000 : 1500))
    return new Response('done')
  },
}
`,
  'server.mjs': `import { createServer } from 'node:http'
createServer((request, response) => {
  setTimeout(() => response.end('done'), request.url.endsWith('ages') ? 60_000 : 1500)
}).listen(3000)
`,
  'www/index.php': `<?php sleep($_SERVER['QUERY_STRING'] === 'ages' ? 60 : 2); echo 'done';`,
}

const KINDS = ['wsgi', 'asgi', 'fetch', 'http', 'inside', 'php']
const SITE = `
listen: "127.0.0.1:0"
threads: 1
routes:
${KINDS.map((name) => `  /${name}/: { app: ${name} }\n  /${name}/strict/: { app: ${name}, deadline: { hard: 500ms, soft: 0 } }`).join('\n')}
apps:
  wsgi: { python: "wsgi:application", interpreter: ${PYTHON}, workers: 2, deadline: 30s }
  asgi: { python: "chat:app", interpreter: ${PYTHON}, workers: 1, deadline: 30s }
  fetch: { node: fetch.mjs, workers: 1, deadline: 30s }
  http: { node: server.mjs, workers: 1, deadline: 30s }
  inside: { node: fetch.mjs, run: threads, deadline: 30s }
  php: { php: ./www, workers: 2, deadline: 30s }
`

let portico: Portico
beforeAll(async () => {
  portico = new Portico({ ...FILES, 'site.yaml': SITE })
  chmodSync(portico.folder, 0o755)
  await portico.ready()
}, 60_000)
afterAll(() => portico[Symbol.asyncDispose]())

test.concurrent.each(KINDS)(
  '%s',
  async (name) => {
    const patient = ask(portico.port, `/${name}/`)
    // It has a worker before the other one may kill its own.
    await sleep(300)
    const began = performance.now()
    expect((await ask(portico.port, `/${name}/strict/?ages`)).status).toBe(504)
    expect(performance.now() - began).toBeLessThan(1_400)
    expect(await patient).toMatchObject({ status: 200, text: 'done' })
  },
  20_000,
)

test('what was stuck is replaced, and only that', async () => {
  await portico.logged(/exceeded its deadline: GET \/wsgi\/strict\/\?ages/)
  await portico.logged(/exceeded its deadline: GET \/php\/strict\/\?ages/)
  const stack = await portico.logged(/sleep\(\).*index\.php:1|index\.php:1/)
  expect(stack.app).toBe('php')
  await until('both replacements', async () => {
    const { wsgi, php } = (await portico.status()).apps
    return wsgi?.reasons.deadline === 1 && php?.reasons.deadline === 1
  })
  const { apps } = await portico.status()
  for (const name of ['asgi', 'fetch', 'http']) expect(apps[name]?.restarts).toBe(0)
})
