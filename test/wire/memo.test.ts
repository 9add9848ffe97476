import { expect, test } from 'vitest'
import { Memo } from '../../src/wire/memo.ts'

const MOST = 8

function use(memo: Memo<string>, key: string): boolean {
  if (memo.get(key) !== undefined) return true
  memo.put(key, `value of ${key}`, () => key)
  return false
}

test('what was stored is found, with the value it was stored with', () => {
  const memo = new Memo<string>(MOST)
  expect(use(memo, 'a')).toBe(false)
  expect(memo.get('a')).toBe('value of a')
})

test('it starts anew when it is full, and is of use again at once', () => {
  const memo = new Memo<string>(MOST)
  for (let round = 0; round < 3; round++) for (let i = 0; i < MOST; i++) use(memo, `key ${i}`)
  use(memo, 'one more')
  expect(use(memo, 'key 0')).toBe(false)
  expect(use(memo, 'key 0')).toBe(true)
})

test('where every key is new it rests, then tries again', () => {
  const memo = new Memo<string>(MOST)
  for (let i = 0; i <= MOST; i++) use(memo, `new ${i}`)
  use(memo, 'again')
  expect(use(memo, 'again')).toBe(false)
  for (let i = 0; i < MOST * 16; i++) use(memo, `newer ${i}`)
  use(memo, 'later')
  expect(use(memo, 'later')).toBe(true)
})

test('long keys are never kept', () => {
  const memo = new Memo<string>(MOST)
  const long = 'x'.repeat(2049)
  expect(use(memo, long)).toBe(false)
  expect(use(memo, long)).toBe(false)
})
