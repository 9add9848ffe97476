import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FrameReader } from '../../../src/transports/worker-link/frame-reader.ts'
import { FRAME_HEAD, FrameType, MAX_FRAME } from '../../../src/wire/frames.ts'

interface Frame {
  readonly type: number
  readonly id: number
  readonly payload: Uint8Array
}

function encode({ type, id, payload }: Frame): Buffer {
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(id, 4)
  head[8] = type
  return Buffer.concat([head, payload])
}

/** What a reader tells of the bytes, read in these pieces; DATA joined by request. */
function read(pieces: readonly Buffer[]): string[] {
  const told: string[] = []
  const reader = new FrameReader({
    frame: (type, _flags, _extra, id, payload) =>
      told.push(`${type} ${id} ${payload.toString('hex')}`),
    data: (id, bytes) => {
      if (told.at(-1)?.startsWith(`data ${id} `)) told[told.length - 1] += bytes.toString('hex')
      else told.push(`data ${id} ${bytes.toString('hex')}`)
    },
  })
  for (const piece of pieces) {
    // Everybody's buffer: it changes as soon as the call is over.
    const shared = Buffer.concat([piece, Buffer.from('behind')])
    reader.read(shared, piece.length)
    shared.fill(0xee)
  }
  return told
}

const frame = fc.record({
  type: fc.constantFrom(FrameType.RESPONSE, FrameType.DATA, FrameType.END, FrameType.LEAVING),
  id: fc.nat(5),
  payload: fc.uint8Array({ maxLength: 40 }),
})

it('tells the same whatever the pieces, empty frames and empty DATA too', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(encode))
        const pieces: Buffer[] = []
        let at = 0
        for (const cut of cuts) {
          if (at >= bytes.length) break
          pieces.push(bytes.subarray(at, at + cut))
          at += cut
        }
        if (at < bytes.length) pieces.push(bytes.subarray(at))
        const whole = read([bytes])
        expect(read(pieces)).toEqual(whole)
        expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole)
      },
    ),
  )
})

it('refuses a frame that no worker sends', () => {
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32LE(MAX_FRAME + 1, 0)
  expect(() => read([head])).toThrow(/a frame of/)
})
