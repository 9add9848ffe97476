/** Each scheduler from its formula: who is asked, one request after another, as data. */
import { describe, expect, it } from 'vitest'
import { hash32 } from '../../src/schedulers/buckets.ts'
import { isCrowded } from '../../src/schedulers/crowded.ts'
import { random } from '../../src/schedulers/random.ts'
import { twos } from '../../src/schedulers/twos.ts'
import type { SchedulePlan } from '../../src/site/plan.ts'
import { make } from './all.ts'
import { backend, type Fake, first, key, names } from './conformance.ts'

/** `weight` or `weight/active` of backends a, b, c …; `-` before it: not ready. */
function backends(text: string): Fake[] {
  return text.split(' ').map((one, at) => {
    const [, minus, weight, active = '0', inactive = '0'] =
      /^(-?)(\d+)(?:\/(\d+))?(?:\+(\d+))?$/.exec(one) ?? []
    return {
      ...backend('abcdefgh'[at]!, Number(weight), Number(active)),
      ready: minus === '',
      inactive: Number(inactive),
    }
  })
}

interface Case {
  readonly by: string
  readonly options?: Partial<SchedulePlan>
  /** See `backends`. */
  readonly of: string
  /** Whom requests go to; each stays in hand where `held`. */
  readonly asked: string
  readonly held?: true
}

const CASES: readonly Case[] = [
  // rr: the next after the last, whatever the weight.
  { by: 'rr', of: '1 1 1', asked: 'abcabca' },
  { by: 'rr', of: '5 1 9', asked: 'abcabca' },
  { by: 'rr', of: '1 0 1 -1', asked: 'acaca' },
  // Smooth: at every turn each gains its weight, the richest pays the sum.
  { by: 'round-robin', of: '5 1 1', asked: 'aabacaaaabacaa' },
  { by: 'wrr', of: '3 1', asked: 'aabaaaba' },
  { by: 'roundrobin', of: '4 3 2', asked: 'abcabacbaabcabacba' },
  { by: 'wrr', of: '10 20', asked: 'babbab' },
  { by: 'wrr', of: '2 0 1', asked: 'acaaca' },
  // A turn of one that cannot goes to the others by their weights: shares stay exact, gaps vary.
  { by: 'wrr', of: '2 -5 1', asked: 'aacaca' },
  // LVS: cw = mw − (di − 1), then down by di; whoever has that weight.
  { by: 'wrr', options: { smooth: false }, of: '3 1', asked: 'aaabaaab' },
  { by: 'wrr', options: { smooth: false }, of: '4 3 2', asked: 'aababcabcaababcabc' },
  { by: 'wrr', options: { smooth: false }, of: '20 0 10', asked: 'aacaac' },
  // Least overhead = active * 256 + inactive; ties to the first.
  { by: 'lc', of: '1/2 1/1 1/3', asked: 'bbb' },
  { by: 'lc', of: '9/2 1/1', asked: 'b' },
  { by: 'lc', of: '1 1 1', asked: 'abcabc', held: true },
  { by: 'lc', of: '1/1+300 1/2', asked: 'b' },
  { by: 'lc', of: '1/1+255 1/2', asked: 'a' },
  { by: 'lc', of: '0 -1 1/9', asked: 'c' },
  // For the weight: 0/3 0/1 | 1/3 0/1 | 1/3 1/1 | 2/3 1/1 | 3/3 1/1: the first again.
  { by: 'wlc', of: '3 1', asked: 'abaaabaa', held: true },
  { by: 'wlc', of: '1/1 3/2', asked: 'b' },
  { by: 'wlc', of: '2/4 3/6', asked: 'aaa' },
  // With turns at ties, nobody is idle while nothing is in hand.
  { by: 'least-connections', of: '1 1 1', asked: 'abcabc' },
  { by: 'least_conn', of: '3 1', asked: 'aabaaaba' },
  { by: 'leastconn', of: '1/1 1 1', asked: 'bbcbbc' },
  { by: 'lc', options: { ties: 'turns' }, of: '1 1', asked: 'abab' },
  // (active + 1) / weight: 1/3 1/1 | 2/3 1/1 | 3/3 1/1: the first | 4/3 1/1.
  { by: 'sed', of: '3 1', asked: 'aaaba', held: true },
  { by: 'sed', of: '1 3/1', asked: 'b' },
  // Who has nothing first, though sed would say a.
  { by: 'nq', of: '9/1 1 1', asked: 'b' },
  { by: 'nq', of: '9/1 1/1 2/1', asked: 'a' },
  { by: 'nq', of: '3 1', asked: 'abaa', held: true },
  // The highest weight, at any load; the highest weight with active ≤ weight.
  { by: 'fo', of: '1 3/99 2', asked: 'bbb' },
  { by: 'fo', of: '1 -3 2', asked: 'ccc' },
  { by: 'fo', of: '2 2', asked: 'aa' },
  { by: 'ovf', of: '1 2', asked: 'bbbaa', held: true },
  { by: 'ovf', of: '1/2 3/3 2', asked: 'b' },
  { by: 'ovf', of: '1/2 3/4 2/3', asked: '-' },
  // The first that is ready.
  { by: 'first', of: '1/9 5', asked: 'aa' },
  { by: 'first', of: '-1 0 3 9', asked: 'cc' },
]

describe('schedulers by their formulas', () => {
  it.each(CASES)('$by of $of: $asked', ({ by, options = {}, of, asked, held }) => {
    const scheduler = make(by, options)
    const all = backends(of)
    const seen = Array.from(asked, () => {
      const name = first(scheduler, all) || '-'
      const chosen = all.find((each) => each.name === name)
      if (held && chosen !== undefined) chosen.active++
      return name
    })
    expect(seen.join('')).toBe(asked)
  })

  it('a failure is followed by the next best', () => {
    expect(names(make('wlc'), backends('1/3 1/1 1/2')).join('')).toBe('bca')
    expect(names(make('fo'), backends('1 3 2')).join('')).toBe('bca')
    expect(names(make('rr'), backends('1 1 1')).join('')).toBe('abc')
    expect(names(make('nq'), backends('1/1 1 9/1')).join('')).toBe('bca')
  })
})

describe('source and destination hash', () => {
  /** The kernel's: the upper 8 bits of the product. */
  const bucket = (ip: number): number => Number(((BigInt(ip) * 0x61c88647n) & 0xffffffffn) >> 24n)

  it('hashes as the kernel does', () => {
    for (const ip of [0, 1, 0x0a000001, 0xc0000201, 0xffffffff])
      expect(hash32(ip, 8)).toBe(bucket(ip))
  })

  it('sh: weights fill consecutive buckets, again and again', () => {
    const all = backends('2 1 3')
    const filled = 'aabccc'
    for (let i = 0; i < 600; i++) {
      const ip = 0x0a000000 + i * 7
      const address = `10.0.${(ip >> 8) & 255}.${ip & 255}`
      expect(first(make('sh'), all, key('/', address))).toBe(filled[bucket(ip) % 6])
    }
  })

  it('dh: one bucket each, by what is asked for', () => {
    const all = backends('2 1 3')
    const destination = [{ of: 'destination', name: '' }] as const
    const found = first(make('dh', { key: destination }), all)
    expect(found).toBe('abc'[bucket(0xc0000209) % 3])
    const hosts = new Map<string, string>()
    const scheduler = make('dh')
    for (let i = 0; i < 200; i++) {
      const host = `${i % 50}.test`
      const name = first(scheduler, all, key(`/${i}`, `10.0.0.${i}`, `Host: ${host}\r\n`))
      expect(name).toBe(hosts.get(host) ?? name)
      hosts.set(host, name)
    }
    expect(new Set(hosts.values()).size).toBe(3)
  })

  it('without fallback nobody answers for one that cannot; with it, the next bucket’s does', () => {
    const all = backends('1 1')
    const of = key('/', '10.0.0.1')
    const strict = make('sh', { fallback: false })
    const own = first(strict, all, of)
    expect(names(strict, all, of)).toEqual([own])
    all.find(({ name }) => name === own)!.ready = false
    expect(names(strict, all, of)).toEqual([])
    expect(names(make('sh'), all, of)).toEqual([own === 'a' ? 'b' : 'a'])
  })

  it('the port counts where it is asked for', () => {
    const all = backends('1 1 1 1')
    const by = (port: boolean): Set<string> => {
      const scheduler = make('sh', { port })
      const ports = Array.from({ length: 100 }, (_, i) => 40_000 + i)
      return new Set(
        ports.map((each) => first(scheduler, all, key('/', '10.0.0.1', undefined, each))),
      )
    }
    expect([by(false).size, by(true).size]).toEqual([1, 4])
  })
})

describe('locality-based least connections', () => {
  const at = (host: string): ReturnType<typeof key> => key('/', '10.0.0.1', `Host: ${host}\r\n`)

  it('is crowded when active > weight and another has 2 * active < weight', () => {
    const cases = [
      ['2/3 4/1', true],
      ['2/2 4/1', false],
      ['2/3 4/2', false],
    ] as const
    for (const [of, crowded] of cases) {
      const all = backends(of)
      expect(isCrowded(all[0]!, all)).toBe(crowded)
    }
  })

  it('lblc: a destination stays until its backend is crowded or gone', () => {
    const all = backends('2 4')
    const scheduler = make('lblc')
    const asked = (host: string): string => first(scheduler, all, at(host))
    expect(asked('x.test')).toBe('a')
    all[0]!.active = 1
    expect([asked('x.test'), asked('y.test')]).toEqual(['a', 'b'])
    all[0]!.active = 3
    all[1]!.active = 2
    expect(asked('x.test')).toBe('a')
    all[1]!.active = 1
    expect(asked('x.test')).toBe('b')
    all[1]!.active = 9
    expect(asked('x.test')).toBe('b')
    all[0]!.active = 0
    expect(asked('x.test')).toBe('a')
    all[0]!.ready = false
    expect([asked('x.test'), asked('y.test')]).toEqual(['b', 'b'])
  })

  it('lblcr: a crowded one is joined by another, and the least loaded of both is asked', () => {
    const all = backends('2 4 4/1')
    const scheduler = make('lblcr')
    const asked = (host: string): string => first(scheduler, all, at(host))
    expect(asked('x.test')).toBe('a')
    all[0]!.active = 3
    expect(asked('x.test')).toBe('b')
    all[0]!.active = 0
    all[1]!.active = 1
    all[2]!.active = 0
    expect(asked('x.test')).toBe('a')
    all[0]!.active = 1
    expect(asked('x.test')).toBe('b')
    all[1]!.ready = false
    expect(asked('x.test')).toBe('a')
    expect(asked('y.test')).toBe('c')
  })
})

describe('chance', () => {
  const lots =
    (...values: number[]) =>
    () =>
      values.shift()!

  it('random: a lot below the sum of weights', () => {
    const all = backends('1 0 2 -9 1')
    const seen = [0, 0.24, 0.26, 0.74, 0.76, 0.99].map((lot) => first(random(lots(lot)), all))
    expect(seen.join('')).toBe('aaccee')
  })

  it('twos: two lots, the one less loaded for its weight', () => {
    const all = backends('1/1 3/2 4/9')
    const of = (one: number, two: number): string => first(twos(lots(one / 8, two / 8)), all)
    // 1/1, 2/3, 9/4.
    expect([of(0, 1), of(1, 0), of(0, 5), of(5, 0), of(1, 5), of(6, 7)].join('')).toBe('bbaabc')
  })
})

describe('least time', () => {
  it('multiplies what it takes with what is in hand, for the weight', () => {
    const scheduler = make('least-time')
    const all = backends('1 1 2')
    for (const [at, ms] of [10, 4, 12].entries()) all[at]!.latencyMs = ms
    expect(scheduler.timed).toBe(true)
    const held = Array.from({ length: 7 }, () => {
      const name = first(scheduler, all)
      all.find((each) => each.name === name)!.active++
      return name
    })
    // 10 4 6 | 10 8 6 | 10 8 12 | 10 12 12 | 20 12 12 …
    expect(held.slice(0, 4).join('')).toBe('bcba')
    expect(names(scheduler, all).length).toBe(3)
  })

  it('tries one that it does not know, once at a time', () => {
    const scheduler = make('least-time')
    const all = backends('1 1')
    all[0]!.latencyMs = 1
    expect(first(scheduler, all)).toBe('b')
    all[1]!.active = 1
    expect(first(scheduler, all)).toBe('a')
  })
})
