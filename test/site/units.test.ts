import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration, parseSize, showDuration, showSize } from '../../src/site/units.ts'

describe('durations', () => {
  it.each([
    ['0', 0],
    ['500ms', 500],
    ['5s', 5000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h30m', 5_400_000],
    ['1d', 86_400_000],
    [' 5s ', 5000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([
    '',
    '5',
    '5 s',
    '-5s',
    '5S',
    '5sec',
    '1e3s',
    '.5s',
    '5s5',
    's',
    '5µs',
    'Infinity',
    '0x5s',
  ])('not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it('are shown as they are read', () => {
    fc.assert(
      fc.property(fc.nat(), (ms) => {
        expect(parseDuration(showDuration(ms))).toBe(ms)
      }),
    )
    expect([0, 1, 1000, 90_000, 3_600_000, 86_400_000].map(showDuration)).toEqual([
      '0',
      '1ms',
      '1s',
      '90s',
      '1h',
      '1d',
    ])
  })
})

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['512B', 512],
    ['1KB', 1024],
    ['1k', 1024],
    ['1KiB', 1024],
    ['16 KB', 16_384],
    ['1.5MB', 1_572_864],
    ['10MB', 10_485_760],
    ['1GB', 1_073_741_824],
    ['1TB', 1_099_511_627_776],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', '16', '-1KB', 'KB', '1e3KB', '1KBB', '1  KB', '1XB', '1iB'])('not %j', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })

  it('are shown as they are read', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(showSize(bytes))).toBe(bytes)
      }),
    )
    expect([0, 1, 1024, 1536, 1_048_576].map(showSize)).toEqual(['0', '1B', '1KB', '1536B', '1MB'])
  })
})
