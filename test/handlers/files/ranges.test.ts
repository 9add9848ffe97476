import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MOST_RANGES, selectRanges } from '../../../src/handlers/files/ranges.ts'

test.each([
  ['bytes=0-0', 10, [[0, 1]]],
  ['bytes=0-', 10, [[0, 10]]],
  ['BYTES=2-4', 10, [[2, 3]]],
  ['bytes=2-400', 10, [[2, 8]]],
  ['bytes=-3', 10, [[7, 3]]],
  ['bytes=-30', 10, [[0, 10]]],
  [
    'bytes=0-1,5-6',
    10,
    [
      [0, 2],
      [5, 2],
    ],
  ],
  [
    'bytes=5-6 ,\t0-1',
    10,
    [
      [5, 2],
      [0, 2],
    ],
  ],
  ['bytes=,0-1,,', 10, [[0, 2]]],
  ['bytes=0-1,50-60', 10, [[0, 2]]],
  ['bytes=1-99999999999999999999999', 10, [[1, 9]]],
] as const)('%s of %d bytes', (field, size, expected) => {
  expect(selectRanges(field, size)).toEqual(expected.map(([from, length]) => ({ from, length })))
})

test.each([
  '',
  'bytes',
  'bytes=',
  'bytes=,',
  'bytes=-',
  'bytes=a-b',
  'bytes=1',
  'bytes=4-2',
  'bytes=1-2-3',
  'bytes=0x1-2',
  'bytes =0-1',
  'items=0-1',
  'bytes=0-5,3-8',
  'bytes=-5,-3',
  `bytes=${Array.from({ length: MOST_RANGES + 1 }, (_, i) => `${i * 2}-${i * 2}`).join()}`,
])('ignored: %j', (field) => {
  expect(selectRanges(field, 100)).toBe('whole')
})

test('what lies behind the end cannot be satisfied', () => {
  expect(selectRanges('bytes=10-', 10)).toBe('none')
  expect(selectRanges('bytes=10-20,30-', 10)).toBe('none')
  expect(selectRanges('bytes=-0', 10)).toBe('none')
  expect(selectRanges('bytes=0-', 0)).toBe('none')
  expect(selectRanges('bytes=-5', 0)).toBe('whole')
})

test('any field at all: slices lie inside the file, apart, and are few', () => {
  const spec = fc.oneof(
    fc.tuple(fc.nat(300), fc.nat(300)).map(([a, b]) => `${a}-${b}`),
    fc.nat(300).map((a) => `${a}-`),
    fc.nat(300).map((a) => `-${a}`),
    fc.string({ maxLength: 8 }),
  )
  const field = fc.oneof(
    fc.array(spec, { maxLength: 20 }).map((specs) => `bytes=${specs.join(',')}`),
    fc.string(),
  )
  fc.assert(
    fc.property(field, fc.nat(200), (text, size) => {
      const selected = selectRanges(text, size)
      if (typeof selected === 'string') return
      expect(selected.length).toBeGreaterThan(0)
      expect(selected.length).toBeLessThanOrEqual(MOST_RANGES)
      const seen = new Set<number>()
      for (const { from, length } of selected) {
        expect(length).toBeGreaterThan(0)
        for (let i = from; i < from + length; i++) {
          expect(i).toBeLessThan(size)
          expect(seen.has(i)).toBe(false)
          seen.add(i)
        }
      }
    }),
    { numRuns: 2000 },
  )
})
