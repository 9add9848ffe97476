import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distance, nearest } from '../../src/site/nearest.ts'

describe('nearest name', () => {
  it.each([
    ['proxi', ['files', 'app', 'proxy', 'redirect'], 'proxy'],
    ['Listen', ['listen', 'hosts'], 'listen'],
    ['respnod', ['respond', 'redirect'], 'respond'],
    ['shopp', ['blog', 'shop'], 'shop'],
    ['ap', ['app', 'files'], 'app'],
    ['zzzz', ['files', 'app'], ''],
    ['x', ['y'], 'y'],
    ['', ['a'], ''],
    ['a', [], ''],
  ])('%s', (name, candidates, expected) => {
    expect(nearest(name, candidates)).toBe(expected)
  })

  it('counts a swap as one edit', () => {
    expect(distance('ab', 'ba')).toBe(1)
    expect(distance('kitten', 'sitting')).toBe(3)
    expect(distance('', 'abc')).toBe(3)
  })

  it('is symmetric, zero only for equals, and no more than the longer length', () => {
    const word = fc.string({ maxLength: 12 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(distance(a, b)).toBe(distance(b, a))
        expect(distance(a, b) === 0).toBe(a === b)
        expect(distance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })

  it('does not compare what nobody mistypes', () => {
    expect(nearest('a'.repeat(100_000), ['a'.repeat(100_001)])).toBe('')
  })
})
