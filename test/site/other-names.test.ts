import { expect, it } from 'vitest'
import { otherName, otherNames } from '../../src/site/other-names.ts'
import { jsonSchema } from '../../src/site/reference.ts'

function keysIn(form: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof form !== 'object' || form === null) return found
  for (const [name, value] of Object.entries(form)) {
    if (name === 'properties') for (const key of Object.keys(value)) found.add(key)
    keysIn(value, found)
  }
  return found
}

it('what other programs’ names stand for is a key of ours', () => {
  const keys = keysIn(jsonSchema())
  const strangers = Object.values(otherNames).flatMap((texts) =>
    texts.filter((text) => !keys.has(text.split(':', 1)[0] ?? '')),
  )
  expect(strangers).toEqual([])
})

it('the first that the mapping has counts', () => {
  expect(otherName('cheaper', ['min', 'max'])).toEqual({ key: 'min', write: '' })
  expect(otherName('CHEAPER', ['workers'])?.write).toBe('workers: { min: 1, max: 8 }')
  expect(otherName('max_requests', ['recycle'])?.key).toBe('recycle')
  expect(otherName('harakiri', ['at'])).toBeNull()
  expect(otherName('constructor', ['at'])).toBeNull()
})
