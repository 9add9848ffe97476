import { expect, test } from 'vitest'
import { PorticoError } from '../../../src/errors.ts'
import { failure } from '../../../src/handlers/files/failure.ts'

test.each([
  ['ENOENT', 404],
  ['ENOTDIR', 404],
  ['ENAMETOOLONG', 404],
  ['ELOOP', 404],
  ['EACCES', 403],
  ['ENXIO', 403],
  ['EMFILE', 503],
  ['ENFILE', 503],
  ['EIO', 500],
])('%s is %d', (code, status) => {
  const error = failure(Object.assign(new Error(code), { code }))
  expect(error.status).toBe(status)
  // A visitor is not told why something is not found.
  if (status === 404) expect(error.message).toBe('not found')
})

test('an error of ours stays what it is', () => {
  const error = new PorticoError('FORBIDDEN')
  expect(failure(error)).toBe(error)
  expect(failure('nonsense').code).toBe('INTERNAL')
})
