/**
 * Requests for the fuzzer: sentences of HTTP/1.1's grammar, then a few wounds. Everything is drawn from
 * what parsers are known to disagree about, so that most requests are nearly right.
 */
import fc from 'fast-check'

const METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'get',
  'FOO',
  'G T',
  'GET\t',
  '',
]
const TARGETS = [
  '/',
  '/a?b=c',
  '/a/../b',
  '/%41',
  '/%zz',
  '/%00',
  '/é',
  '/a b',
  '*',
  'http://a/',
  'http://u@a/',
  'http://a:1/x?y',
  'a:80',
  '',
  '/a#b',
  '//a',
  '\\',
  '/\x01',
  '/"<>',
  'https://b',
  '/..',
  '/\x80\xff',
]
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/1.',
  'HTTP/01.1',
  '',
]
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r', '\r\n ']
const NAMES = [
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Expect',
  'X',
  'Upgrade',
  'content-length',
  'TRANSFER-ENCODING',
  'Content-Length ',
  ' Transfer-Encoding',
  'X\0',
  'X_Y',
  'Content_Length',
  '',
  'Trailer',
  'TE',
]
const COLONS = [': ', ': ', ': ', ':', ' : ', ':\t', '\t:', ' ', ':  ', ':\x0b', ':\r\n ']
const VALUES = [
  'a',
  'a:80',
  '',
  '0',
  '5',
  '5',
  '3',
  '+5',
  '-1',
  '5, 5',
  '0x5',
  '5 ',
  '05',
  '1e1',
  '99999999999999999999',
  'chunked',
  'chunked',
  'Chunked',
  'gzip, chunked',
  'chunked, gzip',
  'identity',
  'chunked, chunked',
  'xchunked',
  'chunked;a=b',
  ' chunked',
  'close',
  'keep-alive',
  'close, x',
  'upgrade',
  '100-continue',
  'tea',
  'h2c',
  'a\rb',
  'a\nb',
  'a\0b',
  'é',
  '\x7f',
  '\x1f',
  'trailers',
  'u@a',
  'a b',
  '[::1]',
  'a, b',
]
const BODIES = [
  '',
  'hello',
  'hel',
  'hello world',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n',
  '5\nhello\n0\n\n',
  '0\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  ' 5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\nX : y\r\n\r\n',
  '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n',
  'ffffffffffffffff\r\nhello',
  '05\r\nhello\r\n00\r\n\r\n',
  '5;\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\n',
  '5\r\nhello\rX0\r\n\r\n',
]
const WOUNDS = [
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  ':',
  '\x0b',
  '\x7f',
  '\xff',
  'A',
  ',',
  ';',
  '\r\n',
  '\r\n\r\n',
  '0',
]

const pick = (from: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...from)
/** The first is right more often than not. */
const mostly = (right: string, from: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: pick(from) })

const field = fc
  .tuple(pick(NAMES), mostly(': ', COLONS), pick(VALUES), mostly('\r\n', ENDS))
  .map((parts) => parts.join(''))

const host = fc.oneof(
  { weight: 8, arbitrary: fc.constant('Host: a\r\n') },
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: field },
)

/** Framing and a body that belong together, or not. */
const framed = fc.oneof(
  fc.constant(['', ''] as const),
  fc.constant(['Content-Length: 5\r\n', 'hello'] as const),
  fc.constant(['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'] as const),
  pick(BODIES).map((body) => ['Transfer-Encoding: chunked\r\n', body] as const),
  fc.tuple(field, pick(BODIES)),
)

const request = fc
  .tuple(
    mostly('GET', METHODS),
    mostly(' ', ['  ', '\t', '']),
    mostly('/', TARGETS),
    mostly(' ', ['  ', '\t', '']),
    mostly('HTTP/1.1', VERSIONS),
    mostly('\r\n', ENDS),
    host,
    fc.array(field, { maxLength: 2 }),
    framed,
    mostly('\r\n', ENDS),
  )
  .map(([method, a, target, b, version, end, hostField, fields, [framing, body], last]) =>
    [method, a, target, b, version, end, hostField, ...fields, framing, last, body].join(''),
  )

const wound = fc.tuple(fc.nat(400), fc.nat(2), pick(WOUNDS))

/** One to three requests one behind the other, at times hurt. Latin-1. */
export const requests: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(request, { minLength: 1, maxLength: 3 }),
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(wound, { maxLength: 2 })),
  )
  .map(([texts, wounds]) => {
    let text = texts.join('')
    for (const [where, cut, what] of wounds) {
      const at = where % (text.length + 1)
      text = text.slice(0, at) + what + text.slice(at + cut)
    }
    return text
  })
