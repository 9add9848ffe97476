/**
 * gzip, brotli and zstd: at once for small answers, off the event loop for larger ones, bit by bit for
 * what comes bit by bit.
 *
 * Hot: `zlib.gzipSync` makes a compressor for each call, which is most of what it costs (8.6 KB of JSON:
 * gzip 490 µs, zstd 390 µs); one that is reset does the same in 50 and 14 µs. The handle is an internal of
 * Node's: it is looked at once, and where it is not as expected the public functions are used.
 */
import type { Transform } from 'node:stream'
import {
  brotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gunzipSync,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'
import type { CodingName } from '../../site/filters-plan.ts'

/** Longest text that `atOnce` takes, bytes: below half a millisecond of the event loop's time. */
export const MOST_AT_ONCE = 32_768

export interface Coder {
  readonly name: CodingName
  /** Up to MOST_AT_ONCE bytes. The result is valid until the next call; null: it would not be smaller. */
  atOnce(body: Uint8Array): Uint8Array | null
  /** In a thread of the pool. */
  whole(body: Uint8Array, done: (compressed: Buffer | null) => void): void
  stream(): Stream
  /** What makes a decoder able to read all that was written so far. */
  readonly flushFlag: number
}

export type Stream = Transform & { flush(kind: number, callback?: () => void): void }

/** What waits in a stream, bytes, before it asks for a pause. */
const HIGH = 65_536
/** Memory of a stream's compressor: windows of 256 KB. */
const WINDOW_BITS = 18

const scratch = Buffer.allocUnsafeSlow(MOST_AT_ONCE)

export function createCoder(name: CodingName, level: number): Coder {
  switch (name) {
    case 'gzip':
      return gzipCoder(level)
    case 'br':
      return brotliCoder(level)
    case 'zstd':
      return zstdCoder(level)
  }
}

/** Up to so many bytes a window of 8 KB sees all there is, and less memory is cleared for each answer. */
const SMALL = 7_900

function gzipCoder(level: number): Coder {
  const make = (): Stream => createGzip({ level, ...BUFFERS })
  const makeSmall = (): Stream => createGzip({ level, windowBits: 13, memLevel: 7, ...BUFFERS })
  const plain: Coder['atOnce'] = (body) => smaller(gzipSync(body, { level }), body)
  const usual = reused(make, constants.Z_FINISH, gunzipSync) ?? plain
  const small = reused(makeSmall, constants.Z_FINISH, gunzipSync) ?? plain
  return {
    name: 'gzip',
    atOnce: (body) => (body.length <= SMALL ? small(body) : usual(body)),
    whole: (body, done) => gzip(body, { level }, settle(body, done)),
    stream: make,
    flushFlag: constants.Z_SYNC_FLUSH,
  }
}

function zstdCoder(level: number): Coder {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: WINDOW_BITS,
  }
  const make = (): Stream => createZstdCompress({ params, ...BUFFERS }) as unknown as Stream
  const plain = (body: Uint8Array): Buffer => zstdCompressSync(body, { params })
  return {
    name: 'zstd',
    atOnce:
      reused(make, constants.ZSTD_e_end, zstdDecompressSync) ??
      ((body) => smaller(plain(body), body)),
    whole: (body, done) => zstdCompress(body, { params }, settle(body, done)),
    stream: make,
    flushFlag: constants.ZSTD_e_flush,
  }
}

function brotliCoder(level: number): Coder {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: level,
    [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
  }
  const sized = (body: Uint8Array): object => ({
    params: { ...params, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
  })
  return {
    name: 'br',
    // A brotli handle forgets its parameters when it is reset.
    atOnce: (body) => smaller(brotliCompressSync(body, sized(body)), body),
    whole: (body, done) => brotliCompress(body, sized(body), settle(body, done)),
    stream: () => createBrotliCompress({ params, ...BUFFERS }),
    flushFlag: constants.BROTLI_OPERATION_FLUSH,
  }
}

const BUFFERS = { chunkSize: 16_384, writableHighWaterMark: HIGH }

function smaller(compressed: Buffer, body: Uint8Array): Buffer | null {
  return compressed.length < body.length ? compressed : null
}

function settle(
  body: Uint8Array,
  done: (compressed: Buffer | null) => void,
): (error: Error | null, compressed: Buffer) => void {
  return (error, compressed) => done(error === null ? smaller(compressed, body) : null)
}

/** What a compression stream of Node's holds. */
interface Internals {
  readonly _handle?: {
    reset?(): void
    writeSync?(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void
  }
  /** Bytes left of the output and of the input. */
  readonly _writeState?: Uint32Array
}

/** One compressor for all; null where it is not as we know it. */
function reused(
  make: () => Stream,
  finish: number,
  decode: (bytes: Uint8Array) => Buffer,
): Coder['atOnce'] | null {
  const stream = make()
  const { _handle: handle, _writeState: state } = stream as unknown as Internals
  if (typeof handle?.reset !== 'function' || typeof handle.writeSync !== 'function') return null
  if (!(state instanceof Uint32Array) || state.length !== 2) return null
  const { reset, writeSync } = handle
  const atOnce = (body: Uint8Array): Uint8Array | null => {
    reset.call(handle)
    const room = Math.min(scratch.length, body.length)
    writeSync.call(handle, finish, body, 0, body.length, scratch, 0, room)
    // What did not fit into as many bytes is not smaller.
    return state[0] === 0 || state[1] !== 0 ? null : scratch.subarray(0, room - state[0]!)
  }
  try {
    for (const sample of ['a'.repeat(2000), 'ab'.repeat(1500)]) {
      const compressed = atOnce(Buffer.from(sample))
      if (compressed === null || decode(compressed).toString() !== sample) return null
    }
  } catch {
    return null
  }
  return atOnce
}
