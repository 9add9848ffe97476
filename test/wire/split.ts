/** Bytes in pieces: as they may come over a socket. */

/** Feeds `bytes` to a decoder in two pieces, split at every place, and then byte by byte. */
export function everySplit(bytes: Buffer, feed: (pieces: readonly Buffer[]) => void): void {
  for (let at = 0; at <= bytes.length; at++) feed([bytes.subarray(0, at), bytes.subarray(at)])
  feed(Array.from(bytes, (byte) => Buffer.of(byte)))
}

interface BlockDecoder {
  readonly done: boolean
  readonly block: Buffer | null
  decode(bytes: Buffer, from: number, to: number): number
}

/** The decoder, its block, and what follows; from pieces that change once they were taken. */
export function decodeBlock<Decoder extends BlockDecoder>(
  decoder: Decoder,
  pieces: readonly Buffer[],
): [Decoder, string, string] {
  let block = ''
  let rest = ''
  for (const piece of pieces) {
    const bytes = Buffer.from(piece)
    const before = decoder.done
    const at = before ? 0 : decoder.decode(bytes, 0, bytes.length)
    if (!before && decoder.done) block = decoder.block?.toString('latin1') ?? 'skipped'
    rest += bytes.toString('latin1', at)
    bytes.fill(0xee)
  }
  return [decoder, block, rest]
}
