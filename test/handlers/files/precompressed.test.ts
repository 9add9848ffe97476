import { expect, test } from 'vitest'
import { chooseCoding } from '../../../src/handlers/files/precompressed.ts'

const ALL = ['br', 'zstd', 'gzip']

test.each([
  [null, ''],
  ['', ''],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip;q=1, br;q=0.5', 'gzip'],
  ['gzip;q=0.5, zstd;q=0.9, br;q=0.1', 'zstd'],
  ['br;q=0, gzip', 'gzip'],
  ['*', 'br'],
  ['*;q=0.5, gzip;q=0.1', 'br'],
  ['*;q=0', ''],
  ['identity', ''],
  ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ['identity, gzip;q=0.5', ''],
  ['identity;q=0', ''],
  ['deflate', ''],
  ['BR', 'br'],
] as const)('%j: %s', (field, expected) => {
  expect(ALL[chooseCoding(field, ALL)] ?? '').toBe(expected)
})

test('only what there is', () => {
  expect(chooseCoding('br, gzip', ['gzip'])).toBe(0)
  expect(chooseCoding('br', ['gzip'])).toBe(-1)
  expect(chooseCoding('br', [])).toBe(-1)
})
