/** CRC-32 as in zlib, gzip and nginx (reflected polynomial 0xEDB88320). Pure; short texts. */

const TABLE: Uint32Array = new Uint32Array(256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  TABLE[byte] = crc
}

/** The state before the first byte; one goes on from state to state, `crcEnd` makes it the CRC. */
export const CRC_BEGIN = 0xffffffff

/** The state after another byte. */
export function crcByte(state: number, byte: number): number {
  return TABLE[(state ^ byte) & 0xff]! ^ (state >>> 8)
}

/** The state after the text's bytes, one latin-1 character each. */
export function crcText(state: number, text: string): number {
  let next = state
  for (let i = 0; i < text.length; i++) next = crcByte(next, text.charCodeAt(i))
  return next
}

export function crcEnd(state: number): number {
  return ~state >>> 0
}

/** Of a latin-1 text; 0 to 2^32 - 1. */
export function crc32(text: string): number {
  return crcEnd(crcText(CRC_BEGIN, text))
}
