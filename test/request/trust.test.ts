import { describe, expect, it } from 'vitest'
import type { Peer } from '../../src/request/exchange.ts'
import { Trust } from '../../src/request/trust.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'

function peer(address: string): Peer {
  return { address, port: 4711, localAddress: '10.0.0.9', localPort: 80, scheme: 'http' }
}

function fields(...lines: string[]): ReturnType<typeof parseRequestFields> {
  return parseRequestFields(['Host: a', ...lines, ''].join('\r\n'), 1, 100)
}

const trust = new Trust(['10.0.0.0/8', '::1/128', 'unix'])

describe('a trusted proxy', () => {
  it.each([
    ['names the visitor', '10.0.0.1', 'X-Forwarded-For: 192.0.2.1', '192.0.2.1'],
    ['stands behind another', '10.0.0.1', 'X-Forwarded-For: 192.0.2.1, 10.0.0.2', '192.0.2.1'],
    ['was told lies', '10.0.0.1', 'X-Forwarded-For: 6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['names only proxies', '10.0.0.1', 'X-Forwarded-For: 10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['names nobody', '10.0.0.1', 'X-Forwarded-Proto: https', '10.0.0.1'],
    ['names what is no address', '10.0.0.1', 'X-Forwarded-For: 192.0.2.1, unknown', '10.0.0.1'],
    ['comes over IPv6', '::1', 'Forwarded: for="[2001:db8::1]"', '2001:db8::1'],
    ['comes over a unix socket', '', 'X-Forwarded-For: 192.0.2.1', '192.0.2.1'],
  ])('%s', (_, from, line, visitor) => {
    const found = trust.visitor(peer(from), fields(line))
    expect(found.peer).toMatchObject({ address: visitor, proxy: from, localPort: 80 })
    expect(found.fields.claims).toBe(true)
  })

  it('says which scheme the visitor used', () => {
    const told = fields('X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https')
    expect(trust.visitor(peer('10.0.0.1'), told).peer).toMatchObject({ scheme: 'https', port: 0 })
    const odd = fields('X-Forwarded-Proto: gopher')
    expect(trust.visitor(peer('10.0.0.1'), odd).peer).toMatchObject({ scheme: 'http', port: 4711 })
  })
})

describe('anybody else', () => {
  const claims = [
    'X-Forwarded-For: 127.0.0.1',
    'X_Forwarded_Proto: https',
    'Forwarded: for=1.1.1.1',
  ]

  it('is who it is, and what it claims is dropped', () => {
    const told = fields('A: 1', ...claims, 'B: 2')
    expect(told.claims).toBe(true)
    const found = trust.visitor(peer('192.0.2.66'), told)
    expect(found.peer.address).toBe('192.0.2.66')
    expect(found.peer.proxy).toBeUndefined()
    expect(found.fields).toMatchObject({
      raw: 'Host: a\r\nA: 1\r\nB: 2\r\n',
      names: ['host', 'a', 'b'],
      values: ['a', '1', '2'],
      claims: false,
      traced: false,
      host: 'a',
    })
  })

  it('shares what is left of the same fields', () => {
    const told = fields(...claims)
    const [first, second] = [1, 2].map(() => trust.visitor(peer('192.0.2.66'), told).fields)
    expect(first).toBe(second)
  })

  it('is everybody where nobody is trusted', () => {
    const told = fields('X-Forwarded-For: 1.2.3.4')
    for (const address of ['', '127.0.0.1', '::1']) {
      expect(new Trust([]).visitor(peer(address), told).peer.address).toBe(address)
    }
  })
})

it('fields that claim nothing say so', () => {
  expect(fields('Accept: */*', 'Via: 1.1 x').claims).toBe(false)
})
