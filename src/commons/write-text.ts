/** Writes text of latin-1 without an allocation where it is small and the kernel takes it at once. */
import type { ByteStream } from '../listen/byte-stream.ts'

const SMALL = 65_536

let scratch = Buffer.allocUnsafeSlow(SMALL)

export function writeText(stream: ByteStream, text: string): void {
  if (text.length > SMALL) return stream.write(Buffer.from(text, 'latin1'))
  const length = scratch.write(text, 0, 'latin1')
  stream.write(scratch.subarray(0, length))
  // The kernel did not take all of it: the rest still stands there.
  if (stream.writableLength > 0) scratch = Buffer.allocUnsafeSlow(SMALL)
}
