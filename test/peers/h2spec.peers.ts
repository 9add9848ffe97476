/**
 * The conformance suite of HTTP/2 (github.com/summerwind/h2spec), built by Go from its module proxy: all of
 * its cases, strict ones included, against a site with files, an application and a proxy.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico, PYTHON, run } from '../flows/support/portico.ts'

const MODULE = 'github.com/summerwind/h2spec/cmd/h2spec'
/** The newest tag has no module file: the newest of what it stands on is taken, as Go chooses. */
const VERSION = 'v2.2.1+incompatible'
const BUILD_MS = 600_000
const CASES = 146

const APP = `
def application(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello, world"]
`

const folder = mkdtempSync(join(tmpdir(), 'portico-h2spec-'))
let site: Portico

beforeAll(async () => {
  execFileSync('go', ['install', `${MODULE}@${VERSION}`], {
    env: { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' },
  })
  const behind = await Portico.serve({
    'site.yaml': 'listen: "127.0.0.1:0"\nroutes: { /: { respond: "hello, world" } }\n',
  })
  peers.push(behind)
  site = await Portico.serve({
    'app.py': APP,
    'www/index.html': 'hello, world\n',
    'site.yaml': `
listen: "127.0.0.1:0"
hosts:
  "*":
    /: { respond: "hello, world" }
    /app: { app: app }
    /files/: { files: ./www }
    /proxy: { proxy: "127.0.0.1:${behind.port}" }
apps: { app: { python: app, interpreter: ${PYTHON}, workers: 2 } }
`,
  })
  peers.push(site)
}, BUILD_MS)

const peers: Portico[] = []
afterAll(async () => {
  for (const peer of peers) await peer[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test.each(['/', '/app', '/files/', '/proxy'])(
  'all cases, at %s',
  { timeout: 60_000 },
  async (path) => {
    const { out } = await run(join(folder, 'h2spec'), [
      '--host=127.0.0.1',
      `--port=${site.port}`,
      `--path=${path}`,
      '--strict',
      '--timeout=4',
    ])
    expect(out).toContain(`${CASES} tests, ${CASES} passed, 0 skipped, 0 failed`)
  },
)
