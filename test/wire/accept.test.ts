import { expect, test } from 'vitest'
import { parseWeights } from '../../src/wire/accept.ts'

test('names and weights, whatever the spacing and case', () => {
  const weights = parseWeights(
    'GZIP ; Q=0.5, br,, identity;q=0 ,text/html;level=1;q=0.125, *;q=1.000',
  )
  expect([...weights]).toEqual([
    ['gzip', 0.5],
    ['br', 1],
    ['identity', 0],
    ['text/html', 0.125],
    ['*', 1],
  ])
})

test('a malformed weight asks for nothing', () => {
  for (const q of ['2', '-1', '0.1234', '1.001', 'x', '']) {
    expect(parseWeights(`br;q=${q}`).get('br')).toBe(0)
  }
})

test('the first of a repetition counts, and a long list is cut', () => {
  expect(parseWeights('br;q=0.5,br').get('br')).toBe(0.5)
  expect(parseWeights(Array.from({ length: 1000 }, (_, i) => `x${i}`).join(',')).size).toBe(64)
})
