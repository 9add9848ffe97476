/**
 * The conformance suite of HTTP/2 (github.com/summerwind/h2spec), built by Go from its module proxy: all of
 * its cases, strict ones included, against a site with files, an application and a proxy.
 *
 * Without TLS, what does not begin as HTTP/2 is HTTP/1, so one case is answered in that: an invalid preface.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
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
  const made = ['-nodes', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...curve, ...made, '-subj', '/CN=localhost'])
  site = await Portico.serve({
    'cert.pem': readFileSync(join(folder, 'cert.pem')),
    'key.pem': readFileSync(join(folder, 'key.pem')),
    'app.py': APP,
    'www/index.html': 'hello, world\n',
    'site.yaml': `
listen: ["127.0.0.1:0", { on: "https://127.0.0.1:0", certificate: cert.pem, key: key.pem }]
routes:
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

const PATHS = ['/', '/app', '/files/', '/proxy']

async function outcome(url: string, path: string, ...more: readonly string[]): Promise<string> {
  const { out } = await run(join(folder, 'h2spec'), [
    '--host=127.0.0.1',
    `--port=${new URL(url).port}`,
    `--path=${path}`,
    '--strict',
    '--timeout=4',
    ...more,
  ])
  return out
}

test.each(PATHS)('all cases over TLS, at %s', async (path) => {
  const out = await outcome(site.urls[1]!, path, '--tls', '--insecure')
  expect(out).toContain(`${CASES} tests, ${CASES} passed, 0 skipped, 0 failed`)
})

test.each(PATHS)('all but one without, at %s', async (path) => {
  const out = await outcome(site.urls[0]!, path)
  expect(out).toContain(`${CASES} tests, ${CASES - 1} passed, 0 skipped, 1 failed`)
  const failures = out.slice(out.indexOf('Failures:'))
  expect(failures.match(/^ +\S+ \d+: .*$/gm)).toHaveLength(1)
  expect(failures).toContain('Sends invalid connection preface')
})
