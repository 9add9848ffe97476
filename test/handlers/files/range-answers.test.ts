/** Range answers against an oracle: slices of the content, from memory and from disk. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { files } from '../../../src/handlers/files.ts'
import { type Answer, ask } from '../ask.ts'
import { Folder, filesPlan } from '../folder.ts'
import { type Served, serve } from '../serve.ts'

const SMALL = 1000
const LARGE = 900_000
let folder: Folder
let served: Served
const contents = new Map<number, Buffer>()

beforeAll(async () => {
  folder = new Folder()
  for (const size of [SMALL, LARGE]) {
    const content = Buffer.alloc(size)
    for (let i = 0; i < size; i++) content[i] = (i * 2_654_435_761) >>> 24
    contents.set(size, content)
    folder.write(String(size), content)
  }
  served = await serve(files(filesPlan(folder.root)))
})
afterAll(() => {
  served.close()
  folder.remove()
})

interface Part {
  readonly from: number
  readonly bytes: Buffer
}

/** Takes a multipart/byteranges body apart as RFC 2046 describes it. */
function partsOf(answer: Answer, size: number): Part[] {
  const boundary = /^multipart\/byteranges; boundary=([0-9a-f]+)$/.exec(
    String(answer.headers['content-type']),
  )?.[1]
  expect(boundary).toBeDefined()
  const parts: Part[] = []
  const { body } = answer
  let at = body.indexOf(`--${boundary}\r\n`)
  while (body.subarray(at).toString('latin1', 0, 4 + boundary!.length) !== `--${boundary}--`) {
    const blank = body.indexOf('\r\n\r\n', at)
    const head = body.toString('latin1', at, blank)
    const range = /Content-Range: bytes (\d+)-(\d+)\/(\d+)/.exec(head)
    expect(Number(range?.[3])).toBe(size)
    expect(head).toContain('Content-Type: application/octet-stream')
    const from = Number(range?.[1])
    const length = Number(range?.[2]) - from + 1
    parts.push({ from, bytes: body.subarray(blank + 4, blank + 4 + length) })
    at = blank + 4 + length + 2
    expect(body.toString('latin1', at - 2, at)).toBe('\r\n')
  }
  return parts
}

test('whatever is asked for, what comes is a part of the file or all of it', async () => {
  const fields = (size: number): fc.Arbitrary<string> => {
    const place = fc.oneof(fc.nat(size + 20), fc.constantFrom(0, size - 1, size, 65_536, 131_072))
    const spec = fc.oneof(
      fc.tuple(place, fc.nat(Math.ceil(size / 3))).map(([a, n]) => `${a}-${a + n}`),
      place.map((a) => `${a}-`),
      place.map((a) => `-${a}`),
    )
    return fc.oneof(
      spec.map((one) => `bytes=${one}`),
      fc.array(spec, { minLength: 1, maxLength: 6 }).map((specs) => `bytes=${specs.join(', ')}`),
    )
  }
  const request = fc
    .constantFrom(SMALL, LARGE)
    .chain((size) => fc.tuple(fc.constant(size), fields(size)))
  const seen = new Set<number>()
  await fc.assert(
    fc.asyncProperty(request, async ([size, field]) => {
      const content = contents.get(size)!
      const answer = await ask(served.port, `/${size}`, { Range: field })
      seen.add(answer.status)
      expect(answer.cut).toBe(false)
      if (answer.status === 416) {
        expect(answer.headers['content-range']).toBe(`bytes */${size}`)
        return
      }
      expect(Number(answer.headers['content-length'])).toBe(answer.body.length)
      if (answer.status === 200) {
        expect(answer.body.equals(content)).toBe(true)
        return
      }
      expect(answer.status).toBe(206)
      const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(String(answer.headers['content-range']))
      const parts =
        range === null ? partsOf(answer, size) : [{ from: Number(range[1]), bytes: answer.body }]
      if (range !== null) expect(Number(range[2]) - Number(range[1]) + 1).toBe(answer.body.length)
      for (const { from, bytes } of parts) {
        expect(bytes.length).toBeGreaterThan(0)
        expect(bytes.equals(content.subarray(from, from + bytes.length))).toBe(true)
      }
    }),
    { numRuns: 600 },
  )
  expect([...seen].sort()).toEqual([200, 206, 416])
})

test('several ranges come in the order asked for', async () => {
  const answer = await ask(served.port, `/${LARGE}`, { Range: 'bytes=600000-899999,0-9,-0, 20-29' })
  expect(answer.status).toBe(206)
  expect(partsOf(answer, LARGE).map((part) => [part.from, part.bytes.length])).toEqual([
    [600_000, 300_000],
    [0, 10],
    [20, 10],
  ])
})
