import { expect, test } from 'vitest'
import { patternOf } from '../../src/checks/pattern.ts'

const bytes = (text: string): string => Buffer.from(text).toString('latin1')

test('a text is looked for as it is, in the bytes of its UTF-8', () => {
  expect(patternOf('a.c').isIn('xabcx')).toBe(false)
  expect(patternOf('ü').isIn(bytes('Tür'))).toBe(true)
})

test('an expression begins with a tilde', () => {
  expect(patternOf('~^a.c$').isIn('abc')).toBe(true)
  expect(patternOf('~^a.c$').isIn('abcd')).toBe(false)
  expect(patternOf('~^T.r$').isIn(bytes('Tür'))).toBe(true)
  expect(() => patternOf('~(')).toThrow(SyntaxError)
})

test('an answer made to keep an expression busy does not', () => {
  const began = performance.now()
  expect(() => patternOf('~^(a+)+$').isIn(`${'a'.repeat(60)}!`)).toThrow(/busy/)
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(patternOf('~^(a+)+$').isIn('aaa')).toBe(true)
})
