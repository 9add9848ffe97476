/** Ruby over Rack: the bridge program with a real Ruby and the gem rack. */
import { describe, expect, test } from 'vitest'
import { rack } from '../../../src/runtimes/ruby/runtime.ts'
import { type Bridge, bridgeSuite, loading, scriptPlan } from '../bridge.ts'
import { Supervisor } from '../python/supervisor.ts'

const bridge: Bridge = {
  runtime: rack,
  file: 'bridge.ru',
  version: /^[34]\.\d+\.\d+$/,
  napping: /bridge\.ru:\d+:in [`'].*nap'/,
  spinning: /bridge\.ru:\d+:in [`'].*spin'/,
  raised: /^RuntimeError: on purpose\n\tfrom .*bridge\.ru:\d+:in [`'].*inner'\n/,
  bad: [
    ...['status', 'early', 'headers', 'name', 'newline', 'length', 'lengths'],
    ...['body-number', 'body-string', 'body-nil', 'two', 'text', 'nothing', 'hash'],
  ],
}

bridgeSuite(bridge)

test('values of a header: an array, as in Rack 3, or lines, as in Rack 2', async () => {
  const supervisor = await Supervisor.launch(scriptPlan(bridge), rack)
  const worker = await supervisor.first()
  const { fields } = await worker.request({ path: '/fields' })
  expect(fields.filter(([name]) => name === 'x-list').map(([, value]) => value)).toEqual(['c', 'd'])
  expect(fields.map(([name]) => name)).not.toContain('x-nil')
  const hints = await worker.request({ path: '/informs' })
  expect(hints.status).toBe(200)
  expect(worker.seen.find(({ extra }) => extra === 103)?.payload.toString()).toBe(
    'link: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n',
  )
  await supervisor.stop()
})

test('a streaming body (Rack 3) reads the request and writes the answer', async () => {
  const supervisor = await Supervisor.launch(scriptPlan(bridge), rack)
  const worker = await supervisor.first()
  const body = Buffer.from('olleh')
  expect((await worker.request({ path: '/echo', method: 'POST', body })).body).toBe('hello')
  await supervisor.stop()
})

test('PATH_INFO is percent-encoded, as Ruby’s frameworks want it, and only what the server checked', async () => {
  const supervisor = await Supervisor.launch(scriptPlan(bridge), rack)
  const worker = await supervisor.first()
  const told = async (uri: string, path: string, script = ''): Promise<string> => {
    // A path that leads nowhere else shows itself.
    const answer = await worker.request({ path, uri, script, fields: { HTTP_X_TELL: 'path' } })
    return answer.body
  }
  expect(await told('/a%20b?q', '/a b')).toBe('/a%20b')
  expect(await told('/caf%C3%A9', '/caf\xc3\xa9')).toBe('/caf%C3%A9')
  expect(await told('/a%2fb', '/a/b')).toBe('/a%2fb')
  expect(await told('/100%25', '/100%')).toBe('/100%25')
  expect(await told('http://example.com/x%20y', '/x y')).toBe('/x%20y')
  expect(await told('/at/a%20b', '/a b', '/at')).toBe('/a%20b')
  // Dot segments: what was checked has none.
  expect(await told('/public/%2e%2e/admin x', '/admin x')).toBe('/admin%20x')
  expect(await told('/%61t/x', '/x', '/at')).toBe('/x')
  await supervisor.stop()
})

describe('loading says what is wrong', () => {
  test.each<[string, string | null, RegExp]>([
    ['no file', null, /^there is no file .*bridge\.ru; check `rack:`/],
    ['a syntax error', 'run ->(env) {\n', /SyntaxError: .*bridge\.ru:\d: syntax error/s],
    [
      'a missing gem',
      "require 'no_such_gem'\n",
      /LoadError: cannot load such file -- no_such_gem\n\tfrom .*bridge\.ru:1/,
    ],
    [
      'what raises',
      "raise 'no configuration'",
      /RuntimeError: no configuration\n\tfrom .*bridge\.ru:1/,
    ],
    ['what exits', 'exit 4', /the application called exit\(4\) while it was loaded/],
    ['what is no application', 'run "text"', /must `run` an application.*it gives "text"/],
    ['what runs nothing', '# nothing', /missing run or map statement/],
  ])('%s', async (_, source, expected) => {
    expect(await loading(bridge, source)).toMatch(expected)
  })

  test('no rack', async () => {
    const env = { RUBYOPT: '--disable-gems' }
    expect(await loading(bridge, 'run nil', { env })).toMatch(
      /needs the gem rack, which .*ruby\S* does not find .*install it with `gem install rack`/,
    )
  })

  test('no Ruby', () => {
    const command = (interpreter: string) =>
      rack.command(scriptPlan(bridge, { interpreter, env: { PATH: '/nowhere' } }))
    expect(() => command('')).toThrow(/there is no Ruby on this machine; install it \(Debian/)
    expect(() => command('./jruby')).toThrow(/there is no Ruby at \.\/jruby; check `interpreter:`/)
  })
})
