/** What limits count, against plain models of it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Crowds } from '../../../src/filters/limit/crowds.ts'
import { network } from '../../../src/filters/limit/key.ts'
import { keyHash } from '../../../src/filters/limit/key-hash.ts'
import { Rates } from '../../../src/filters/limit/rates.ts'
import { SharedTable } from '../../../src/filters/limit/table.ts'

describe('hashes', () => {
  const told = (text: string, key = 1): string => {
    const hash = keyHash(key, 2)
    hash.of(text)
    return `${hash.low},${hash.high}`
  }

  test('depend on every byte, the length and the key', () => {
    expect(told('abcdefg')).toBe(told('abcdefg'))
    const texts = ['', '\0', '\0\0', 'a', 'b', 'abcd', 'abcde', 'bacde', 'abcd\0', '\xff', '\x7f']
    expect(new Set(texts.map((text) => told(text))).size).toBe(texts.length)
    expect(told('abcd', 1)).not.toBe(told('abcd', 3))
  })

  test('spread neighbours evenly', () => {
    const hash = keyHash(5, 6)
    const seen = new Set<number>()
    const sets = new Array<number>(64).fill(0)
    for (let i = 0; i < 64_000; i++) {
      hash.of(`10.0.${i >> 8}.${i & 255}`)
      seen.add((hash.high >>> 0) * 2 ** 20 + (hash.low & 0xfffff))
      sets[(hash.high >>> 0) % 64]!++
    }
    expect(seen.size).toBe(64_000)
    expect(Math.min(...sets)).toBeGreaterThan(850)
    expect(Math.max(...sets)).toBeLessThan(1150)
  })
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:DB8:0001:2:ffff::', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:db8::1:2:3:4', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
  ['', ''],
])('%s is counted as %s', (address, counted) => {
  expect(network(address)).toBe(counted)
})

describe('rates', () => {
  test('a bucket is used up, says when there is more, and fills', () => {
    const rates = new Rates(SharedTable.allocate(10))
    const at = (now: number): number => Math.round(rates.take('a', now, 100, 300))
    expect([at(0), at(0), at(0), at(0), at(50)]).toEqual([100, 200, 300, -100, -50])
    expect([at(100), at(100), at(350), at(350), at(350)]).toEqual([300, -100, 150, 250, -50])
    expect(at(99_999)).toBe(100)
  })

  test('decide as a token bucket does, each key by itself, in any thread', () => {
    const request = fc.record({ after: fc.nat(400), key: fc.nat(3), thread: fc.nat(1) })
    fc.assert(
      fc.property(
        fc.array(request, { maxLength: 200 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 9 }),
        (requests, interval, burst) => {
          const memory = SharedTable.allocate(100)
          const threads = [new Rates(memory), new Rates(memory)]
          const tokens = new Map<number, { count: number; at: number }>()
          let now = 0
          for (const { after, key, thread } of requests) {
            now += after
            const known = tokens.get(key) ?? { count: burst, at: now }
            const count = Math.min(burst, known.count + (now - known.at) / interval)
            // Each thread has read by itself how its clock stands to the common one.
            if (Math.abs(count - 1) < 0.01) return
            const passes = count > 1
            tokens.set(key, { count: passes ? count - 1 : count, at: now })
            const missing = threads[thread]!.take(String(key), now, interval, burst * interval)
            expect(missing > 0).toBe(passes)
          }
        },
      ),
    )
  })

  test('memory is bounded: whoever is nearest to a full bucket is forgotten', () => {
    const rates = new Rates(SharedTable.allocate(1))
    for (let i = 0; i < 6; i++) for (let n = 0; n < 5; n++) rates.take(`heavy ${i}`, 0, 100, 500)
    for (let i = 0; i < 1000; i++) expect(rates.take(`light ${i}`, 0, 100, 500)).toBeGreaterThan(0)
    for (let i = 0; i < 6; i++) expect(rates.take(`heavy ${i}`, 0, 100, 500)).toBeLessThan(0)
  })
})

describe('crowds', () => {
  test('are bounded, and forget who leaves', () => {
    const crowds = new Crowds(SharedTable.allocate(100))
    const [one, two, three] = [1, 2, 3].map(() => crowds.enter('a', 2))
    expect([one !== 0, two === one, three]).toEqual([true, true, 0])
    expect(crowds.enter('b', 2)).not.toBe(0)
    crowds.leave(one!)
    expect(crowds.enter('a', 2)).toBe(one)
    expect(crowds.enter('a', 2)).toBe(0)
  })

  test('give nobody’s place away while it counts', () => {
    const crowds = new Crowds(SharedTable.allocate(1))
    const places = Array.from({ length: 20 }, (_, i) => crowds.enter(`key ${i}`, 1))
    const inside = places.filter((place) => place !== 0)
    expect(new Set(inside).size).toBe(7)
    for (const place of inside) crowds.leave(place)
    expect(crowds.enter('another', 1)).not.toBe(0)
  })

  test('sets hardly ever fill at the size that is allocated', () => {
    const memory = SharedTable.allocate(16 * 5000)
    const crowds = new Crowds(memory)
    for (let i = 0; i < 5000; i++) expect(crowds.enter(`10.1.${i >> 8}.${i & 255}`, 1)).not.toBe(0)
  })
})
