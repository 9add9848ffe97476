import { expect, it } from 'vitest'
import { requestBlock } from '../../src/transports/http2/request-block.ts'
import { HpackDecoder } from '../../src/wire/hpack-decoder.ts'

it('loses no byte of a value: what ends in à in UTF-8 ends in a space of latin-1', () => {
  const value = Buffer.from('à la carte, voilà').toString('latin1')
  const block = requestBlock(`GET / HTTP/1.1\r\nHost: a\r\nX-Dish: ${value}\r\n\r\n`, 'http')
  const told: Record<string, string> = {}
  new HpackDecoder().decode(block, 0, block.length, (name, text) => {
    told[name] = text
  })
  expect(told['x-dish']).toBe(value)
})
