import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { type ProxyHeader, readProxyHeader } from '../../src/wire/proxy-protocol.ts'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A header of version 2. `command`: 0x21 PROXY, 0x20 LOCAL. */
function binary(command: number, family: number, payload: Buffer): Buffer {
  const head = Buffer.from([command, family, payload.length >> 8, payload.length & 0xff])
  return Buffer.concat([SIGNATURE, head, payload])
}

const V4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 7, 0xdb, 0x6b, 0x01, 0xbb])
const V6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000001000000000001', 'hex'),
  Buffer.from([0xdb, 0x6b, 0x00, 0x50]),
])
const tls = (client: number): Buffer => Buffer.from([0x20, 0, 5, client, 0, 0, 0, 0])

const valid: [string, Buffer, ProxyHeader['visitor']][] = [
  [
    'TCP4',
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.7 56171 443\r\n'),
    { address: '192.0.2.1', port: 56171, localAddress: '198.51.100.7', localPort: 443, tls: false },
  ],
  [
    'TCP6',
    Buffer.from('PROXY TCP6 2001:DB8::1 ::ffff:198.51.100.7 0 65535\r\n'),
    {
      address: '2001:db8::1',
      port: 0,
      localAddress: '198.51.100.7',
      localPort: 65535,
      tls: false,
    },
  ],
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), null],
  ['UNKNOWN with more', Buffer.from('PROXY UNKNOWN ffff:f...f:ffff what ever\r\n'), null],
  [
    'version 2, IPv4',
    binary(0x21, 0x11, V4),
    { address: '192.0.2.1', port: 56171, localAddress: '198.51.100.7', localPort: 443, tls: false },
  ],
  [
    'version 2, IPv6',
    binary(0x21, 0x21, V6),
    {
      address: '2001:db8::1',
      port: 56171,
      localAddress: '2001:db8::1:0:0:1',
      localPort: 80,
      tls: false,
    },
  ],
  [
    'version 2 with records, among them TLS',
    binary(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 2, 0, 0]), tls(1)])),
    { address: '192.0.2.1', port: 56171, localAddress: '198.51.100.7', localPort: 443, tls: true },
  ],
  [
    'version 2, of a visitor without TLS',
    binary(0x21, 0x11, Buffer.concat([V4, tls(0)])),
    { address: '192.0.2.1', port: 56171, localAddress: '198.51.100.7', localPort: 443, tls: false },
  ],
  ['LOCAL', binary(0x20, 0x00, Buffer.alloc(0)), null],
  ['LOCAL with addresses', binary(0x20, 0x11, V4), null],
  ['UNSPEC', binary(0x21, 0x00, Buffer.from('whatever')), null],
  ['a unix socket', binary(0x21, 0x31, Buffer.alloc(216)), null],
  ['UDP', binary(0x21, 0x12, V4), null],
]

const invalid: [string, Buffer][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00])],
  ['lower case', Buffer.from('proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['another family', Buffer.from('PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n')],
  ['an address of the other family', Buffer.from('PROXY TCP4 ::1 1.2.3.4 1 1\r\n')],
  ['no address', Buffer.from('PROXY TCP4 a.b.c.d 1.2.3.4 1 1\r\n')],
  ['a port too large', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n')],
  ['a port with a zero before it', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n')],
  ['no ports', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4\r\n')],
  ['more than ports', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n')],
  ['two blanks', Buffer.from('PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n')],
  ['a line without an end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
  ['a bare LF', Buffer.from(`PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n${'x'.repeat(100)}`)],
  ['another signature', Buffer.from('\r\n\r\n\0\r\nQUIX\n', 'latin1')],
  ['an empty line', Buffer.from('\r\n\r\nGET / HTTP/1.1\r\n')],
  ['version 3', binary(0x31, 0x11, V4)],
  ['another command', binary(0x22, 0x11, V4)],
  ['half an address', binary(0x21, 0x11, V4.subarray(0, 8))],
  ['half a record', binary(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0])]))],
  ['a record beyond the end', binary(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 9, 1])]))],
  ['a huge header', Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])])],
]

describe('a PROXY header', () => {
  it.each(valid)('%s', (_, bytes, visitor) => {
    expect(readProxyHeader(bytes)).toEqual({ length: bytes.length, visitor })
    const more = Buffer.concat([bytes, Buffer.from('GET / HTTP/1.1\r\n\r\n')])
    expect(readProxyHeader(more)).toEqual({ length: bytes.length, visitor })
    for (let length = 0; length < bytes.length; length++) {
      expect(readProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toBeNull()
    }
  })

  it.each(invalid)('is refused: %s', (_, bytes) => {
    expect(() => readProxyHeader(bytes)).toThrow(
      expect.objectContaining({ code: 'BAD_PROXY_HEADER' }),
    )
  })

  it('is read, or refused, or awaited, whatever comes, and stays the same with more bytes', () => {
    const near = fc.constantFrom(...valid.map(([, bytes]) => bytes)).chain((bytes) =>
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 3 }).map((changes) => {
        const copy = Buffer.from(bytes)
        for (const [at, value] of changes) copy[at] = value
        return copy
      }),
    )
    const any = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(near, any), (bytes) => {
        let seen: ProxyHeader | null = null
        for (let length = 1; length <= bytes.length; length++) {
          try {
            const found = readProxyHeader(bytes.subarray(0, length))
            if (seen !== null) expect(found).toEqual(seen)
            seen = found
          } catch (error) {
            expect(error).toBeInstanceOf(PorticoError)
            expect(seen).toBeNull()
            return
          }
        }
      }),
    )
  })
})
