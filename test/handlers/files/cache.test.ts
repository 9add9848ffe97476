import { expect, test } from 'vitest'
import { PathCache } from '../../../src/handlers/files/cache.ts'

const MB = 1_048_576

test('all caches of a thread share one bound in bytes', () => {
  const one = new PathCache<number>((bytes) => bytes)
  const two = new PathCache<number>((bytes) => bytes)
  one.set('/a', 20 * MB)
  two.set('/b', 10 * MB)
  expect([one.get('/a'), two.get('/b')]).toEqual([20 * MB, 10 * MB])
  two.set('/c', 10 * MB)
  expect([one.get('/a'), two.get('/b'), two.get('/c')]).toEqual([undefined, undefined, 10 * MB])
  // Replaced and deleted entries give their share back.
  for (let i = 0; i < 100; i++) two.set('/c', 10 * MB)
  two.set('/d', 20 * MB)
  expect(two.get('/c')).toBe(10 * MB)
  two.delete('/c')
  two.delete('/c')
  one.set('/a', 12 * MB)
  expect([one.get('/a'), two.get('/d')]).toEqual([12 * MB, 20 * MB])
  one.close()
  two.set('/e', 12 * MB)
  expect([two.get('/d'), two.get('/e')]).toEqual([20 * MB, 12 * MB])
  two.close()
})

test('and in entries', () => {
  const cache = new PathCache<number>(() => 1)
  for (let i = 0; i < 8192; i++) cache.set(`/${i}`, i)
  expect(cache.get('/0')).toBe(0)
  cache.set('/more', 1)
  expect([cache.get('/0'), cache.get('/more')]).toEqual([undefined, 1])
  cache.close()
})
