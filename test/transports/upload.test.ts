/** A body on its way to a backend that takes nothing: what waits is bounded in bytes and in parts. */
import { expect, it } from 'vitest'
import type { DialedStream } from '../../src/listen/dial.ts'
import type { BodySink, Exchange } from '../../src/request/exchange.ts'
import type { Dialect } from '../../src/transports/backend/dialect.ts'
import { Upload } from '../../src/transports/backend/upload.ts'

/** The kernel's part: takes nothing until it is told to. */
class Stuck {
  parts: Uint8Array[] = []
  stuck = true
  get writableLength(): number {
    return this.parts.reduce((sum, part) => sum + part.length, 0)
  }
  write(part: Uint8Array): void {
    if (this.stuck) this.parts.push(part)
  }
  cork(): void {}
  uncork(): void {}
}

it.each([
  ['of a byte', 1, 256],
  ['of many', 1_000, 66],
])('parts %s', async (_name, size, most) => {
  const stream = new Stuck()
  let sink: BodySink | null = null
  let resumed = 0
  const exchange = {
    receive: (given: BodySink) => {
      sink = given
    },
    resume: () => resumed++,
  } as unknown as Exchange
  const dialect = { part: (chunk: Uint8Array) => chunk } as unknown as Dialect
  const upload = new Upload(exchange, dialect, stream as unknown as DialedStream, {
    uploadChanged: () => {},
    uploadFailed: () => {},
  })
  upload.start(new Uint8Array(0))
  await new Promise(process.nextTick)
  const give = (): number => {
    let given = 1
    while (sink!.data(new Uint8Array(size))) if (++given > 100_000) return given
    return given
  }
  for (let round = 0; round < 3; round++) {
    expect(give()).toBeLessThanOrEqual(most)
    await new Promise(setImmediate)
    expect([upload.waits, resumed]).toEqual([true, round])
    stream.parts = []
    upload.drained()
    expect([upload.waits, resumed]).toEqual([false, round + 1])
  }
  // Who takes all at once is never waited for.
  stream.stuck = false
  expect(give()).toBe(100_001)
})
