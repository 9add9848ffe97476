import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readForwarded, speaksOfTheVisitor } from '../../src/wire/forwarded.ts'

function fields(text: Record<string, string | string[]>): { names: string[]; values: string[] } {
  const pairs = Object.entries(text).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, each]),
  )
  return { names: pairs.map(([name]) => name), values: pairs.map(([, value]) => value) }
}

describe('what proxies say of a visitor', () => {
  it.each<[Record<string, string | string[]>, string[], string]>([
    [{}, [], ''],
    [{ 'x-forwarded-for': '192.0.2.1' }, ['192.0.2.1'], ''],
    [
      { 'x-forwarded-for': ['192.0.2.1, 10.0.0.1', '10.0.0.2'] },
      ['192.0.2.1', '10.0.0.1', '10.0.0.2'],
      '',
    ],
    [
      { 'x-forwarded-for': '192.0.2.1:4711,[2001:DB8::1]:80 , 2001:db8::2' },
      ['192.0.2.1', '2001:db8::1', '2001:db8::2'],
      '',
    ],
    [{ 'x-forwarded-for': 'unknown, <script>, ' }, ['', '', ''], ''],
    [
      { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http, HTTPS' },
      ['192.0.2.1'],
      'https',
    ],
    [{ 'x-forwarded-proto': 'https' }, [], 'https'],
    [{ 'x-real-ip': '192.0.2.9' }, ['192.0.2.9'], ''],
    [
      { forwarded: 'for=192.0.2.43, For="[2001:db8:cafe::17]:4711";proto=https' },
      ['192.0.2.43', '2001:db8:cafe::17'],
      'https',
    ],
    [{ forwarded: 'for="_gazonk"; proto=HTTP; by=203.0.113.43' }, [''], 'http'],
    [{ forwarded: 'host=example.com' }, [''], ''],
    [{ forwarded: 'for=192.0.2.43', 'x-forwarded-for': '192.0.2.1' }, ['192.0.2.1'], ''],
  ])('%j', (text, hops, scheme) => {
    expect(readForwarded(fields(text))).toEqual({ hops, scheme })
  })

  it('bounds the hops that are looked at', () => {
    const chain = Array.from({ length: 5000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join(',')
    expect(readForwarded(fields({ 'x-forwarded-for': chain })).hops).toHaveLength(64)
  })

  it('takes whatever a field may hold', () => {
    const value = fc.string({ unit: fc.constantFrom(...'for=;,"[]:1.2 proto=https\\_x') })
    fc.assert(
      fc.property(
        value,
        fc.constantFrom('forwarded', 'x-forwarded-for', 'x-forwarded-proto'),
        (text, name) => {
          expect(() => readForwarded(fields({ [name]: text }))).not.toThrow()
        },
      ),
    )
  })
})

it.each([
  ['x-forwarded-for', true],
  ['x-forwarded-anything', true],
  ['x_forwarded_for', true],
  ['x.forwarded_for', true],
  ['x.real.ip', true],
  ['forwarded', true],
  ['x-real-ip', true],
  ['x_real-ip', true],
  ['x-forward', false],
  ['via', false],
])('%s speaks of the visitor: %s', (name, speaks) => {
  expect(speaksOfTheVisitor(name)).toBe(speaks)
})
