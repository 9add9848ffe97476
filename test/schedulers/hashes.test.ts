/** The numbers behind the hashes, against those of others. */
import { describe, expect, it } from 'vitest'
import { addressNumber } from '../../src/schedulers/address-number.ts'
import { readKey } from '../../src/schedulers/keys.ts'
import { hostPort } from '../../src/schedulers/server-name.ts'
import { sipHash } from '../../src/schedulers/sip-hash.ts'
import { parseKeyPart } from '../../src/site/schedules.ts'
import { crc32 } from '../../src/wire/crc32.ts'
import { key } from './conformance.ts'

it.each([
  // CPython's hash() of four little-endian bytes, with PYTHONHASHSEED=0: SipHash-1-3 with the key 0.
  [0, 0x9ac48af0],
  [1, 0xc37b7090],
  [0x0a000001, 0x3d667eda],
  [0xffffffff, 0x74cad6e2],
  [0xc0000201, 0x541e2a28],
])('SipHash-1-3 of %i', (word, hash) => {
  expect(sipHash(word, 0)).toBe(hash)
})

it('SipHash-1-3 with a key, as 64-bit arithmetic has it', () => {
  const mask = (1n << 64n) - 1n
  const turn = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask
  const reference = (word: number, small: number): number => {
    const k = BigInt(small)
    let [v0, v1] = [0x736f6d6570736575n ^ k, 0x646f72616e646f6dn ^ k]
    let [v2, v3] = [0x6c7967656e657261n ^ k, 0x7465646279746573n ^ k]
    const round = (): void => {
      v0 = (v0 + v1) & mask
      v1 = turn(v1, 13n) ^ v0
      v0 = turn(v0, 32n)
      v2 = (v2 + v3) & mask
      v3 = turn(v3, 16n) ^ v2
      v0 = (v0 + v3) & mask
      v3 = turn(v3, 21n) ^ v0
      v2 = (v2 + v1) & mask
      v1 = turn(v1, 17n) ^ v2
      v2 = turn(v2, 32n)
    }
    const block = (4n << 56n) | BigInt(word)
    v3 ^= block
    round()
    v0 ^= block
    v2 ^= 0xffn
    for (let i = 0; i < 3; i++) round()
    return Number((v0 ^ v1 ^ v2 ^ v3) & 0xffffffffn)
  }
  for (let i = 0; i < 500; i++) {
    const word = (i * 2_246_822_519) % 2 ** 32
    expect(sipHash(word, 2_654_435_761)).toBe(reference(word, 2_654_435_761))
  }
})

it.each([
  ['10.0.0.1', 0x0a000001],
  ['255.255.255.255', 0xffffffff],
  ['0.0.0.0', 0],
  ['::', 0],
  ['::1', 1],
  ['2001:db8::1', 0x20010db9],
  ['2001:db8:1:2:3:4:5:6', (0x20010db8 ^ 0x00010002 ^ 0x00030004 ^ 0x00050006) >>> 0],
  ['::ffff:10.0.0.1', (0xffff ^ 0x0a000001) >>> 0],
  ['fe80::1%eth0', crc32('fe80::1%eth0')],
  ['1:2:3', crc32('1:2:3')],
  ['1.2.3', crc32('1.2.3')],
  ['1.2.3.256', crc32('1.2.3.256')],
  ['1..3.4', crc32('1..3.4')],
  ['www.test', crc32('www.test')],
  ['', 0],
])('the number of %s', (text, number) => {
  expect(addressNumber(text)).toBe(number)
})

it.each([
  ['10.0.0.1:80', '10.0.0.1', '80'],
  ['http://a.test:80', 'a.test', '80'],
  ['http://a.test', 'a.test', ''],
  ['[::1]:80', '[::1]', '80'],
  ['unix:/run/a:1.sock', '/run/a:1.sock', ''],
  ['fastcgi://unix:/run/a.sock', '/run/a.sock', ''],
])('%s is known by host and port', (name, host, port) => {
  expect(hostPort(name)).toEqual({ host, port })
})

describe('keys', () => {
  const of = key(
    '/a%20b/c?id=7&xid=8&id=9',
    '198.51.100.7',
    'Host: A.test:80\r\nX-User: u\r\nCookie: s=1\r\nCookie: t=2\r\n',
  )
  it.each([
    ['address', '198.51.100.7'],
    ['network', '198.51.100'],
    ['destination', '192.0.2.9'],
    ['host', 'a.test'],
    ['uri', '/a%20b/c?id=7&xid=8&id=9'],
    ['path', '/a b/c'],
    ['header:X-User', 'u'],
    ['header:x-none', ''],
    ['cookie:t', '2'],
    ['cookie:none', ''],
    ['query:id', '7'],
    ['query:d', ''],
  ])('%s', (text, value) => {
    expect(readKey([parseKeyPart(text)!])(of)).toBe(value)
  })

  it('of a list are put together', () => {
    const parts = ['host', 'query:id', 'cookie:none', 'cookie:s'].map((text) => parseKeyPart(text)!)
    expect(readKey(parts)(of)).toBe('a.test71')
  })

  it('have their forms', () => {
    const wrong = ['', 'adress', 'header', 'header:', 'cookie:a b', 'address:x', ':x', 'query:']
    for (const text of wrong) expect(parseKeyPart(text)).toBeUndefined()
    const network = readKey([parseKeyPart('network')!])
    expect(network(key('/', '2001:db8::1'))).toBe('2001:db8::1')
    expect(network(key('/', ''))).toBe('')
  })
})
