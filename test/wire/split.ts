/** Bytes in pieces: as they may come over a socket. */

/** Feeds `bytes` to a decoder in two pieces, split at every place, and then byte by byte. */
export function everySplit(bytes: Buffer, feed: (pieces: readonly Buffer[]) => void): void {
  for (let at = 0; at <= bytes.length; at++) feed([bytes.subarray(0, at), bytes.subarray(at)])
  feed(Array.from(bytes, (byte) => Buffer.of(byte)))
}
