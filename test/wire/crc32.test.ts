import { crc32 as zlib } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32 } from '../../src/wire/crc32.ts'

it('is zlib’s', () => {
  expect(crc32('123456789')).toBe(0xcbf43926)
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(crc32(Buffer.from(bytes).toString('latin1'))).toBe(zlib(bytes))
    }),
  )
})
