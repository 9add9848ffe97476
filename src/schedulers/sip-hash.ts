/**
 * SipHash-1-3 of one 32-bit word, its lower half: what the kernel calls `hsiphash_1u32` on 64-bit
 * machines, and hashes with for Maglev. Hot: 64-bit words as halves, since BigInt takes 20 times as long.
 */

/** Two equal 64-bit keys below 2^32. */
export function sipHash(word: number, key: number): number {
  // Upper and lower halves of v0 to v3: "somepseudorandomlygeneratedbytes", with the key.
  let h0 = 0x736f6d65
  let l0 = 0x70736575 ^ key
  let h1 = 0x646f7261
  let l1 = 0x6e646f6d ^ key
  let h2 = 0x6c796765
  let l2 = 0x6e657261 ^ key
  let h3 = 0x74656462
  let l3 = 0x79746573 ^ key
  // The length, 4, is the highest byte of the only block.
  const hb = 0x04000000
  h3 ^= hb
  l3 ^= word
  // One round for the block, then three to finish.
  for (let round = 0; round < 4; round++) {
    let low = (l0 >>> 0) + (l1 >>> 0)
    h0 = (h0 + h1 + (low > 0xffffffff ? 1 : 0)) | 0
    l0 = low | 0
    let h = (h1 << 13) | (l1 >>> 19)
    l1 = ((l1 << 13) | (h1 >>> 19)) ^ l0
    h1 = h ^ h0
    h = h0
    h0 = l0
    l0 = h

    low = (l2 >>> 0) + (l3 >>> 0)
    h2 = (h2 + h3 + (low > 0xffffffff ? 1 : 0)) | 0
    l2 = low | 0
    h = (h3 << 16) | (l3 >>> 16)
    l3 = ((l3 << 16) | (h3 >>> 16)) ^ l2
    h3 = h ^ h2

    low = (l0 >>> 0) + (l3 >>> 0)
    h0 = (h0 + h3 + (low > 0xffffffff ? 1 : 0)) | 0
    l0 = low | 0
    h = (h3 << 21) | (l3 >>> 11)
    l3 = ((l3 << 21) | (h3 >>> 11)) ^ l0
    h3 = h ^ h0

    low = (l2 >>> 0) + (l1 >>> 0)
    h2 = (h2 + h1 + (low > 0xffffffff ? 1 : 0)) | 0
    l2 = low | 0
    h = (h1 << 17) | (l1 >>> 15)
    l1 = ((l1 << 17) | (h1 >>> 15)) ^ l2
    h1 = h ^ h2
    h = h2
    h2 = l2
    l2 = h

    if (round === 0) {
      h0 ^= hb
      l0 ^= word
      l2 ^= 0xff
    }
  }
  return (l0 ^ l1 ^ l2 ^ l3) >>> 0
}
