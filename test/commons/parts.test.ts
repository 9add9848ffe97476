import { expect, test } from 'vitest'
import { addDecimals } from '../../src/commons/decimal.ts'
import { Deque } from '../../src/commons/deque.ts'
import { matches } from '../../src/commons/glob.ts'

test('a pattern made to be slow is not', () => {
  const before = performance.now()
  expect(matches('a*'.repeat(30) + 'b', 'a'.repeat(2000))).toBe(false)
  expect(performance.now() - before).toBeLessThan(500)
})

test('decimal sums are exact', () => {
  expect(addDecimals('0.1', '0.2')).toBe('0.3')
  expect(addDecimals('1e2', '-.5')).toBe('99.5')
  expect(addDecimals('-1', '1')).toBe('0')
  expect(addDecimals('0', '1e-20')).toBe('0')
  for (const text of ['', '.', 'x', '1e999', '1'.repeat(100), 'inf', '1 ']) {
    expect(addDecimals('0', text)).toBeNull()
  }
})

test('a ring is a list at both ends', () => {
  const ring = new Deque()
  const list: string[] = []
  let seed = 1
  for (let i = 0; i < 5000; i++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    switch ((seed >> 8) % (i < 2500 ? 6 : 4)) {
      case 0:
        expect(ring.popFront()).toBe(list.shift())
        break
      case 1:
        expect(ring.popBack()).toBe(list.pop())
        break
      case 2:
      case 4:
        ring.pushFront(String(i))
        list.unshift(String(i))
        break
      default:
        ring.pushBack(String(i))
        list.push(String(i))
    }
    expect(ring.length).toBe(list.length)
    expect([ring.at(0), ring.at(-1), ring.at(5)]).toEqual([list[0], list.at(-1), list[5]])
  }
})
