/** `portico serve` in each folder of examples/: what it holds is seen, and served. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Portico, PYTHON } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const EXAMPLES = new URL('../../examples', import.meta.url).pathname

/** What the log says is served, a path, and what its answer says. */
const EXPECTED: Readonly<Record<string, readonly [RegExp, string, RegExp]>> = {
  asgi: [/ASGI application/, '/', /<title>Echo/],
  cgi: [/CGI programs/, '/cgi-bin/hello.sh', /./],
  'node-fetch': [/Node application/, '/', /./],
  'node-server': [/Node application/, '/', /^Hello 127/],
  php: [/PHP application/, '/', /It works/],
  psgi: [/PSGI application/, '/', /<title>Guest/],
  rack: [/Rack application/, '/', /<title>Guest/],
  site: [/site file/, '/ping', /^pong$/],
}

test('each folder has an expectation', () => {
  expect(readdirSync(EXAMPLES).sort()).toEqual(Object.keys(EXPECTED).sort())
})

test.each(Object.entries(EXPECTED))('%s', async (name, [description, path, answer]) => {
  await using portico = await Portico.serve(
    {},
    {
      target: `${EXAMPLES}/${name}`,
      args: ['--listen', '127.0.0.1:0'],
      // The machine's python3 may be another one.
      env: { PATH: `${PYTHON.replace(/\/python3$/, '')}:${process.env.PATH}` },
    },
  )
  await portico.logged(description)
  const { status, text } = await ask(portico.port, path)
  expect([status, text]).toEqual([200, expect.stringMatching(answer)])
})
