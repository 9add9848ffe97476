/** Several ranges as one `multipart/byteranges` body (RFC 9110 §14.6). */
import { randomBytes } from 'node:crypto'
import type { Slice } from './ranges.ts'

/** The slices of a file of `size` bytes and what stands between them, and the body's media type. */
export function multipart(
  slices: readonly Slice[],
  type: string,
  size: number,
): { type: string; pieces: (Slice | Buffer)[] } {
  // Random, so that no file can hold it.
  const boundary = randomBytes(18).toString('hex')
  const pieces: (Slice | Buffer)[] = []
  for (const slice of slices) {
    const last = slice.from + slice.length - 1
    const head = `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${slice.from}-${last}/${size}\r\n\r\n`
    pieces.push(Buffer.from(head, 'latin1'), slice)
  }
  pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  return { type: `multipart/byteranges; boundary=${boundary}`, pieces }
}
