/** Hot: the masking of WebSocket frames that clients send (RFC 6455 §5.3). Pure. */

/** Below this many bytes words do not pay. */
const WORTH_WORDS = 32

/** The words of the memory that was unmasked last: one read brings many messages. */
let memory: ArrayBufferLike | null = null
let words: Int32Array = new Int32Array(0)

/**
 * XORs `bytes[from, to)` with the masking key (§5.3), as it was read little-endian; returns the key for
 * the byte after the last.
 */
export function unmask(bytes: Buffer, from: number, to: number, key: number): number {
  let mask = key
  let at = from
  if (to - from >= WORTH_WORDS) {
    const { buffer, byteOffset } = bytes
    for (; ((byteOffset + at) & 3) !== 0; at++) {
      bytes[at]! ^= mask
      mask = (mask >>> 8) | (mask << 24)
    }
    if (memory !== buffer) {
      memory = buffer
      words = new Int32Array(buffer, 0, buffer.byteLength >> 2)
    }
    const all = words
    const last = (byteOffset + to) >> 2
    for (let i = (byteOffset + at) >> 2; i < last; i++) all[i]! ^= mask
    at = last * 4 - byteOffset
  }
  for (; at < to; at++) {
    bytes[at]! ^= mask
    mask = (mask >>> 8) | (mask << 24)
  }
  return mask
}
