import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../src/request/exchange.ts'
import type { VariablesPlan } from '../../src/site/plan.ts'
import { describeBy } from '../../src/transports/variables.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'

interface Asked {
  readonly line?: string
  readonly fields?: string
  readonly prefix?: string
  readonly scheme?: 'http' | 'https'
  readonly canUpgrade?: boolean
}

/** The variables of a request, of which everything else is usual. */
function told(asked: Asked, plan: Partial<VariablesPlan> = {}, host = ''): Record<string, string> {
  const {
    line = 'GET / HTTP/1.1',
    fields = '',
    prefix = '/',
    scheme = 'http',
    canUpgrade = true,
  } = asked
  const exchange = {
    line: parseRequestLine(line),
    fields: parseRequestFields(`Host: Example.com:81\r\n${fields}`, 1, 100),
    prefix,
    canUpgrade,
    peer: { address: '192.0.2.1', port: 1234, localAddress: '192.0.2.2', localPort: 443, scheme },
  } as unknown as Exchange
  const whole = { root: '', index: 'index.php', script: '', params: {}, modifier1: 0, ...plan }
  const list = describeBy(whole, host)(exchange)
  const names = list.filter((_, i) => i % 2 === 0)
  expect(new Set(names).size).toBe(names.length)
  return Object.fromEntries(names.map((name, i) => [name, list[2 * i + 1]!]))
}

describe('the variables of a request', () => {
  it('are those of CGI', () => {
    const line = 'POST /a%20b/?c=%20 HTTP/1.0'
    expect(
      told({
        line,
        fields: 'Content-Type: a/b\r\nX-Y: z\r\nContent-Length: 3\r\n',
        scheme: 'https',
      }),
    ).toEqual({
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'Portico',
      SERVER_PROTOCOL: 'HTTP/1.0',
      REQUEST_METHOD: 'POST',
      REQUEST_URI: '/a%20b/?c=%20',
      REQUEST_SCHEME: 'https',
      SCRIPT_NAME: '',
      PATH_INFO: '/a b/',
      QUERY_STRING: 'c=%20',
      DOCUMENT_URI: '/a b/',
      REMOTE_ADDR: '192.0.2.1',
      REMOTE_PORT: '1234',
      SERVER_ADDR: '192.0.2.2',
      SERVER_NAME: 'example.com',
      SERVER_PORT: '443',
      HTTPS: 'on',
      HTTP_HOST: 'Example.com:81',
      HTTP_X_Y: 'z',
      CONTENT_TYPE: 'a/b',
    })
  })

  it('have fields joined, and none that are forged or of one connection', () => {
    const fields =
      'A: 1\r\na: 2\r\nCookie: b=1\r\nCookie: c=2\r\nA_: 3\r\nProxy: x\r\nConnection: close, host, X-Mine\r\nX-Mine: 1\r\n' +
      'Keep-Alive: 1\r\nTE: trailers\r\nProxy-Authorization: secret\r\nExpect: 100-continue\r\n'
    const some = told({ fields })
    expect(Object.keys(some).filter((name) => name.startsWith('HTTP_'))).toEqual([
      'HTTP_HOST',
      'HTTP_A',
      'HTTP_COOKIE',
    ])
    expect(some).toMatchObject({ HTTP_A: '1, 2', HTTP_COOKIE: 'b=1; c=2' })
  })

  it('name the host of an absolute target, or the one that the site names', () => {
    const line = 'GET http://other.example:82/a HTTP/1.1'
    expect(told({ line })).toMatchObject({
      HTTP_HOST: 'other.example:82',
      SERVER_NAME: 'other.example',
      REQUEST_URI: '/a',
    })
    expect(told({ line }, {}, 'own:9000')).toMatchObject({ HTTP_HOST: 'own:9000' })
  })

  it('pass on a wish for another protocol, where it can be granted', () => {
    const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    expect(told({ fields })).toMatchObject({
      HTTP_UPGRADE: 'websocket',
      HTTP_CONNECTION: 'Upgrade',
    })
    expect(told({ fields, canUpgrade: false })).not.toHaveProperty('HTTP_UPGRADE')
    expect(told({ fields: fields.replace('websocket', 'h2c') })).not.toHaveProperty('HTTP_UPGRADE')
  })

  it('name what is mounted at a prefix, unless the site says otherwise', () => {
    const at = { line: 'GET /blog/a/b HTTP/1.1', prefix: '/blog/' }
    expect(told(at)).toMatchObject({ SCRIPT_NAME: '/blog', PATH_INFO: '/a/b' })
    expect(told({ ...at, prefix: '/blog/a/b' })).toMatchObject({
      SCRIPT_NAME: '',
      PATH_INFO: '/blog/a/b',
    })
    const named = (name: string): Record<string, string> =>
      told(at, { params: { SCRIPT_NAME: name } })
    expect(named('')).toMatchObject({ SCRIPT_NAME: '', PATH_INFO: '/blog/a/b' })
    expect(named('/blog/a')).toMatchObject({ SCRIPT_NAME: '/blog/a', PATH_INFO: '/b' })
    expect(named('/blo')).toMatchObject({ SCRIPT_NAME: '/blo', PATH_INFO: '/blog/a/b' })
    expect(told(at, { script: '/srv/app.cgi' })).toMatchObject({
      SCRIPT_FILENAME: '/srv/app.cgi',
      SCRIPT_NAME: '/blog',
      PATH_INFO: '/a/b',
    })
  })

  it.each([
    ['/', '/index.php', ''],
    ['/a/', '/a/index.php', ''],
    ['/a/b.php', '/a/b.php', ''],
    ['/a/b.php/', '/a/b.php', '/'],
    ['/a/b.php/c/d.php/e', '/a/b.php', '/c/d.php/e'],
    ['/a.jpg/b.php', '/a.jpg/b.php', ''],
    ['/a.jpg', '/a.jpg', ''],
    ['/a.phpx/b', '/a.phpx/b', ''],
    ['/.php/b', '/.php', '/b'],
    ['/%0A.php/x', '/\n.php', '/x'],
    ['/a/%2e%2e/b.php', '/b.php', ''],
  ])('name the script of %s below a root', (path, script, info) => {
    const some = told({ line: `GET ${path} HTTP/1.1`, prefix: '/a/' }, { root: '/srv/ü/' })
    expect(some).toMatchObject({
      DOCUMENT_ROOT: '/srv/\xc3\xbc',
      SCRIPT_FILENAME: `/srv/\xc3\xbc${script}`,
      SCRIPT_NAME: script,
      PATH_INFO: info,
      DOCUMENT_URI: script + info,
    })
    expect(some.PATH_TRANSLATED).toBe(info === '' ? undefined : `/srv/\xc3\xbc${info}`)
  })

  it('are overruled by what the site says, but for the length of the body', () => {
    const params = { REMOTE_ADDR: 'x', HTTP_HOST: 'y', OWN: 'ü', CONTENT_LENGTH: '9' }
    const some = told({}, { params })
    expect(some).toMatchObject({ REMOTE_ADDR: 'x', HTTP_HOST: 'y', OWN: '\xc3\xbc' })
    expect(some).not.toHaveProperty('CONTENT_LENGTH')
  })
})
