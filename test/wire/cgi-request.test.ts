import { describe, expect, it } from 'vitest'
import { CgiRequestReader, readCgiRequest } from '../../src/wire/cgi-request.ts'
import { decodeVariables, encodePacket } from '../../src/wire/uwsgi.ts'

const LIMITS = { line: 200, fields: 10 }
/** What nginx sends with its uwsgi_params. */
const NGINX: Readonly<Record<string, string>> = {
  QUERY_STRING: 'q=1',
  REQUEST_METHOD: 'POST',
  CONTENT_TYPE: 'text/plain',
  CONTENT_LENGTH: '3',
  REQUEST_URI: '/a%20b?q=1',
  PATH_INFO: '/a b',
  DOCUMENT_ROOT: '/usr/share/nginx/html',
  SERVER_PROTOCOL: 'HTTP/1.1',
  REQUEST_SCHEME: 'http',
  REMOTE_ADDR: '192.0.2.7',
  REMOTE_PORT: '5000',
  SERVER_PORT: '80',
  SERVER_NAME: 'www.example.com',
  HTTP_HOST: 'Example.com:81',
  HTTP_USER_AGENT: ' a b ',
}

function read(changes: Readonly<Record<string, string>>): ReturnType<typeof readCgiRequest> {
  return readCgiRequest(Object.entries({ ...NGINX, ...changes }).flat(), LIMITS)
}

describe('a request in CGI variables', () => {
  it('is a request like any other', () => {
    const { line, fields, peer, protocol, unmeasured } = read({})
    expect(line).toEqual({
      method: 'POST',
      target: '/a%20b?q=1',
      path: '/a b',
      query: 'q=1',
      origin: '/a%20b?q=1',
      minor: 1,
      host: '',
      hostPort: -1,
    })
    expect(fields).toMatchObject({
      names: ['host', 'content-type', 'content-length', 'user-agent'],
      values: ['Example.com:81', 'text/plain', '3', 'a b'],
      host: 'example.com',
      hostPort: 81,
      contentLength: 3,
      hasLength: true,
      chunked: false,
    })
    expect(peer).toEqual({
      address: '192.0.2.7',
      port: 5000,
      localAddress: '',
      localPort: 80,
      scheme: 'http',
    })
    expect([protocol, unmeasured]).toEqual(['HTTP/1.1', false])
  })

  it.each([
    [{ HTTPS: 'on' }, 'https'],
    [{ HTTPS: '1' }, 'https'],
    [{ HTTPS: 'off' }, 'http'],
    [{ HTTPS: '' }, 'http'],
    [{ REQUEST_SCHEME: 'https' }, 'https'],
    [{ UWSGI_SCHEME: 'https' }, 'https'],
  ])('says how its visitor came: %j', (changes, scheme) => {
    expect(read(changes).peer.scheme).toBe(scheme)
  })

  it.each([
    // Without REQUEST_URI the path is put together, and encoded anew.
    [
      { REQUEST_URI: '', SCRIPT_NAME: '/app', PATH_INFO: '/ä?#%' },
      '/app/%E4%3F%23%25?q=1',
      '/app/ä?#%',
    ],
    [{ REQUEST_URI: '', PATH_INFO: '', QUERY_STRING: '' }, '/', '/'],
    // What the server in front has rewritten is meant.
    [{ PATH_INFO: '/rewritten', QUERY_STRING: 'r=2' }, '/rewritten?r=2', '/rewritten'],
    [{ REQUEST_URI: '//a', PATH_INFO: '/a', QUERY_STRING: '' }, '/a', '/a'],
    [{ REQUEST_URI: '/%61', PATH_INFO: '/a', QUERY_STRING: '' }, '/%61', '/a'],
    // With a SCRIPT_NAME, PATH_INFO is only a part of it.
    [{ REQUEST_URI: '/app/x', SCRIPT_NAME: '/app', PATH_INFO: '/x' }, '/app/x', '/app/x'],
    [{ REQUEST_URI: '/a/../b', PATH_INFO: '' }, '/b', '/b'],
    [{ REQUEST_URI: 'http://other.example/x', PATH_INFO: '/x' }, '/x', '/x'],
  ])('has a path: %j', (changes, origin, path) => {
    expect(read(changes).line).toMatchObject({ origin, path })
  })

  it('keeps what was asked for when it was rewritten', () => {
    expect(read({ PATH_INFO: '/rewritten' }).line.target).toBe('/a%20b?q=1')
  })

  it('without a Host is for the server’s name', () => {
    const { line, fields } = read({ HTTP_HOST: '' })
    expect(line).toMatchObject({ host: 'www.example.com', hostPort: -1 })
    expect(fields.host).toBe('')
  })

  it.each([
    ['HTTP/1.0', 'HTTP/1.0', 0],
    ['HTTP/2.0', 'HTTP/2.0', 1],
    ['HTTP/3', 'HTTP/3', 1],
    ['INCLUDED', 'HTTP/1.1', 1],
    ['HTTP/1.1 200 OK\r\nX: y', 'HTTP/1.1', 1],
  ])('came over %j', (given, protocol, minor) => {
    const request = read({ SERVER_PROTOCOL: given })
    expect([request.protocol, request.line.minor]).toEqual([protocol, minor])
  })

  it('says nothing of how the visitor framed it', () => {
    const { fields, unmeasured } = read({
      HTTP_TRANSFER_ENCODING: 'chunked',
      HTTP_CONTENT_LENGTH: '99',
      HTTP_CONTENT_TYPE: 'x/y',
      HTTP_EXPECT: '100-continue',
      HTTP_PROXY: 'http://evil/',
      HTTP_UPGRADE: 'websocket',
      HTTP_CONNECTION: 'upgrade, close',
    })
    expect(fields).toMatchObject({ contentLength: 3, chunked: false, upgrade: '' })
    expect(fields.names).not.toContain('proxy')
    expect(fields.names).not.toContain('expect')
    expect(fields.names).not.toContain('transfer-encoding')
    expect(unmeasured).toBe(false)
  })

  it('knows that nobody has measured its body', () => {
    const changes = { HTTP_TRANSFER_ENCODING: 'chunked', CONTENT_LENGTH: '' }
    expect(read(changes)).toMatchObject({ unmeasured: true, fields: { hasLength: false } })
  })

  it('drops what loads code, and whatever else it does not know', () => {
    const names = ['SCRIPT', 'MODULE', 'CALLABLE', 'FILE', 'HOME', 'PYHOME', 'CHDIR', 'APPID']
    const more = ['SETENV', 'POSTFILE', 'TOUCH_RELOAD', 'CACHE_GET']
    const evil = Object.fromEntries([...names, ...more].map((name) => [`UWSGI_${name}`, '/evil']))
    const request = read({ ...evil, DOCUMENT_ROOT: '/evil', SCRIPT_FILENAME: '/evil' })
    expect(JSON.stringify(request)).toBe(JSON.stringify(read({})))
  })

  it('has the last of several values, and every one of several fields', () => {
    const list = Object.entries(NGINX).flat()
    const pairs = [
      ...list,
      'HTTP_HOST',
      'b',
      'HTTPS',
      'on',
      'HTTPS',
      '',
      'HTTP_X',
      '1',
      'HTTP_X',
      '2',
    ]
    const { fields, peer } = readCgiRequest(pairs, LIMITS)
    expect(fields.host).toBe('b')
    expect(fields.values.slice(-2)).toEqual(['1', '2'])
    expect(peer.scheme).toBe('https')
  })

  it.each([
    [{ REMOTE_ADDR: 'unix:' }, { address: '' }],
    [{ REMOTE_ADDR: '::1' }, { address: '::1' }],
    [{ REMOTE_PORT: '99999' }, { port: 0 }],
    [{ REMOTE_PORT: '-1' }, { port: 0 }],
    [
      { SERVER_ADDR: '10.0.0.1', SERVER_PORT: '' },
      { localAddress: '10.0.0.1', localPort: 0 },
    ],
  ])('has a peer as far as it is known: %j', (changes, peer) => {
    expect(read(changes).peer).toMatchObject(peer)
  })

  it.each([
    [{ REQUEST_METHOD: '' }, 'BAD_REQUEST_LINE'],
    [{ REQUEST_METHOD: 'GET /evil HTTP/1.1\r\nX:' }, 'BAD_REQUEST_LINE'],
    [{ REQUEST_METHOD: 'CONNECT' }, 'UNSUPPORTED_METHOD'],
    [{ REQUEST_URI: '/a b' }, 'BAD_REQUEST_LINE'],
    [{ REQUEST_URI: '/a\r\nX: y' }, 'BAD_REQUEST_LINE'],
    [{ REQUEST_URI: '/../../etc/passwd', PATH_INFO: '' }, 'BAD_PATH'],
    [{ REQUEST_URI: '', PATH_INFO: '/../x' }, 'BAD_PATH'],
    [{ REQUEST_URI: '', PATH_INFO: '/a\0' }, 'BAD_PATH'],
    [{ REQUEST_URI: `/${'x'.repeat(200)}` }, 'TOO_LONG_LINE'],
    [{ REQUEST_URI: 'evil' }, 'BAD_REQUEST_LINE'],
    [{ CONTENT_LENGTH: '-1' }, 'BAD_FRAMING'],
    [{ CONTENT_LENGTH: '3 ' }, 'accepted'],
    [{ CONTENT_LENGTH: '0x3' }, 'BAD_FRAMING'],
    [{ CONTENT_LENGTH: '3, 3' }, 'BAD_FRAMING'],
    [{ CONTENT_LENGTH: '99999999999999999' }, 'BAD_FRAMING'],
    [{ HTTP_HOST: 'a b' }, 'BAD_HOST'],
    [{ HTTP_HOST: 'a\r\nX: y' }, 'BAD_FIELD'],
    [{ HTTP_X: 'a\r\nHost: evil' }, 'BAD_HOST'],
    [{ HTTP_X: 'a\r\nY: evil' }, 'BAD_FIELD'],
    [{ HTTP_X: 'a\nY: evil' }, 'BAD_FIELD'],
    [{ HTTP_X: 'a\0' }, 'BAD_FIELD'],
    [{ 'HTTP_X: y\r\nZ': 'a' }, 'BAD_FIELD'],
    [{ 'HTTP_X:': 'a' }, 'BAD_FIELD'],
    [{ HTTP_: 'a' }, 'BAD_FIELD'],
    [{ CONTENT_TYPE: 'a\r\nX-Y: evil' }, 'BAD_FIELD'],
    [
      Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`HTTP_X${i}`, '1'])),
      'TOO_LARGE_HEAD',
    ],
  ])('is judged as an HTTP/1 request is: %j', (changes, code) => {
    let found = 'accepted'
    try {
      read(changes)
    } catch (error) {
      found = Reflect.get(Object(error), 'code')
    }
    expect(found).toBe(code)
  })

  it('is refused when a line break makes a field that was sent by nobody, even if it was seen before', () => {
    expect(read({ HTTP_A: '1', HTTP_B: '2' }).fields.names).toContain('b')
    expect(() => read({ HTTP_A: '1\r\nb: 2' })).toThrow('line break')
  })

  it('is refused with two lengths, which is how requests are smuggled', () => {
    const pairs = [...Object.entries(NGINX).flat(), 'CONTENT_LENGTH', '4']
    expect(() => readCgiRequest(pairs, LIMITS)).toThrow('CONTENT_LENGTH')
  })
})

describe('a reader of requests', () => {
  it('gives the same request for the same bytes, and the same fields for the same headers', () => {
    const reader = new CgiRequestReader(decodeVariables)
    const text = (changes: Readonly<Record<string, string>>): string =>
      encodePacket(0, 0, Object.entries({ ...NGINX, ...changes }).flat()).toString('latin1', 4)
    const first = reader.read(text({}), LIMITS)
    expect(reader.read(text({}), LIMITS)).toBe(first)
    const other = reader.read(
      text({ REMOTE_PORT: '5001', REQUEST_URI: '/c', PATH_INFO: '/c' }),
      LIMITS,
    )
    expect(other).not.toBe(first)
    expect(other.fields).toBe(first.fields)
  })
})
