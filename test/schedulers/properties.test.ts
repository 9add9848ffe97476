/** What holds for any weights, any number of backends and any requests. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maglevTable } from '../../src/schedulers/mh.ts'
import { Ring } from '../../src/schedulers/ring.ts'
import type { SchedulePlan } from '../../src/site/plan.ts'
import { make, makeShared, NAMES, needed } from './all.ts'
import { backend, type Fake, first, key, names } from './conformance.ts'

const weights = (max: number, min = 0): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min, max }), { minLength: 1, maxLength: 8 })

function servers(all: readonly number[]): Fake[] {
  return all.map((weight, i) => backend(`10.0.0.${i + 1}:80`, weight))
}

/** How many of `requests` each gets. */
function shares(
  name: string,
  all: readonly Fake[],
  requests: number,
  options: Partial<SchedulePlan> = {},
): number[] {
  const scheduler = make(name, { ...needed(name), ...options })
  const counts = new Map(all.map((each) => [each.name, 0]))
  for (let i = 0; i < requests; i++) {
    const of = key(`/${i}`, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, `Host: ${i}.test\r\n`)
    const chosen = first(scheduler, all, of)
    counts.set(chosen, counts.get(chosen)! + 1)
  }
  return [...counts.values()]
}

describe('shares by weight', () => {
  it.each([
    ['wrr', {}],
    ['wrr', { smooth: false }],
    ['least-connections', {}],
  ] as const)('%s %o: exactly, in every round', (name, options) => {
    fc.assert(
      fc.property(weights(20), (all) => {
        const round = all.reduce((sum, weight) => sum + weight, 0)
        if (round > 0)
          expect(shares(name, servers(all), 2 * round, options)).toEqual(all.map((w) => 2 * w))
      }),
    )
  })

  it('wrr: exactly over all threads, whoever of them has more to do', () => {
    fc.assert(
      fc.property(
        weights(9, 1),
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 80, maxLength: 80 }),
        (all, turns) => {
          const another = makeShared('wrr')
          const threads = [another(), another(), another()]
          const list = servers(all)
          const round = all.reduce((sum, weight) => sum + weight, 0)
          const counts = all.map(() => 0)
          for (let i = 0; i < round; i++) {
            const chosen = first(threads[turns[i % turns.length]!]!, list)
            counts[list.findIndex(({ name }) => name === chosen)]!++
          }
          expect(counts).toEqual(all)
        },
      ),
    )
  })

  it('wrr: those that are ready share what one leaves that is not', () => {
    fc.assert(
      fc.property(weights(9, 1), (all) => {
        const list = servers([...all, 5])
        list.at(-1)!.ready = false
        const sum = all.reduce((one, two) => one + two, 0)
        const found = shares('wrr', list, sum * (sum + 5))
        expect(found).toEqual([...all.map((weight) => weight * (sum + 5)), 0])
      }),
    )
  })

  it.each([
    ['hash', {}, 0.25],
    ['hash', { consistent: true }, 0.35],
    ['mh', {}, 0.2],
    ['sh', {}, 0.3],
    ['random', {}, 0.15],
  ] as const)('%s %o: about', (name, options, most) => {
    const all = [1, 2, 3, 4]
    const requests = 20_000
    const found = shares(name, servers(all), requests, options)
    for (const [at, weight] of all.entries()) {
      const fair = (requests * weight) / 10
      expect(Math.abs(found[at]! - fair) / fair).toBeLessThan(most)
    }
  })

  it('twos: nobody is left far behind', () => {
    const scheduler = make('twos')
    const list = servers(Array(20).fill(1))
    for (let i = 0; i < 20_000; i++) {
      const chosen = first(scheduler, list)
      list.find(({ name }) => name === chosen)!.active++
    }
    const counts = list.map(({ active }) => active)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(12)
  })
})

describe('nothing new', () => {
  it.each(NAMES.map((name) => [name]))(
    '%s: to those of weight 0, and those that are not ready',
    (name) => {
      fc.assert(
        fc.property(
          fc.array(fc.record({ weight: fc.integer({ min: 0, max: 5 }), ready: fc.boolean() }), {
            minLength: 1,
            maxLength: 6,
          }),
          fc.nat(),
          (all, salt) => {
            const list = all.map(({ weight, ready }, i) => ({
              ...backend(`10.0.0.${i}:1`, weight),
              ready,
            }))
            const scheduler = make(name, needed(name))
            const open = list.filter(({ weight, ready }) => weight > 0 && ready)
            for (let i = 0; i < 5; i++) {
              const of = key(`/${salt}/${i}`, `10.0.${salt % 256}.${i}`, `Host: ${salt}.test\r\n`)
              const found = names(scheduler, list, of)
              expect(found.toSorted()).toEqual(open.map((each) => each.name).toSorted())
            }
          },
        ),
        { numRuns: 40 },
      )
    },
  )
})

describe('when one goes', () => {
  const KEYS = Array.from({ length: 2_000 }, (_, i) =>
    key(`/${i}`, `172.16.${i >> 8}.${i & 255}`, `Host: ${i}.test\r\n`),
  )

  /** Who has each key. */
  function owners(name: string, options: Partial<SchedulePlan>, list: readonly Fake[]): string[] {
    const scheduler = make(name, { ...needed(name), ...options })
    return KEYS.map((of) => first(scheduler, list, of))
  }

  it('ring: only its own keys move, whether it is not ready or no longer there', () => {
    fc.assert(
      fc.property(weights(3, 1), fc.nat(), (all, which) => {
        const list = servers([...all, 1])
        const gone = list[which % list.length]!
        const before = owners('hash', { consistent: true }, list)
        const without = owners(
          'hash',
          { consistent: true },
          list.filter((each) => each !== gone),
        )
        gone.ready = false
        const resting = owners('hash', { consistent: true }, list)
        expect(resting).toEqual(without)
        for (const [i, owner] of before.entries()) {
          if (owner !== gone.name) expect(without[i]).toBe(owner)
        }
      }),
      { numRuns: 10 },
    )
  })

  it.each(['hash', 'sh', 'mh', 'dh'])(
    '%s: only its own keys move while it is not ready',
    (name) => {
      const list = servers([1, 2, 1, 3])
      const before = owners(name, {}, list)
      list[1]!.ready = false
      const after = owners(name, {}, list)
      for (const [i, owner] of before.entries()) {
        if (owner !== list[1]!.name) expect(after[i]).toBe(owner)
        else expect(after[i]).not.toBe(owner)
      }
    },
  )

  it('Maglev: hardly any place changes hands, and shares differ by one', () => {
    const list = servers(Array(10).fill(1))
    const before = maglevTable(list, 4093)!
    const counts = list.map((_, at) => before.filter((owner) => owner === at).length)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    const after = maglevTable(list.slice(0, -1), 4093)!
    const disrupted = before.filter((owner, at) => owner !== 9 && owner !== after[at]).length
    // NSDI 2016, §5.3: a few percent beyond the share of the one that went.
    expect(disrupted / 4093).toBeLessThan(0.06)
    expect(maglevTable(servers([0, 0]), 251)).toBeNull()
  })

  it('Maglev: every size fills, and weights are kept', () => {
    for (const size of [251, 509, 1021, 2039, 4093, 8191, 16_381]) {
      const table = maglevTable(servers([1, 3]), size)!
      expect(table.length).toBe(size)
      const share = table.filter((owner) => owner === 1).length / size
      expect(Math.abs(share - 0.75)).toBeLessThan(0.005)
    }
  })
})

it('a ring has 160 points for each unit of weight, sorted, each once', () => {
  const { points, owners } = new Ring(servers([1, 0, 3]))
  expect(points.length).toBeGreaterThan(4 * 160 - 3)
  expect([...points]).toEqual([...new Set(points)].sort((a, b) => a - b))
  expect([...new Set(owners)].sort()).toEqual([0, 2])
})

it('requests without the key take turns', () => {
  const cookie = [{ of: 'cookie', name: 'sid' }] as const
  for (const consistent of [false, true]) {
    const scheduler = make('hash', { key: cookie, consistent })
    const list = servers([1, 1, 1])
    const seen = Array.from({ length: 6 }, () => first(scheduler, list).at(-4))
    expect(seen.join('')).toBe('123123')
    const own = Array.from({ length: 6 }, (_, i) =>
      first(scheduler, list, key(`/${i}`, '', `Host: a\r\nCookie: x=1; sid=${consistent}\r\n`)),
    )
    expect(new Set(own).size).toBe(1)
  }
})
