/** Our Response beside Node's own: the same to whoever looks, whatever it was made from. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LightResponse, PlainResponse, takeParts } from '../../src/fetch/response.ts'

const Light = LightResponse as unknown as typeof Response

/** Made anew for each of the two. */
type Make<Value> = () => Value

const bodies: fc.Arbitrary<Make<ConstructorParameters<typeof Response>[0]>> = fc.oneof(
  fc.constant(() => null),
  fc.constant(() => undefined),
  fc.string({ unit: 'binary' }).map((text) => () => text),
  fc.uint8Array().map((bytes) => () => new Uint8Array(bytes)),
  fc.uint8Array().map((bytes) => () => Buffer.from(bytes)),
  fc.uint8Array().map((bytes) => () => new Uint8Array(bytes).buffer),
  fc.string().map((text) => () => new Blob([text], { type: 'text/x-a' })),
  fc.string().map((text) => () => new URLSearchParams({ a: text })),
  fc.string().map((text) => () => new Blob([text]).stream()),
  fc.integer().map((number) => () => number as unknown as string),
)

const names = fc.oneof(
  fc.constantFrom(
    'content-type',
    'Content-Type',
    'set-cookie',
    'X-A',
    'x-a',
    'Content-Length',
    'Date',
  ),
  fc.string(),
)
const values = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(' a ', 'a\tb', '', 'ä', '\u0001'),
)
const pairs = fc.array(fc.tuple(names, values), { maxLength: 4 })

const headers: fc.Arbitrary<Make<ResponseInit['headers']>> = fc.oneof(
  fc.constant(() => undefined),
  pairs.map((list) => () => Object.fromEntries(list)),
  pairs.map((list) => () => list),
  pairs.map((list) => () => {
    const made = new Headers()
    for (const [name, value] of list) {
      try {
        made.append(name, value)
      } catch {
        // None.
      }
    }
    return made
  }),
)

const inits: fc.Arbitrary<Make<ResponseInit | undefined>> = fc.oneof(
  fc.constant(() => undefined),
  fc
    .record(
      {
        status: fc.oneof(
          fc.constantFrom(200, 204, 304, 404),
          fc.integer({ min: 100, max: 700 }),
          fc.double(),
        ),
        statusText: fc.oneof(fc.constant(''), fc.string(), fc.string({ unit: 'binary' })),
        headers,
      },
      { requiredKeys: [] },
    )
    .map((init) => () => {
      const { headers: make, ...rest } = init
      const made = make?.()
      return made === undefined ? rest : { ...rest, headers: made }
    }),
)

/** What can be seen of a Response. */
async function looks(response: Response): Promise<unknown> {
  const { status, ok, statusText, type, url, redirected } = response
  const fields = [...response.headers]
  const hasBody = response.body !== null
  const text = await response.text()
  const again = await response.text().then(
    () => 'read',
    (error: Error) => error.constructor.name,
  )
  return {
    status,
    ok,
    statusText,
    type,
    url,
    redirected,
    fields,
    hasBody,
    text,
    again,
    used: response.bodyUsed,
  }
}

async function made(make: () => Response, look: (response: Response) => unknown): Promise<unknown> {
  try {
    return await look(make())
  } catch (error) {
    return `threw ${error instanceof Error ? error.constructor.name : error}`
  }
}

const KINDS: Readonly<Record<string, (response: Response) => unknown>> = {
  'as it is': looks,
  'when it is cloned': async (response) => {
    const copy = response.clone()
    copy.headers.set('x-copy', '1')
    return [await looks(response), await looks(copy)]
  },
  'when its fields change': (response) => {
    response.headers.append('x-a', 'more')
    response.headers.delete('content-type')
    return looks(response)
  },
  'when another is made of it': async (response) => {
    const Same = response.constructor as typeof Response
    const second = new Same(response.body, response)
    const third = new Same(second.body, { headers: second.headers })
    const cancelled = third.clone()
    // Of a clone this waits for the other as well.
    void cancelled.body?.cancel()
    return [await looks(third), response.bodyUsed, second.bodyUsed, cancelled.bodyUsed]
  },
  'when its body is read by hand': async (response) => {
    const parts: unknown[] = []
    const reader = response.body?.getReader({ mode: 'byob' })
    if (reader === undefined) return []
    for (let view = new Uint8Array(5); ; ) {
      const { done, value } = await reader.read(view)
      if (done) break
      parts.push(...value)
      view = new Uint8Array(value.buffer)
    }
    return [parts, response.bodyUsed]
  },
  'when its body is read in another way': async (response) => [
    (await response.blob()).type,
    response.bodyUsed,
    [...response.headers],
  ],
}

describe.each(Object.entries(KINDS))('a Response %s', (_, look) => {
  test('is what Node makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, inits, async (body, init) => {
        const ours = await made(() => new Light(body(), init()), look)
        const theirs = await made(() => new PlainResponse(body(), init()), look)
        expect(ours).toEqual(theirs)
      }),
      { numRuns: 500 },
    )
  })
})

test('the parts are what Node would send', async () => {
  await fc.assert(
    fc.asyncProperty(bodies, inits, async (body, init) => {
      let ours: Response
      try {
        ours = new Light(body(), init())
      } catch {
        return
      }
      const theirs = new PlainResponse(body(), init())
      let parts: ReturnType<typeof takeParts>
      try {
        parts = takeParts(ours)
      } catch (error) {
        // What HTTP cannot carry.
        expect([...theirs.headers].some(([, value]) => /[^\t\x20-\x7e\x80-\xff]/.test(value))).toBe(
          true,
        )
        expect(error).toMatchObject({ code: 'BAD_FIELD' })
        return
      }
      if (parts === null) return
      const lines = parts.block.split('\r\n').slice(0, -1)
      expect(lines.sort()).toEqual(
        [...theirs.headers].map(([name, value]) => `${name}: ${value}`).sort(),
      )
      expect(Buffer.from(parts.body ?? '').equals(Buffer.from(await theirs.arrayBuffer()))).toBe(
        true,
      )
      expect(parts).toMatchObject({ status: theirs.status, statusText: theirs.statusText })
    }),
    { numRuns: 1000 },
  )
})

test('it is used up once it is sent', async () => {
  const response = new Light('a')
  expect(takeParts(response)).toMatchObject({ body: 'a' })
  expect(takeParts(response)).toBeNull()
  expect(response.bodyUsed).toBe(true)
  await expect(response.text()).rejects.toThrow(TypeError)
  expect(() => response.clone()).toThrow(TypeError)
})

test('one that was made of it is sent as fast, and both are used up', async () => {
  const response = new Light('a', { headers: { 'x-a': '1' } })
  const { body } = response
  const second = new Light(body, response)
  expect(second.body).toBe(body)
  expect(takeParts(second)).toMatchObject({ body: 'a', block: expect.stringContaining('x-a: 1') })
  expect([response.bodyUsed, takeParts(response)]).toEqual([true, null])
  await expect(body?.getReader().read()).rejects.toThrow(TypeError)

  const read = new Light('a')
  const reader = read.body!.getReader()
  expect(takeParts(new Light('b'))).not.toBeNull()
  expect(takeParts(read)).toBeNull()
  await reader.read()
  expect(takeParts(read)).toBeNull()
})

test('bytes are those at the time', async () => {
  const bytes = new Uint8Array([97])
  const response = new Light(bytes)
  bytes[0] = 98
  expect(await response.text()).toBe('a')
})

test('json, redirect and error', async () => {
  const data = fc.oneof(fc.jsonValue(), fc.constant(undefined), fc.bigInt())
  await fc.assert(
    fc.asyncProperty(data, inits, async (value, init) => {
      const ours = await made(() => Light.json(value, init()), looks)
      expect(ours).toEqual(await made(() => PlainResponse.json(value, init()), looks))
    }),
  )
  expect(await looks(Light.redirect('http://a/', 303))).toEqual(
    await looks(PlainResponse.redirect('http://a/', 303)),
  )
  expect(Light.error().type).toBe('error')
})

test('each is an instance of the other class, and derived classes are their own', () => {
  class Own extends Light {}
  const [ours, theirs, own] = [
    new Light('a'),
    new PlainResponse('a'),
    new Own('a', { status: 201 }),
  ]
  for (const one of [ours, theirs, own]) {
    expect(one).toBeInstanceOf(Light)
    expect(one).toBeInstanceOf(PlainResponse)
  }
  expect(own).toBeInstanceOf(Own)
  expect(ours).not.toBeInstanceOf(Own)
  expect([own.status, Light.name, Object.prototype.toString.call(ours)]).toEqual([
    201,
    'Response',
    '[object Response]',
  ])
})
