import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { roundRobin } from '../../src/schedulers/round-robin.ts'
import { backend, conforms, first, key, names } from './conformance.ts'

conforms(roundRobin)

describe('round robin', () => {
  it('takes turns', () => {
    const scheduler = roundRobin()
    const backends = [backend('a'), backend('b'), backend('c')]
    expect(Array.from({ length: 7 }, () => first(scheduler, backends)).join('')).toBe('abcabca')
  })

  it('spreads a heavy one evenly, as nginx does', () => {
    const scheduler = roundRobin()
    const backends = [backend('a', 5), backend('b'), backend('c')]
    expect(Array.from({ length: 14 }, () => first(scheduler, backends)).join('')).toBe(
      'aabacaaaabacaa',
    )
  })

  it('gives each exactly its share in every full round', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 }),
        (weights) => {
          const scheduler = roundRobin()
          const backends = weights.map((weight, i) => backend(String(i), weight))
          const turns = weights.reduce((sum, weight) => sum + weight, 0)
          const counts = weights.map(() => 0)
          for (let i = 0; i < turns; i++) counts[Number(first(scheduler, backends))]!++
          expect(counts).toEqual(weights)
        },
      ),
    )
  })

  it('counts only those that were taken', () => {
    const scheduler = roundRobin()
    const backends = [backend('a'), backend('b')]
    scheduler.order(backends, key())
    expect(first(scheduler, backends)).toBe('a')
    expect(names(scheduler, backends)).toEqual(['b', 'a'])
    expect(first(scheduler, backends)).toBe('a')
  })
})
