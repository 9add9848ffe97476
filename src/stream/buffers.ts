/** Memory for what one side of a connection has said and the other has not taken yet, in pieces of one read. */

/** One read of a stream at most. */
const SIZE = 65_536
/** Kept for the next ones. */
const MOST_KEPT = 32

const kept: Buffer[] = []

/** A copy of the first `length` bytes, in memory that `giveBack` takes again. */
export function lend(bytes: Buffer, length: number): Buffer {
  const buffer = kept.pop() ?? Buffer.allocUnsafeSlow(SIZE)
  bytes.copy(buffer, 0, 0, length)
  return buffer
}

/** Nobody looks at it any more. */
export function giveBack(buffer: Buffer): void {
  if (kept.length < MOST_KEPT) kept.push(buffer)
}
