import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HpackDecoder, HpackFault } from '../../src/wire/hpack-decoder.ts'
import { HpackEncoder, mostFieldSize, writeField } from '../../src/wire/hpack-encoder.ts'
import { decodeHuffman, huffmanSize, writeHuffman } from '../../src/wire/hpack-huffman.ts'
import { DEFAULT_TABLE_SIZE } from '../../src/wire/hpack-table.ts'

type Fields = readonly (readonly [string, string])[]

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

function decode(decoder: HpackDecoder, block: Buffer): Fields {
  const fields: [string, string][] = []
  // Not at the beginning of the buffer, and with something behind it.
  const bytes = Buffer.concat([Buffer.from([0xff]), block, Buffer.from([0xff])])
  decoder.decode(bytes, 1, bytes.length - 1, (name, value) => void fields.push([name, value]))
  return fields
}

function encode(encoder: HpackEncoder, fields: Fields): Buffer {
  const most = fields.reduce((sum, [name, value]) => sum + mostFieldSize(name, value), 12)
  const bytes = Buffer.alloc(most)
  let at = encoder.begin(bytes, 0)
  for (const [name, value] of fields) at = encoder.write(bytes, at, name, value)
  return bytes.subarray(0, at)
}

const REQUESTS: readonly Fields[] = [
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
    ['cache-control', 'no-cache'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/index.html'],
    [':authority', 'www.example.com'],
    ['custom-key', 'custom-value'],
  ],
]
const ANSWERS: readonly Fields[] = [
  [
    [':status', '302'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ],
  [
    [':status', '307'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ],
  [
    [':status', '200'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
    ['location', 'https://www.example.com'],
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
]

describe('the examples of RFC 7541, appendix C', () => {
  it.each([
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      'custom-key',
      'custom-header',
      55,
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path', '/sample/path', 0],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password', 'secret', 0],
    ['C.2.4', '82', ':method', 'GET', 0],
  ])('%s', (clause, block, name, value, size) => {
    const decoder = new HpackDecoder()
    decoder.decode(hex(block), 0, hex(block).length, (...field) => {
      expect(field).toEqual([name, value, clause === 'C.2.3'])
    })
    expect(decoder.size).toBe(size)
  })

  it.each<[string, number, readonly Fields[], readonly number[], readonly string[]]>([
    [
      'C.3',
      DEFAULT_TABLE_SIZE,
      REQUESTS,
      [57, 110, 164],
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4',
      DEFAULT_TABLE_SIZE,
      REQUESTS,
      [57, 110, 164],
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
    [
      'C.5',
      256,
      ANSWERS,
      [222, 222, 215],
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
         2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
         6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
         54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
         5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
         3d31`,
      ],
    ],
    [
      'C.6',
      256,
      ANSWERS,
      [222, 222, 215],
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
         9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
    ],
  ])('%s', (_, limit, lists, sizes, blocks) => {
    const decoder = new HpackDecoder(limit)
    blocks.forEach((block, i) => {
      const fields = decode(decoder, hex(block))
      // In C.5 and C.6 the order of the second answer's fields is that of its list, too.
      expect(fields).toEqual(lists[i])
      expect(decoder.size).toBe(sizes[i])
    })
  })

  it('C.4, encoded', () => {
    const encoder = new HpackEncoder()
    expect(REQUESTS.map((fields) => encode(encoder, fields).toString('hex'))).toEqual([
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ])
  })
})

describe('what is refused', () => {
  it.each([
    ['index 0', '80'],
    ['an index beyond both tables', 'be'],
    ['a name index beyond both tables', '7e 01 61'],
    ['an index far beyond', 'ff ff ff ff 7f'],
    ['an integer without end', 'ff 80 80 80 80 80 80 80 80 80 00'],
    ['an integer cut short', 'ff 80'],
    ['a literal without a value', '40 01 61'],
    ['a name cut short', '40 05 61'],
    ['a value cut short', '40 01 61 05 61'],
    ['a string longer than any', '40 7f ff ff ff ff 07 61'],
    ['a table larger than allowed', '3f e2 1f'],
    ['a table size behind a field', '82 20'],
    ['EOS in a string', '00 01 61 84 ff ff ff ff'],
    ['more padding than seven bits', '00 01 61 82 1f ff'],
    ['padding that is not all ones', '00 01 61 81 18'],
  ])('%s', (_, block) => {
    expect(() => decode(new HpackDecoder(), hex(block))).toThrow(HpackFault)
  })

  it.each([
    ['ff'],
    ['1f ff'],
    ['1f ff ff'],
    ['1f ff ff ff'],
    ['ff 9f ff ff ff'],
    ['52 bc 30 ff ff ff ff'],
    ['00'],
    ['ff ff ff ff fc'],
  ])('Huffman code %s', (code) => {
    expect(decodeHuffman(hex(code), 0, hex(code).length)).toBeNull()
  })
})

describe('the table', () => {
  it('shrinks, becomes empty and grows again as it is told', () => {
    const decoder = new HpackDecoder()
    decode(decoder, hex('4001 6101 62'))
    expect(decoder.size).toBe(34)
    expect(decode(decoder, hex('20 3f e1 1f 82'))).toEqual([[':method', 'GET']])
    expect(decoder.size).toBe(0)
    expect(() => decode(decoder, hex('be'))).toThrow(HpackFault)
  })

  it('is emptied by an entry that is larger than it', () => {
    const decoder = new HpackDecoder(64)
    decode(decoder, hex('4001 6101 62'))
    const large = `40 01 63 28 ${'61'.repeat(40)}`
    expect(decode(decoder, hex(large))).toEqual([['c', 'a'.repeat(40)]])
    expect(decoder.size).toBe(0)
  })

  it('is as the other side allows it, also when that changes twice between two blocks', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    const fields: Fields = [['x-a', 'value']]
    decode(decoder, encode(encoder, fields))
    encoder.allow(0)
    encoder.allow(2048)
    expect(encoder.size).toBe(0)
    expect(decode(decoder, encode(encoder, fields))).toEqual(fields)
    expect(decoder.size).toBe(encoder.size)
    encoder.allow(1_000_000)
    expect(decode(decoder, encode(encoder, fields))).toEqual(fields)
  })

  it('tells when the same bytes may mean something else', () => {
    const decoder = new HpackDecoder()
    const { version } = decoder
    decode(decoder, hex('82 86 04 01 2f'))
    expect(decoder.version).toBe(version)
    decode(decoder, hex('4001 6101 62'))
    expect(decoder.version).not.toBe(version)
  })

  it('never holds what could be guessed', () => {
    const encoder = new HpackEncoder()
    const block = encode(encoder, [
      ['authorization', 'Basic YTpi'],
      ['cookie', 'a=1'],
      ['cookie', 'session=0123456789abcdef'],
      [':path', '/once'],
    ])
    const seen: boolean[] = []
    new HpackDecoder().decode(block, 0, block.length, (_, __, sensitive) => seen.push(sensitive))
    expect(seen).toEqual([true, true, false, false])
    expect(encoder.size).toBe('cookie'.length + 'session=0123456789abcdef'.length + 32)
  })
})

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 80,
})
const name = fc.oneof(
  fc.constantFrom(':path', ':status', 'cookie', 'date', 'x-a', 'x-b', 'user-agent', 'etag'),
  latin1,
)
const lists = fc.array(
  fc.record({
    fields: fc.array(fc.tuple(name, latin1), { maxLength: 30 }),
    allow: fc.option(fc.constantFrom(0, 40, 100, 4096, 65_536)),
  }),
  { maxLength: 12 },
)

describe('of anything', () => {
  it('what was encoded is decoded, with the same table on both sides', () => {
    fc.assert(
      fc.property(lists, fc.constantFrom(0, 64, 200, 4096), (rounds, most) => {
        const encoder = new HpackEncoder(most)
        const decoder = new HpackDecoder()
        for (const { fields, allow } of rounds) {
          if (allow !== null) encoder.allow(allow)
          expect(decode(decoder, encode(encoder, fields))).toEqual(fields)
          expect(decoder.size).toBe(encoder.size)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('without a table as well, within what was said to be enough room', () => {
    fc.assert(
      fc.property(fc.string(), latin1, latin1, fc.boolean(), (_, key, value, sensitive) => {
        const bytes = Buffer.alloc(mostFieldSize(key, value))
        const end = writeField(bytes, 0, key, value, sensitive)
        expect(end).toBeLessThanOrEqual(bytes.length)
        const decoder = new HpackDecoder()
        expect(decode(decoder, bytes.subarray(0, end))).toEqual([[key, value]])
        expect(decoder.size).toBe(0)
      }),
    )
  })

  it('Huffman codes there and back', () => {
    fc.assert(
      fc.property(latin1, (text) => {
        const bytes = Buffer.alloc(huffmanSize(text))
        expect(writeHuffman(bytes, 0, text)).toBe(bytes.length)
        expect(decodeHuffman(bytes, 0, bytes.length)).toBe(text)
      }),
    )
  })

  it('bytes are a block, or a fault: nothing else, and never without bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder()
        try {
          for (const block of blocks) decode(decoder, Buffer.from(block))
        } catch (error) {
          expect(error).toBeInstanceOf(HpackFault)
        }
        expect(decoder.size).toBeLessThanOrEqual(DEFAULT_TABLE_SIZE)
      }),
      { numRuns: 2000 },
    )
  })
})
