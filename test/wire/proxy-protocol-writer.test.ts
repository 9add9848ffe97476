import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Proxied, readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import { type ProxyVersion, writeProxyHeader } from '../../src/wire/proxy-protocol-writer.ts'

const visitor: Proxied = {
  address: '192.0.2.1',
  port: 56171,
  localAddress: '198.51.100.7',
  localPort: 443,
  tls: false,
}

describe('a PROXY header that is written', () => {
  it('is a line in version 1', () => {
    expect(writeProxyHeader('v1', visitor).toString()).toBe(
      'PROXY TCP4 192.0.2.1 198.51.100.7 56171 443\r\n',
    )
    expect(writeProxyHeader('v1', { ...visitor, address: '2001:db8::1' }).toString()).toBe(
      'PROXY TCP6 2001:db8::1 ::ffff:198.51.100.7 56171 443\r\n',
    )
  })

  it('is bytes in version 2, with a record of TLS', () => {
    expect(writeProxyHeader('v2', visitor).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a2111000cc0000201c6336407db6b01bb',
    )
    expect(writeProxyHeader('v2', { ...visitor, tls: true }).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a21110014c0000201c6336407db6b01bb2000050100000001',
    )
  })

  it('says of who has no address that it is unknown', () => {
    expect(writeProxyHeader('v1', null).toString()).toBe('PROXY UNKNOWN\r\n')
    expect(writeProxyHeader('v1', { ...visitor, address: '' }).toString()).toBe('PROXY UNKNOWN\r\n')
    const bytes = writeProxyHeader('v2', { ...visitor, localAddress: '/run/site.sock' })
    expect(readProxyHeader(bytes)).toEqual({ length: bytes.length, visitor: null })
  })

  it('has no zone in its addresses', () => {
    const local = { ...visitor, address: 'fe80::1%eth0', localAddress: 'fe80::2%3' }
    expect(writeProxyHeader('v1', local).toString()).toBe(
      'PROXY TCP6 fe80::1 fe80::2 56171 443\r\n',
    )
    expect(readProxyHeader(writeProxyHeader('v2', local))?.visitor).toMatchObject({
      address: 'fe80::1',
      localAddress: 'fe80::2',
    })
  })

  it('is read as it was written', () => {
    const port = fc.nat(65_535)
    const pair = fc.oneof(fc.tuple(fc.ipV4(), fc.ipV4()), fc.tuple(fc.ipV6(), fc.ipV6()))
    const version = fc.constantFrom<ProxyVersion>('v1', 'v2')
    fc.assert(
      fc.property(version, pair, port, port, fc.boolean(), (how, ends, from, to, tls) => {
        const [address, localAddress] = ends
        const written = { address, localAddress, port: from, localPort: to, tls }
        const bytes = writeProxyHeader(how, written)
        const read = readProxyHeader(bytes)
        expect(read?.length).toBe(bytes.length)
        expect(read?.visitor).toMatchObject({
          port: from,
          localPort: to,
          tls: how === 'v2' && tls,
        })
        expect(same(read?.visitor?.address ?? '')).toBe(same(address))
        expect(same(read?.visitor?.localAddress ?? '')).toBe(same(localAddress))
      }),
    )
  })
})

/** However it is abbreviated; a mapped IPv4 address is one of IPv4. */
function same(address: string): string {
  const host = address.includes(':') ? new URL(`http://[${address}]`).hostname : address
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(host)
  if (mapped === null) return host
  const [high, low] = mapped.slice(1).map((group) => Number.parseInt(group, 16))
  return [high! >> 8, high! & 255, low! >> 8, low! & 255].join('.')
}
