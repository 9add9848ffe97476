/** What every server thread finds out for itself is told once. */
import { expect, it } from 'vitest'
import { ToldOnce } from '../../src/server/told-once.ts'

it('the same words are news once in a while, and memory has a bound', () => {
  const told = new ToldOnce()
  expect([0, 9_999, 10_000, 15_000].map((now) => told.isNews('a', now))).toEqual([
    true,
    false,
    true,
    false,
  ])
  expect(told.isNews('b', 15_000)).toBe(true)
  for (let i = 0; i < 10_000; i++) expect(told.isNews(`c${i}`, 15_000)).toBe(true)
})
