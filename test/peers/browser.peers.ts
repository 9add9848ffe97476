/** Chromium over TLS: a page of many parts, an upload, a stream of parts and a WebSocket, all over HTTP/2. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico, PYTHON } from '../flows/support/portico.ts'
import { until } from '../supervisor/site.ts'

const BARE: string = new URL('../apps', import.meta.url).pathname
const PARTS = 60
const UPLOAD = 3_000_000

const PAGE = `<!doctype html><title>parts</title>
${Array.from({ length: PARTS }, (_, i) => `<script src="part.js?${i}"></script>`).join('\n')}
<script>
const tell = (name, value) => fetch('/told?' + name + '=' + encodeURIComponent(value))
onload = async () => {
  const protocols = new Set(performance.getEntriesByType('resource').map((e) => e.nextHopProtocol))
  await tell('parts', window.parts + ' ' + [...protocols])
  const answer = await fetch('/digest', { method: 'POST', body: new Uint8Array(${UPLOAD}) })
  await tell('upload', await answer.text())
  const socket = new WebSocket('wss://' + location.host + '/echo')
  socket.onopen = () => socket.send('by a browser')
  socket.onmessage = ({ data }) => tell('echo', data)
  socket.onerror = () => tell('echo', 'none')
}
</script>`

const folder = mkdtempSync(join(tmpdir(), 'portico-browser-'))
let site: Portico
let browser: ChildProcess

beforeAll(async () => {
  const made = ['-nodes', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...curve, ...made, '-subj', '/CN=localhost'])
  site = await Portico.serve({
    'cert.pem': readFileSync(join(folder, 'cert.pem')),
    'key.pem': readFileSync(join(folder, 'key.pem')),
    'www/index.html': PAGE,
    'www/part.js': 'window.parts = (window.parts ?? 0) + 1',
    'site.yaml': `
listen: { on: "https://127.0.0.1:0", certificate: cert.pem, key: key.pem }
routes:
  /: { app: bare }
  /told: { respond: noted }
  /page/: { files: ./www }
apps:
  bare: { python: "asgi_cases:application", dir: ${BARE}, interpreter: ${PYTHON}, workers: 1 }
`,
  })
  await site.settled()
})
afterAll(async () => {
  browser?.kill('SIGKILL')
  await site[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

interface Line {
  readonly request?: string
  readonly status?: number
}

function log(): Line[] {
  return site.out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

function told(name: string): string | undefined {
  const line = log().find(({ request }) => request?.startsWith(`GET /told?${name}=`))
  return line?.request && decodeURIComponent(/=(\S*)/.exec(line.request)![1]!)
}

test('everything comes over HTTP/2', async () => {
  browser = spawn(
    'chromium',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--ignore-certificate-errors',
      `--user-data-dir=${folder}/profile`,
      `${site.urls[0]}page/`,
    ],
    { stdio: 'ignore' },
  )
  expect(await until('the parts', () => told('parts'), 50_000)).toBe(`${PARTS} h2`)
  expect(await until('the upload', () => told('upload'))).toMatch(new RegExp(`^${UPLOAD} `))
  expect(await until('the WebSocket', () => told('echo'))).toBe('by a browser')
  browser.kill('SIGKILL')
  await until('the end', () => log().some(({ request }) => request?.startsWith('GET /echo ')))
  expect(new Set(log().map(({ request }) => request?.split(' ').at(-1)))).toEqual(
    new Set(['HTTP/2.0']),
  )
  expect(log().find(({ request }) => request?.startsWith('GET /echo '))?.status).toBe(101)
})
