/** The bytes of the link: cut anywhere, in large amounts, and not frames at all. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FrameReader as ServerFrameReader } from '../../../src/transports/worker-link/frame-reader.ts'
import { framesSuite, garbageSuite } from '../link-bytes.ts'
import type { WorkerLink } from './link.ts'
import { Supervisor, ways } from './supervisor.ts'

describe.each(ways)('$name', ({ many, how }) => {
  framesSuite(() => Supervisor.start({ module: 'pep', ...how }), many)

  let supervisor: Supervisor
  let worker: WorkerLink
  beforeAll(async () => {
    ;({ supervisor, worker } = await Supervisor.serving({ module: 'pep', ...how }))
  })
  afterAll(() => supervisor.stop())

  test('what a worker sends, cut at every byte, is the same to the server', async () => {
    const chunks: Buffer[] = []
    const record = (chunk: Buffer): void => {
      chunks.push(chunk)
    }
    worker.socket.on('data', record)
    for (const path of ['/tuple', '/write', '/fields', '/raises-late', '/one-piece']) {
      await worker.request({ path, query: 'size=300' })
    }
    worker.socket.off('data', record)
    const bytes = Buffer.concat(chunks)
    const whole = readAs(bytes, [bytes.length])
    expect(whole).toHaveLength(9)
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(readAs(bytes, [cut, bytes.length])).toEqual(whole)
    }
    expect(readAs(bytes, [...bytes.keys()].slice(1).concat(bytes.length))).toEqual(whole)
  })
})

describe.each(ways)('garbage, with $name', ({ how }) => {
  garbageSuite(() => Supervisor.start(how))
})

/** What the server's own reader makes of `bytes`, given in pieces that end at `ends`. */
function readAs(bytes: Buffer, ends: readonly number[]): string[] {
  const events: string[] = []
  let data = -1
  const reader = new ServerFrameReader({
    frame(type, flags, extra, id, payload) {
      data = -1
      events.push(`${type} ${flags} ${extra} ${id} ${payload.toString('latin1')}`)
    },
    // The pieces of one body may come in any number.
    data(id, piece) {
      if (data !== id) events.push(`data ${id} `)
      data = id
      events.push(`${events.pop()}${Buffer.from(piece).toString('latin1')}`)
    },
  })
  let at = 0
  for (const end of ends) {
    // In a buffer of its own that is used again, as the server reads.
    const piece = Buffer.from(bytes.subarray(at, end))
    reader.read(piece, piece.length)
    piece.fill(0)
    at = end
  }
  return events
}
