/** `portico serve` in each folder of examples/: what it holds is seen, and served. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, type Reply } from './support/visitor.ts'

const EXAMPLES = new URL('../../examples', import.meta.url).pathname

/** What the log says is served, a path, and what its answer says. */
const EXPECTED: Readonly<Record<string, readonly [RegExp, string, RegExp]>> = {
  asgi: [/ASGI application/, '/', /<title>Echo/],
  cgi: [/CGI programs/, '/cgi-bin/hello.sh', /./],
  'node-fetch': [/Node application/, '/', /./],
  'node-server': [/Node application/, '/', /^Hello 127/],
  operations: [/site file/, '/', /<title>Shop/],
  php: [/PHP application/, '/', /It works/],
  psgi: [/PSGI application/, '/', /<title>Guest/],
  rack: [/Rack application/, '/', /<title>Guest/],
  sessions: [/site file/, '/ping', /^pong$/],
  site: [/site file/, '/ping', /^pong$/],
  tls: [/site file/, '/up', /"status":"ok"/],
}

/** Where it has to listen besides. */
const ALSO: Readonly<Record<string, readonly string[]>> = { tls: ['https://127.0.0.1:0'] }

test('each folder has an expectation', () => {
  expect(readdirSync(EXAMPLES).sort()).toEqual(Object.keys(EXPECTED).sort())
})

/** The machine's python3 may be another one; what has to be kept is thrown away. */
function environment(): Record<string, string> {
  const state = mkdtempSync(join(tmpdir(), 'portico-state-'))
  onTestFinished(() => rmSync(state, { recursive: true, force: true }))
  const PATH = `${PYTHON.replace(/\/python3$/, '')}:${process.env.PATH}`
  return { PATH, SHOP_STATE: state }
}

test.each(Object.entries(EXPECTED))('%s', async (name, [description, path, answer]) => {
  await using portico = await Portico.serve(
    {},
    {
      target: `${EXAMPLES}/${name}`,
      args: ['127.0.0.1:0', ...(ALSO[name] ?? [])].flatMap((on) => ['--listen', on]),
      env: environment(),
    },
  )
  await portico.logged(description)
  const { status, text } = await ask(portico.port, path)
  expect([status, text]).toEqual([200, expect.stringMatching(answer)])
})

test('operations: an order is a job, what can never be done a dead letter, and the rest goes on', async () => {
  await using portico = await Portico.serve(
    {},
    {
      target: `${EXAMPLES}/operations`,
      args: ['--listen', '127.0.0.1:0'],
      env: environment(),
    },
  )
  const { port } = portico
  const order = (to: string): Promise<Reply> => ask(port, `/orders?to=${to}`, { method: 'POST' })
  expect((await order('a@b.c')).status).toBe(202)
  expect((await order('nobody')).status).toBe(202)
  await until('the mail', async () => (await ask(port, '/orders')).text === '{"sold":1}\n')
  expect((await portico.logged(/^mail to a@b\.c$/)).app).toBe('shop')
  await portico.logged(/is a dead letter \(attempt 1 of 4\): nobody is no address$/)
  expect((await portico.logged(/INFO [0-9a-f]+ ordered by a@b\.c/)).app).toBe('shop')
  const slow = ask(port, '/report?seconds=2')
  await portico.logged(/slow request: GET \/report/)
  // No worker is needed for these.
  expect((await ask(port, '/healthz')).text).toMatch(/^\{"status":"ok"/)
  expect((await ask(port, '/metrics')).text).toMatch(/^orders_total 2$/m)
  expect((await slow).text).toBe('All is well.\n')
})
